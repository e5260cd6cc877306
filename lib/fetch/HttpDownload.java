package lib.fetch;

import module java.base;
import module java.net.http;
import lib.run.*;

/**
 * Fetches files over HTTP: from where it was cut off when the server can do that, else from the start, a bounded number of times.
 * Whether what arrived is what was meant is for the caller to check.
 */
final class HttpDownload implements AutoCloseable {
    private static final int TRIES = 6;
    private static final Duration LIMIT = Duration.ofMinutes(30);
    /** Far more than anything that the demo fetches. */
    private static final long LARGEST = 1L << 30;

    /** Told how many bytes have arrived, of how many; -1 when the server does not say. */
    interface Progress {
        void at(long have, long all);
    }

    /** An answer that will be no other the next time. */
    private static final class Refused extends IOException {
        Refused(String message) { super(message); }
    }

    private final Duration patience, pause;
    private final HttpClient http;

    /**
     * @param connect  how long a server may take to be reached
     * @param patience how long it may take to answer then, and may be silent in between
     * @param pause    the time before the second try; it doubles with each
     */
    HttpDownload(Duration connect, Duration patience, Duration pause, Map<String, String> environment) {
        this.patience = patience;
        this.pause = pause;
        HttpProxies proxies = new HttpProxies(environment);
        http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(connect)
                .followRedirects(HttpClient.Redirect.NORMAL).proxy(proxies).authenticator(proxies.authenticator()).build();
    }

    /** A small file's text; asks once, and is over when the server's patience is, whatever it is that hangs. */
    String text(URI address) throws IOException, InterruptedException {
        var answer = http.sendAsync(HttpRequest.newBuilder(address).timeout(patience).build(), HttpResponse.BodyHandlers.ofString());
        try {
            HttpResponse<String> text = answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
            expectGood(address, text.statusCode());
            return text.body();
        } catch (TimeoutException e) {
            throw new IOException("%s did not answer within %.0f s".formatted(address.getHost(), patience.toMillis() / 1e3));
        } catch (ExecutionException e) {
            throw new IOException(reason(address, e.getCause()), e.getCause());
        }
    }

    /** Writes what is at the address into the file, whatever was in it. */
    void into(Path file, URI address, Progress progress) throws IOException, InterruptedException {
        long end = System.nanoTime() + LIMIT.toNanos();
        String validator = "", last = "";
        Files.deleteIfExists(file);
        for (int i = 0; i < TRIES && System.nanoTime() < end; i++) {
            if (i > 0) Thread.sleep(pause.multipliedBy(1L << (i - 1)));
            try {
                HttpResponse<InputStream> answer = ask(address, validator.isEmpty() ? 0 : Files.size(file), validator);
                validator = answer.headers().firstValue("ETag").filter(tag -> !tag.startsWith("W/"))
                        .or(() -> answer.headers().firstValue("Last-Modified")).orElse("");
                receive(answer, file, progress, end);
                return;
            } catch (Refused e) {
                throw e;
            } catch (IOException e) {
                last = reason(address, e);
            }
            if (!Files.exists(file)) validator = "";
        }
        throw new IOException("%s, at the last of %d tries".formatted(last, TRIES));
    }

    /** Asks for the file from this byte on, if it is still the same; else for all of it. */
    private HttpResponse<InputStream> ask(URI address, long from, String validator) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(address).timeout(patience);
        if (from > 0) request.header("Range", "bytes=%d-".formatted(from)).header("If-Range", validator);
        return http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    }

    /** Takes an answer's bytes to the file's end, all that it promised. */
    private void receive(HttpResponse<InputStream> answer, Path file, Progress progress, long end) throws IOException {
        String host = answer.uri().getHost();
        try (InputStream body = answer.body()) {
            if (answer.statusCode() == 416 && Files.exists(file)) return; // there is no more: the last answer promised too much
            expectGood(answer.uri(), answer.statusCode());
            long from = answer.statusCode() == 206 ? Files.size(file) : 0;
            long length = answer.headers().firstValueAsLong("Content-Length").orElse(-1);
            if (from > 0 && !answer.headers().firstValue("Content-Range").orElse("").startsWith("bytes %d-".formatted(from))) {
                Files.delete(file);
                throw new IOException(host + " went on at another byte");
            }
            var arrived = new AtomicLong();
            var silent = new AtomicBoolean();
            Thread watch = Thread.startVirtualThread(() -> closeWhenSilent(body, arrived, silent));
            try (OutputStream out = open(file, from > 0)) {
                byte[] buffer = new byte[1 << 16];
                for (int n; (n = body.read(buffer)) >= 0;) {
                    write(file, out, buffer, n);
                    progress.at(from + arrived.addAndGet(n), length < 0 ? -1 : from + length);
                    if (System.nanoTime() > end || from + arrived.get() > LARGEST) throw new Refused(
                            "%s takes over %d minutes, or has over %d MB".formatted(answer.uri(), LIMIT.toMinutes(), LARGEST >> 20));
                }
            } catch (IOException e) {
                if (!silent.get()) throw e;
            } finally {
                watch.interrupt();
            }
            if (silent.get()) throw new IOException("%s was silent for %.0f s".formatted(host, patience.toMillis() / 1e3));
        }
    }

    /** Ends an answer that brings nothing any more: the client itself would wait for it without limit. */
    private void closeWhenSilent(InputStream body, AtomicLong arrived, AtomicBoolean silent) {
        try {
            for (long before = -1; before != arrived.get();) {
                before = arrived.get();
                Thread.sleep(patience);
            }
            silent.set(true);
            body.close();
        } catch (InterruptedException | IOException e) {
            // it has ended by itself
        }
    }

    private static OutputStream open(Path file, boolean append) {
        try {
            return append ? Files.newOutputStream(file, StandardOpenOption.APPEND) : Files.newOutputStream(file);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    private static void write(Path file, OutputStream out, byte[] bytes, int count) {
        try {
            out.write(bytes, 0, count);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** Trouble on this side: to try again would not help. */
    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("cannot write %s: %s".formatted(file, e.getMessage()),
                "make room in its folder, or make it writable; or set XDG_CACHE_HOME to another");
    }

    private static void expectGood(URI address, int status) throws IOException {
        String output = "%s answered %d".formatted(address, status);
        if (status >= 500 || status == 408 || status == 429) throw new IOException(output);
        if (status != 200 && status != 206) throw new Refused(output);
    }

    /** What happened, in words: the JDK leaves many of its messages out. */
    private static String reason(URI address, Throwable e) {
        String last = e.getClass().getSimpleName();
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            String known = switch (cause) {
                case HttpTimeoutException _ -> "no answer";
                case UnresolvedAddressException _ -> "its name is not known here";
                case UnknownHostException _ -> "its name is not known here";
                case ConnectException c when c.getMessage() == null -> c.getCause() instanceof UnresolvedAddressException
                        ? "its name is not known here" : "no connection";
                default -> "";
            };
            if (!known.isEmpty()) return address.getHost() + ": " + known;
            if (cause.getMessage() != null) last = cause.getMessage();
        }
        return last.contains(address.getHost()) ? last : address.getHost() + ": " + last;
    }

    /** Does not wait for what hangs. */
    @Override public void close() { http.shutdownNow(); }
}
