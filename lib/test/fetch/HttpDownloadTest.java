package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.kube.*;
import lib.preflight.*;
import lib.run.*;
import lib.test.*;
import java.net.Proxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Downloads from servers that are slow, disconnect, refuse requests or send something else. Each server answers one
 * request per connection.
 */
@Tag("unit")
class HttpDownloadTest {
    private static final byte[] CONTENT = new byte[200_000];
    private static final int HALF = 100_000;
    /** How long a server may send nothing. */
    private static final Duration PATIENCE = Duration.ofMillis(1500);

    static { new Random(1).nextBytes(CONTENT); }

    /** Writes the answer of a server to a request with these headers. */
    private interface Answer {
        void to(String request, OutputStream out) throws Exception;
    }

    @TempDir Path folder;
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final List<ServerSocket> servers = new ArrayList<>();

    @AfterEach void stop() throws IOException { for (ServerSocket server : servers) server.close(); }

    /** Starts a server that gives these answers in turn, then the last one every time; returns its address. */
    private String serve(Answer... answers) throws IOException {
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        servers.add(server);
        Thread.startVirtualThread(() -> {
            for (int i = 0; !server.isClosed(); i++) {
                Answer answer = answers[Math.min(i, answers.length - 1)];
                try {
                    Socket socket = server.accept();
                    Thread.startVirtualThread(() -> answer(socket, answer));
                } catch (IOException e) {
                    return; // closed
                }
            }
        });
        return "http://127.0.0.1:" + server.getLocalPort();
    }

    private void answer(Socket socket, Answer answer) {
        try (socket) {
            var reader = new BufferedReader(new InputStreamReader(socket.getInputStream(),
                    StandardCharsets.ISO_8859_1));
            String request = Stream.generate(() -> line(reader)).takeWhile(l -> !l.isEmpty())
                    .collect(Collectors.joining("\n"));
            if (request.isEmpty()) return; // an unused connection
            requests.add(request);
            answer.to(request, socket.getOutputStream());
        } catch (Exception e) {
            // the client may disconnect
        }
    }

    private static String line(BufferedReader reader) {
        try {
            return Objects.requireNonNullElse(reader.readLine(), "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void head(OutputStream out, String status, String... headers) throws IOException {
        out.write("HTTP/1.1 %s\r\n%s\r\nConnection: close\r\n\r\n".formatted(status, String.join("\r\n", headers))
                .getBytes(StandardCharsets.ISO_8859_1));
    }

    private static final Answer WHOLE = (_, out) -> {
        head(out, "200 OK", "Content-Length: " + CONTENT.length);
        out.write(CONTENT);
    };

    /** Sends half of the announced content, and disconnects. */
    private static final Answer HALF_THEN_CLOSED = (_, out) -> {
        head(out, "200 OK", "Content-Length: " + CONTENT.length);
        out.write(CONTENT, 0, HALF);
    };

    private static final Answer HALF_THEN_SILENT = (request, out) -> {
        HALF_THEN_CLOSED.to(request, out);
        Thread.sleep(5000);
    };

    private static Answer status(String status) { return (_, out) -> head(out, status, "Content-Length: 0"); }

    private byte[] downloaded(String address, Map<String, String> environment) throws Exception {
        Path file = folder.resolve("file");
        try (HttpDownload download = new HttpDownload(Duration.ofSeconds(5), PATIENCE, Duration.ofMillis(5),
                environment)) {
            download.into(file, URI.create(address), (_, _) -> {});
        }
        return Files.readAllBytes(file);
    }

    private byte[] downloaded(String address) throws Exception { return downloaded(address, Map.of()); }

    private String failure(String address, Map<String, String> environment) {
        return assertThrows(IOException.class, () -> downloaded(address, environment)).getMessage();
    }

    private String header(int request, String name) {
        return requests.get(request).lines().filter(l -> l.toLowerCase(Locale.ROOT)
                .startsWith(name.toLowerCase(Locale.ROOT) + ":"))
                .map(l -> l.substring(name.length() + 1).strip()).findFirst().orElse("");
    }

    @Test void waitsForASlowServer() throws Exception {
        long start = System.nanoTime();
        assertArrayEquals(CONTENT, downloaded(serve((_, out) -> {
            head(out, "200 OK", "Content-Length: " + CONTENT.length);
            for (int i = 0; i < 5; i++) {
                out.write(CONTENT, i * CONTENT.length / 5, CONTENT.length / 5);
                Thread.sleep(400);
            }
        })));
        assertEquals(1, requests.size());
        assertTrue(System.nanoTime() - start > PATIENCE.toNanos(), "it took longer than a server may be silent");
    }

    @Test void restartsAfterDisconnect() throws Exception {
        assertArrayEquals(CONTENT, downloaded(serve(HALF_THEN_CLOSED, WHOLE)));
        assertEquals(2, requests.size());
        assertEquals("", header(1, "Range"), "it restarts from the beginning");
    }

    @Test void restartsWhenTheServerIsSilent() throws Exception {
        assertArrayEquals(CONTENT, downloaded(serve(HALF_THEN_SILENT, WHOLE)));
        requests.clear();
        assertArrayEquals(CONTENT, downloaded(serve((_, _) -> Thread.sleep(5000), WHOLE)));
        assertEquals(2, requests.size());
    }

    @Test void restartsWhenAServerWithoutLengthIsSilent() throws Exception {
        assertArrayEquals(CONTENT, downloaded(serve((_, out) -> {
            head(out, "200 OK", "Server: test");
            out.write(CONTENT, 0, HALF);
            Thread.sleep(5000);
        }, WHOLE)));
    }

    @Test void givesUpCheckingASilentServer() throws Exception {
        for (Answer silent : List.<Answer>of((_, _) -> Thread.sleep(5000), HALF_THEN_SILENT)) {
            URI address = URI.create(serve(silent));
            long start = System.nanoTime();
            try (HttpDownload download = new HttpDownload(Duration.ofSeconds(5), PATIENCE, Duration.ofMillis(5),
                    Map.of())) {
                String message = assertThrows(IOException.class, () -> download.text(address)).getMessage();
                assertTrue(message.contains("127.0.0.1 sent nothing for 2 s"), message);
            }
            assertTrue(System.nanoTime() - start < 2 * PATIENCE.toNanos(), "it gives up after the first pause");
        }
        assertEquals(2, requests.size());
    }

    @Test void givesUpAfterThreeTries() throws Exception {
        String message = failure(serve(HALF_THEN_CLOSED), Map.of());
        assertTrue(message.contains("127.0.0.1") && message.contains("at the last of 3 tries"), message);
        assertEquals(3, requests.size());
    }

    @Test void retriesTemporaryErrorsOnly() throws Exception {
        for (String temporary : List.of("503 Busy", "500 Error", "408 Timeout", "429 Too Many Requests")) {
            requests.clear();
            assertArrayEquals(CONTENT, downloaded(serve(status(temporary), WHOLE)), temporary);
            assertEquals(2, requests.size());
        }
        for (String permanent : List.of("403 Forbidden", "404 Not Found", "206 Partial Content")) {
            requests.clear();
            String message = failure(serve(status(permanent)), Map.of());
            assertTrue(message.contains("answered " + permanent.substring(0, 3)), message);
            assertEquals(1, requests.size(), permanent);
        }
    }

    @Test void refusesAFileThatIsTooLarge() throws Exception {
        byte[] megabytes = new byte[64 << 20];
        Path file = Files.createSymbolicLink(folder.resolve("file"), Path.of("/dev/null"));
        String message = failure(serve((_, out) -> {
            head(out, "200 OK", "Content-Length: " + (2L << 30));
            while (true) out.write(megabytes);
        }), Map.of());
        assertTrue(message.contains("has more than 1024 MB"), message);
        assertEquals(1, requests.size());
        Files.delete(file);
    }

    /** The cache stays empty if the server sends more or less than it announced. */
    @Test void discardsWrongFiles() throws Exception {
        String sum = Mirror.sha256(CONTENT);
        for (int announced : List.of(HALF, CONTENT.length + 1)) {
            URI mirror = URI.create(serve((_, out) -> {
                head(out, "200 OK", "Content-Length: " + announced);
                out.write(CONTENT);
            }));
            var asset = Release.pinned("file", "https://example.org/file", sum);
            var assets = new Downloads(Optional.empty(), folder, Optional.of(mirror), false, new Console(false));
            assertThrows(Problem.class, () -> assets.fetch(asset, folder.resolve("file"), _ -> {}, Files::move));
            assertArrayEquals(new String[] {"file.lock"}, folder.toFile().list());
        }
    }

    @Test void followsRedirects() throws Exception {
        String target = serve(WHOLE);
        Answer moved = (_, out) -> head(out, "302 Found", "Content-Length: 0", "Location: " + target + "/there");
        assertArrayEquals(CONTENT, downloaded(serve(moved) + "/here"));
        assertTrue(requests.getLast().startsWith("GET /there "), requests.toString());
    }

    @Test void sendsThePasswordToTheProxy() throws Exception {
        String proxy = serve((request, out) -> {
            if (!request.contains("Proxy-Authorization:"))
                head(out, "407 Who", "Content-Length: 0", "Proxy-Authenticate: Basic realm=\"x\"");
            else WHOLE.to(request, out);
        });
        Map<String, String> environment = Map.of("http_proxy", proxy.replace("http://", "http://me:se%20cret@"));
        assertArrayEquals(CONTENT, downloaded("http://example.org/file", environment));
        assertTrue(requests.getLast().startsWith("GET http://example.org/file "), requests.toString());
        String password = Base64.getEncoder().encodeToString("me:se cret".getBytes(StandardCharsets.UTF_8));
        assertEquals("Basic " + password, header(requests.size() - 1, "Proxy-Authorization"));
    }

    @Test void tunnelsTlsThroughTheProxy() throws Exception {
        String proxy = serve((request, out) -> {
            if (!request.contains("Proxy-Authorization:"))
                head(out, "407 Who", "Content-Length: 0", "Proxy-Authenticate: Basic realm=\"x\"");
            else head(out, "403 Not there", "Content-Length: 0");
        });
        failure("https://example.org/file", Map.of("HTTPS_PROXY", proxy.replace("http://", "http://me:secret@"),
                "HTTP_PROXY", "http://127.0.0.1:1"));
        assertTrue(requests.stream().allMatch(r -> r.startsWith("CONNECT example.org:443 ")), requests.toString());
        assertFalse(header(requests.size() - 1, "Proxy-Authorization").isEmpty(), requests.toString());
    }

    @Test void respectsNoProxy() throws Exception {
        HttpProxies proxies = new HttpProxies(Map.of("HTTPS_PROXY", "proxy.example.org:3128", "NO_PROXY",
                "example.com, .internal,10.0.0.1:8080"));
        for (String direct : List.of("https://example.com/a", "https://a.example.com", "https://x.internal",
                "https://10.0.0.1:8080", "https://localhost:1", "http://github.com"))
            assertEquals(List.of(Proxy.NO_PROXY), proxies.select(URI.create(direct)), direct);
        for (String through : List.of("https://github.com", "https://notexample.com"))
            assertTrue(("" + proxies.select(URI.create(through)).getFirst().address())
                    .matches("proxy.example.org.*:3128"), through);
        HttpProxies none = new HttpProxies(Map.of("HTTPS_PROXY", "http://p:1", "NO_PROXY", "*"));
        assertEquals(List.of(Proxy.NO_PROXY), none.select(URI.create("https://github.com")));
        assertThrows(Problem.class, () -> new HttpProxies(Map.of("HTTPS_PROXY", "socks5://p:1"))
                .select(URI.create("https://github.com")));
    }

    /** The rules of Go programs: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config */
    @Test void noProxyAcceptsWildcardsSubnetsAddressesAndPorts() {
        HttpProxies proxies = new HttpProxies(Map.of("https_proxy", "proxy.example.org", "no_proxy",
                "localhost,*.Corp.example,10.96.0.0/12,fd00::/8,192.0.2.7,[2001:db8::1]:6443,only.example:8443,"
                        + "10.0.0.0/99,a/b,/8"));
        assertEquals(URI.create("http://proxy.example.org:80"), proxies.proxy(URI.create("https://github.com"))
                .orElseThrow());
        for (String direct : List.of("https://api.corp.example:6443", "https://API.CORP.EXAMPLE", "https://10.100.0.1",
                "https://[fd12::1]:6443", "https://192.0.2.7:6443", "https://[2001:db8:0::1]:6443",
                "https://only.example:8443", "https://127.9.9.9", "https://[::1]:1", "https://LOCALHOST",
                "https://[::ffff:127.0.0.1]"))
            assertTrue(proxies.proxy(URI.create(direct)).isEmpty(), direct);
        for (String through : List.of("https://notcorp.example", "https://10.112.0.1", "https://192.0.2.70",
                "https://[2001:db8::1]", "https://only.example", "https://10.100.0.1.example", "https://[fc00::1]"))
            assertTrue(proxies.proxy(URI.create(through)).isPresent(), through);
        assertEquals(List.of("172.18.0.0/16"),
                HostChecks.notListed(new HttpProxies(Map.of("NO_PROXY", "127.0.0.0/8,localhost,172.18.0.0/17")),
                List.of("127.0.0.1", "localhost", "172.18.0.0/16")));
        for (String all : List.of("*", "127.0.0.1 localhost 172.18.0.0/16", "127.0.0.0/8,localhost,172.16.0.0/12"))
            assertEquals(List.of(), HostChecks.notListed(new HttpProxies(Map.of("NO_PROXY", all)),
                    List.of("127.0.0.1", "localhost", "172.18.0.0/16")));
    }

    @Test void recognizesAddressesOfThisMachine() {
        for (String here : List.of("127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "LocalHost",
                "k3d.localhost", "0.0.0.0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
                "host.docker.internal", "kubernetes.docker.internal", "gateway.docker.internal",
                "host.containers.internal", "host.k3d.internal"))
            assertTrue(ApiServer.onlyFromHere(here), here);
        for (String elsewhere : List.of("172.18.0.2", "128.0.0.1", "[fc00::2]", "api.corp.internal", "0.0.0.1"))
            assertFalse(ApiServer.onlyFromHere(elsewhere), elsewhere);
    }

    @Test void reportsAFullDisk() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        assumeTrue(Shell.run("mount -t tmpfs -o size=64k tmpfs '%s'".formatted(small)).exitCode() == 0,
                "needs permission to mount");
        try {
            var assets = new Downloads(Optional.empty(), small, Optional.of(URI.create(serve(WHOLE))), false,
                    new Console(false));
            var asset = Release.pinned("file", "https://example.org/file", "0");
            Problem problem = assertThrows(Problem.class, () -> assets.fetch(asset, small.resolve("file"), _ -> {},
                    Files::move));
            assertTrue(problem.getMessage().contains("No space left") && problem.hint().contains("XDG_CACHE_HOME"),
                    problem.getMessage());
            assertArrayEquals(new String[] {"file.lock"}, small.toFile().list(), "the space is freed");
        } finally {
            Shell.run("umount '%s'".formatted(small));
        }
    }
}
