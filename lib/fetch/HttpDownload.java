package lib.fetch;

import module java.base;
import module java.net.http;
import lib.run.*;

/**
 * Downloads files over HTTP. A download that fails restarts from the beginning, at most three times. The caller
 * verifies the content.
 */
final class HttpDownload implements AutoCloseable {
    private static final int TRIES = 3;
    private static final Duration LIMIT = Duration.ofMinutes(30);
    /** More than any file that the demo downloads. */
    private static final long LARGEST = 1L << 30;

    /** A failure that another try would repeat. */
    private static final class Refused extends IOException {
        Refused(String message) { super(message); }
    }

    private final Duration patience, pause;
    private final HttpClient http;

    /**
     * @param connect     the time limit for a connection
     * @param patience    how long a server may send nothing
     * @param pause       the time before the second try; it doubles with each
     * @param environment the variables that name the proxies
     */
    HttpDownload(Duration connect, Duration patience, Duration pause, Map<String, String> environment) {
        this.patience = patience;
        this.pause = pause;
        HttpProxies proxies = new HttpProxies(environment);
        http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(connect)
                .followRedirects(HttpClient.Redirect.NORMAL).proxy(proxies).authenticator(proxies.authenticator())
                .build();
    }

    /** Returns a small file's text. Tries once; the whole answer must arrive within {@code patience}. */
    String text(URI address) throws IOException, InterruptedException {
        return get(address, HttpResponse.BodyHandlers.ofString(), new AtomicLong());
    }

    /**
     * Downloads into a file and replaces its content.
     *
     * @param progress gets the bytes received so far and the size of the file, or -1 when the server does not report it
     * @throws Problem when the file cannot be written
     */
    void into(Path file, URI address, BiConsumer<Long, Long> progress) throws IOException, InterruptedException {
        long end = System.nanoTime() + LIMIT.toNanos();
        for (int i = 1;; i++) {
            try (OutputStream out = Files.newOutputStream(file)) {
                var received = new AtomicLong();
                get(address, answer -> {
                    long size = answer.headers().firstValueAsLong("Content-Length").orElse(-1);
                    return HttpResponse.BodySubscribers.ofByteArrayConsumer(part -> part.ifPresent(bytes -> {
                        write(file, out, bytes);
                        progress.accept(received.addAndGet(bytes.length), size);
                        checkLimits(address, received.get(), end);
                    }));
                }, received);
                return;
            } catch (FileSystemException e) {
                throw cannotWrite(file, e);
            } catch (Refused e) {
                throw e;
            } catch (IOException e) {
                if (i == TRIES) throw new IOException(e.getMessage() + ", at the last of " + TRIES + " tries", e);
            }
            Thread.sleep(pause.multipliedBy(1L << (i - 1)));
        }
    }

    /**
     * Returns the body of a successful answer. {@link HttpRequest.Builder#timeout} is of no use here: until Java 25 it
     * ends with the headers, and since Java 26 it limits the whole body. https://bugs.openjdk.org/browse/JDK-8208693
     *
     * @param received the bytes received so far
     */
    private <T> T get(URI address, HttpResponse.BodyHandler<T> body, AtomicLong received)
            throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(address).build();
        var answer = http.sendAsync(request, head -> head.statusCode() == 200 ? body.apply(head)
                : HttpResponse.BodySubscribers.replacing(null));
        try {
            for (long before = 0;; before = received.get()) {
                try {
                    HttpResponse<T> whole = answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
                    checkStatus(address, whole.statusCode());
                    return whole.body();
                } catch (TimeoutException e) {
                    if (received.get() > before) continue;
                    double seconds = patience.toMillis() / 1e3;
                    throw new IOException("%s sent nothing for %.0f s".formatted(address.getHost(), seconds));
                }
            }
        } catch (ExecutionException e) {
            Throwable cause = Problem.rootCause(e);
            if (cause instanceof Problem problem) throw problem;
            if (cause instanceof Refused refused) throw refused;
            throw new IOException(reason(address, e.getCause()), e.getCause());
        } finally {
            answer.cancel(true);
        }
    }

    private static void checkStatus(URI address, int status) throws IOException {
        if (status == 200) return;
        String message = "%s answered %d".formatted(address, status);
        boolean temporary = status >= 500 || status == 408 || status == 429;
        throw temporary ? new IOException(message) : new Refused(message);
    }

    private static void checkLimits(URI address, long received, long end) {
        if (received <= LARGEST && System.nanoTime() <= end) return;
        throw new UncheckedIOException(new Refused("%s has more than %d MB, or takes more than %d minutes".formatted(
                address, LARGEST >> 20, LIMIT.toMinutes())));
    }

    private static void write(Path file, OutputStream out, byte[] bytes) {
        try {
            out.write(bytes);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("cannot write %s: %s".formatted(file, e.getMessage()),
                "free some space on its disk, or make the folder writable; or set XDG_CACHE_HOME to another folder");
    }

    /** The failure in words: the JDK leaves many of its messages empty. */
    private static String reason(URI address, Throwable failure) {
        String last = failure.getClass().getSimpleName();
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof UnresolvedAddressException || cause instanceof UnknownHostException) {
                last = "unknown host";
                break;
            }
            if (cause.getMessage() != null) last = cause.getMessage();
            else if (cause instanceof ConnectException) last = "no connection";
        }
        return last.contains(address.getHost()) ? last : address.getHost() + ": " + last;
    }

    /** Ends requests that are still open. */
    @Override public void close() { http.shutdownNow(); }
}
