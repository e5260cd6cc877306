package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import module jdk.httpserver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fetching, against a server on loopback. */
@Tag("unit")
class AssetsTest {
    private static final String CONTENT = "kind: List\n";
    @TempDir Path cache;
    private HttpServer server;
    private int status = 200;
    private final AtomicInteger asked = new AtomicInteger();

    @BeforeEach void serve() throws IOException {
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            asked.incrementAndGet();
            byte[] body = CONTENT.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    @AfterEach void stop() { server.stop(0); }

    private Versions.Asset asset(String sha256) {
        return new Versions.Asset("file.yaml", "http://127.0.0.1:%d/file.yaml".formatted(server.getAddress().getPort()), sha256);
    }

    private static String sha256(String text) throws NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    @Test void aFileIsFetchedOnceAndKept() throws Exception {
        Assets assets = new Assets(null, cache);
        assertEquals(CONTENT, assets.read(asset(sha256(CONTENT))));
        assertEquals(CONTENT, assets.read(asset(sha256(CONTENT))));
        assertEquals(1, asked.get());
    }

    @Test void aWrongFileIsRefusedAndNotKept() throws Exception {
        Problem problem = assertThrows(Problem.class, () -> new Assets(null, cache).read(asset(sha256("something else"))));
        assertTrue(problem.getMessage().contains("SHA-256"), problem.getMessage());
        try (Stream<Path> left = Files.list(cache)) {
            assertEquals(List.of(), left.toList());
        }
    }

    @Test void theCallersFolderComesFirstAndIsCheckedToo(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("file.yaml"), CONTENT);
        assertEquals(CONTENT, new Assets(folder, cache).read(asset(sha256(CONTENT))));
        assertEquals(0, asked.get());
        Files.writeString(folder.resolve("file.yaml"), "tampered");
        assertThrows(Problem.class, () -> new Assets(folder, cache).read(asset(sha256(CONTENT))));
    }

    @Test void anAnswerThatIsNoFileIsNamed() throws Exception {
        status = 404;
        Problem problem = assertThrows(Problem.class, () -> new Assets(null, cache).read(asset(sha256(CONTENT))));
        assertTrue(problem.getMessage().contains("404"), problem.getMessage());
        assertEquals(Problem.UNFIT, problem.exitCode());
    }

    @Test void aServerThatIsNotThereIsNamed() throws Exception {
        Versions.Asset asset = asset(sha256(CONTENT));
        server.stop(0);
        assertTrue(assertThrows(Problem.class, () -> new Assets(null, cache).read(asset)).hint().contains("--assets"));
    }
}
