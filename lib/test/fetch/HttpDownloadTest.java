package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import lib.verify.*;
import java.net.Proxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fetching from servers that are slow, cut off, lie; each answers one request per connection. */
@Tag("unit")
class HttpDownloadTest {
    private static final byte[] CONTENT = new byte[200_000];
    private static final int HALF = 100_000;
    /** How long a server may be silent. */
    private static final Duration PATIENCE = Duration.ofMillis(1500);

    static { new Random(1).nextBytes(CONTENT); }

    /** One answer: what a server writes to a request of these headers. */
    private interface Answer {
        void to(String request, OutputStream out) throws Exception;
    }

    @TempDir Path folder;
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final List<ServerSocket> servers = new ArrayList<>();

    @AfterEach void stop() throws IOException { for (ServerSocket server : servers) server.close(); }

    /** Starts a server that gives these answers in turn, and the last one ever after; returns its address. */
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
            var reader = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1));
            String request = Stream.generate(() -> line(reader)).takeWhile(l -> !l.isEmpty()).collect(Collectors.joining("\n"));
            if (request.isEmpty()) return; // a connection that was not used
            requests.add(request);
            answer.to(request, socket.getOutputStream());
        } catch (Exception e) {
            // the client left, as it may
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

    /** All that it has, under this validator. */
    private static Answer whole(String etag) {
        return (_, out) -> {
            head(out, "200 OK", "Content-Length: " + CONTENT.length, "ETag: " + etag);
            out.write(CONTENT);
        };
    }

    /** The byte that a request wants to go on from. */
    private static int from(String request) {
        Matcher range = Pattern.compile("(?i)^Range: bytes=(\\d+)-", Pattern.MULTILINE).matcher(request);
        return range.find() ? Integer.parseInt(range.group(1)) : 0;
    }

    /** Half of what it promises. */
    private static Answer half(String... headers) {
        return (_, out) -> {
            head(out, "200 OK", Stream.concat(Stream.of("Content-Length: " + CONTENT.length), Stream.of(headers)).toArray(String[]::new));
            out.write(CONTENT, 0, HALF);
        };
    }

    /** What the request says is missing: about half, for JDK's client may drop what came just before an end that it did not expect. */
    private static final Answer REST = (request, out) -> {
        int from = from(request);
        String range = "Content-Range: bytes %d-%d/%d".formatted(from, CONTENT.length - 1, CONTENT.length);
        head(out, "206 Partial Content", "Content-Length: " + (CONTENT.length - from), range);
        out.write(CONTENT, from, CONTENT.length - from);
    };

    private byte[] fetched(String address, Map<String, String> environment) throws Exception {
        Path file = folder.resolve("file");
        try (HttpDownload download = new HttpDownload(Duration.ofSeconds(5), PATIENCE, Duration.ofMillis(5), environment)) {
            download.into(file, URI.create(address), (_, _) -> {});
        }
        return Files.readAllBytes(file);
    }

    private byte[] fetched(String address) throws Exception { return fetched(address, Map.of()); }

    private String failure(String address, Map<String, String> environment) {
        return assertThrows(IOException.class, () -> fetched(address, environment)).getMessage();
    }

    private String header(int request, String name) {
        return requests.get(request).lines().filter(l -> l.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":"))
                .map(l -> l.substring(name.length() + 1).strip()).findFirst().orElse("");
    }

    @Test void aSlowServerIsWaitedFor() throws Exception {
        long start = System.nanoTime();
        assertArrayEquals(CONTENT, fetched(serve((_, out) -> {
            head(out, "200 OK", "Content-Length: " + CONTENT.length);
            for (int i = 0; i < 5; i++) {
                out.write(CONTENT, i * CONTENT.length / 5, CONTENT.length / 5);
                Thread.sleep(400);
            }
        })));
        assertEquals(1, requests.size());
        assertTrue(System.nanoTime() - start > PATIENCE.toNanos(), "it took longer than a server may be silent");
    }

    @Test void aCutIsGoneOnFrom() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve(half("ETag: \"one\""), REST)));
        assertTrue(from(requests.get(1)) > HALF / 2, header(1, "Range"));
        assertEquals("\"one\"", header(1, "If-Range"));
    }

    @Test void aSilentServerIsAskedAgain() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve((request, out) -> {
            half("Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT").to(request, out);
            Thread.sleep(5000);
        }, REST)));
        assertEquals("Sun, 22 Nov 2026 10:00:00 GMT", header(1, "If-Range"));
    }

    @Test void aLookAtASilentServerEnds() throws Exception {
        URI address = URI.create(serve((_, _) -> Thread.sleep(5000)));
        try (HttpDownload download = new HttpDownload(Duration.ofSeconds(5), PATIENCE, Duration.ofMillis(5), Map.of())) {
            String message = assertThrows(IOException.class, () -> download.text(address)).getMessage();
            assertTrue(message.contains("127.0.0.1") && message.contains("answer"), message);
        }
        assertEquals(1, requests.size());
    }

    @Test void aSilentServerThatPromisedNoLengthTooIsAskedAgain() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve((_, out) -> {
            head(out, "200 OK", "ETag: \"one\"");
            out.write(CONTENT, 0, HALF);
            Thread.sleep(5000);
        }, REST)));
    }

    @Test void whatCannotBeGoneOnFromIsFetchedAnew() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve(half(), whole("\"x\""))));
        assertEquals("", header(1, "Range"), "without a validator nobody knows whether it is the same file");
        requests.clear();
        assertArrayEquals(CONTENT, fetched(serve(half("ETag: \"old\""), whole("\"new\""))));
        assertEquals("\"old\"", header(1, "If-Range"));
        requests.clear();
        assertArrayEquals(CONTENT, fetched(serve(half("ETag: \"x\""), (_, out) -> {
            head(out, "206 Partial Content", "Content-Length: 10", "Content-Range: bytes 0-9/200000");
            out.write(CONTENT, 0, 10);
        }, whole("\"x\""))));
        assertEquals("", header(2, "Range"), "what went on at another byte is not trusted");
    }

    @Test void aServerThatOnlyCutsIsGivenUp() throws Exception {
        String message = failure(serve(half()), Map.of());
        assertTrue(message.contains("127.0.0.1") && message.contains("at the last of 6 tries"), message);
        assertEquals(6, requests.size());
    }

    @Test void anErrorMayPassAndARefusalStays() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve((_, out) -> head(out, "503 Busy", "Content-Length: 0"), whole("\"x\""))));
        requests.clear();
        String message = failure(serve((_, out) -> head(out, "403 Forbidden", "Content-Length: 0")), Map.of());
        assertTrue(message.contains("answered 403"), message);
        assertEquals(1, requests.size());
    }

    @Test void moreThanThereIsWasPromised() throws Exception {
        assertArrayEquals(CONTENT, fetched(serve((request, out) -> {
            int from = from(request);
            if (from == CONTENT.length) {
                head(out, "416 Range Not Satisfiable", "Content-Length: 0");
                return;
            }
            head(out, from == 0 ? "200 OK" : "206 Partial Content", "Content-Length: " + (999_999 - from), "ETag: \"x\"",
                    "Content-Range: bytes %d-999998/999999".formatted(from));
            out.write(CONTENT, from, CONTENT.length - from);
        })));
    }

    /** What a server that lies leaves in a cache: nothing, whichever way it lies. */
    @Test void whatIsNotTheFileIsNotKept() throws Exception {
        String sum = Mirror.sha256(CONTENT);
        for (int promised : List.of(HALF, CONTENT.length + 1)) {
            URI mirror = URI.create(serve((_, out) -> {
                head(out, "200 OK", "Content-Length: " + promised);
                out.write(CONTENT);
            }));
            var asset = new Release("file", "https://example.org/file", sum);
            var assets = new Downloads(Optional.empty(), folder, Optional.of(mirror), false, new Console(false));
            assertThrows(Problem.class, () -> assets.fetch(asset, folder.resolve("file"), _ -> {}, f -> f));
            assertArrayEquals(new String[] {"file.lock"}, folder.toFile().list());
        }
    }

    @Test void aRedirectIsFollowed() throws Exception {
        String there = serve(whole("\"x\""));
        Answer moved = (_, out) -> head(out, "302 Found", "Content-Length: 0", "Location: " + there + "/there");
        assertArrayEquals(CONTENT, fetched(serve(moved) + "/here"));
        assertTrue(requests.getLast().startsWith("GET /there "), requests.toString());
    }

    @Test void aProxyIsAskedAndGivenItsPassword() throws Exception {
        String proxy = serve((request, out) -> {
            if (!request.contains("Proxy-Authorization:"))
                head(out, "407 Who", "Content-Length: 0", "Proxy-Authenticate: Basic realm=\"x\"");
            else whole("\"x\"").to(request, out);
        });
        Map<String, String> environment = Map.of("http_proxy", proxy.replace("http://", "http://me:se%20cret@"));
        assertArrayEquals(CONTENT, fetched("http://example.org/file", environment));
        assertTrue(requests.getLast().startsWith("GET http://example.org/file "), requests.toString());
        String password = Base64.getEncoder().encodeToString("me:se cret".getBytes(StandardCharsets.UTF_8));
        assertEquals("Basic " + password, header(requests.size() - 1, "Proxy-Authorization"));
    }

    @Test void aProxyTunnelsTls() throws Exception {
        String proxy = serve((request, out) -> {
            if (!request.contains("Proxy-Authorization:"))
                head(out, "407 Who", "Content-Length: 0", "Proxy-Authenticate: Basic realm=\"x\"");
            else head(out, "403 Not there", "Content-Length: 0");
        });
        failure("https://example.org/file", Map.of("HTTPS_PROXY", proxy.replace("http://", "http://me:secret@"), "HTTP_PROXY",
                "http://127.0.0.1:1"));
        assertTrue(requests.stream().allMatch(r -> r.startsWith("CONNECT example.org:443 ")), requests.toString());
        assertFalse(header(requests.size() - 1, "Proxy-Authorization").isEmpty(), requests.toString());
    }

    @Test void aProxyIsNotForAllHosts() throws Exception {
        HttpProxies proxies = new HttpProxies(Map.of("HTTPS_PROXY", "proxy.example.org:3128", "NO_PROXY", "example.com, .internal,10.0.0.1:8080"));
        for (String direct : List.of("https://example.com/a", "https://a.example.com", "https://x.internal", "https://10.0.0.1:8080",
                "https://localhost:1", "http://github.com"))
            assertEquals(List.of(Proxy.NO_PROXY), proxies.select(URI.create(direct)), direct);
        for (String through : List.of("https://github.com", "https://notexample.com"))
            assertTrue(("" + proxies.select(URI.create(through)).getFirst().address()).matches("proxy.example.org.*:3128"), through);
        HttpProxies none = new HttpProxies(Map.of("HTTPS_PROXY", "http://p:1", "NO_PROXY", "*"));
        assertEquals(List.of(Proxy.NO_PROXY), none.select(URI.create("https://github.com")));
        assertThrows(Problem.class, () -> new HttpProxies(Map.of("HTTPS_PROXY", "socks5://p:1")).select(URI.create("https://github.com")));
    }

    /** By the rules of Go's programs: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config */
    @Test void noProxyHasWildcardsSubnetsAddressesAndPorts() {
        HttpProxies proxies = new HttpProxies(Map.of("https_proxy", "proxy.example.org", "no_proxy",
                "localhost,*.Corp.example,10.96.0.0/12,fd00::/8,192.0.2.7,[2001:db8::1]:6443,only.example:8443,10.0.0.0/99,a/b,/8"));
        assertEquals(URI.create("http://proxy.example.org:80"), proxies.proxy(URI.create("https://github.com")).orElseThrow());
        for (String direct : List.of("https://api.corp.example:6443", "https://API.CORP.EXAMPLE", "https://10.100.0.1", "https://[fd12::1]:6443",
                "https://192.0.2.7:6443", "https://[2001:db8:0::1]:6443", "https://only.example:8443", "https://127.9.9.9", "https://[::1]:1",
                "https://LOCALHOST", "https://[::ffff:127.0.0.1]"))
            assertTrue(proxies.proxy(URI.create(direct)).isEmpty(), direct);
        for (String through : List.of("https://notcorp.example", "https://10.112.0.1", "https://192.0.2.70", "https://[2001:db8::1]",
                "https://only.example", "https://10.100.0.1.example", "https://[fc00::1]"))
            assertTrue(proxies.proxy(URI.create(through)).isPresent(), through);
        assertEquals(List.of("172.18.0.0/16"), HostChecks.notListed(new HttpProxies(Map.of("NO_PROXY", "127.0.0.0/8,localhost,172.18.0.0/17")),
                List.of("127.0.0.1", "localhost", "172.18.0.0/16")));
        for (String all : List.of("*", "127.0.0.1 localhost 172.18.0.0/16", "127.0.0.0/8,localhost,172.16.0.0/12"))
            assertEquals(List.of(), HostChecks.notListed(new HttpProxies(Map.of("NO_PROXY", all)), List.of("127.0.0.1", "localhost", "172.18.0.0/16")));
    }

    @Test void anAddressOfThisMachineAloneIsKnownInAnySpelling() {
        for (String here : List.of("127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "LocalHost", "k3d.localhost", "0.0.0.0", "[::]",
                "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "host.docker.internal", "kubernetes.docker.internal",
                "gateway.docker.internal", "host.containers.internal", "host.k3d.internal"))
            assertTrue(ApiServer.onlyFromHere(here), here);
        for (String elsewhere : List.of("172.18.0.2", "128.0.0.1", "[fc00::2]", "api.corp.internal", "0.0.0.1"))
            assertFalse(ApiServer.onlyFromHere(elsewhere), elsewhere);
    }

    @Test void aFullFolderIsNamed() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        assumeTrue(Shell.run("mount -t tmpfs -o size=64k tmpfs '%s'".formatted(small)).exitCode() == 0, "needs the right to mount");
        try {
            var assets = new Downloads(Optional.empty(), small, Optional.of(URI.create(serve(whole("\"x\"")))), false, new Console(false));
            var asset = new Release("file", "https://example.org/file", "0");
            Problem problem = assertThrows(Problem.class, () -> assets.fetch(asset, small.resolve("file"), _ -> {}, f -> f));
            assertTrue(problem.getMessage().contains("No space left") && problem.hint().contains("XDG_CACHE_HOME"), problem.getMessage());
            assertArrayEquals(new String[] {"file.lock"}, small.toFile().list(), "the room is given back");
        } finally {
            Shell.run("umount '%s'".formatted(small));
        }
    }
}
