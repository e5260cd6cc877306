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
    private String release;
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
        server.createContext("/release", exchange -> {
            byte[] body = release.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
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

    /** GitHub's description of a release, of which the file is one; an asset without a pin. */
    private Versions.Asset released(String digest) {
        Versions.Asset pinned = asset("");
        release = """
                {"assets": [{"browser_download_url": "%1$sx", "digest": "sha256:%2$s"},
                            {"browser_download_url": "%1$s", "digest": %3$s}]}"""
                .formatted(pinned.url(), "0".repeat(64), digest);
        return new Versions.Asset(pinned.file(), pinned.url(), "", pinned.url().replace("file.yaml", "release"));
    }

    @Test void whatIsNotPinnedIsCheckedAgainstItsRelease(@TempDir Path folder) throws Exception {
        Versions.Asset good = released("\"sha256:%s\"".formatted(sha256(CONTENT)));
        assertEquals(CONTENT, new Assets(null, cache).read(good));
        assertEquals(CONTENT, new Assets(null, cache).read(good));
        assertEquals(1, asked.get());
        Files.delete(cache.resolve(good.file()));
        for (String digest : List.of("null", "\"\"", "\"md5:0\"", "\"sha256:%s\"".formatted(sha256("something else")))) {
            Versions.Asset wrong = released(digest);
            Problem problem = assertThrows(Problem.class, () -> new Assets(null, cache).read(wrong), digest);
            assertTrue(problem.getMessage().contains("SHA-256"), problem.getMessage());
            assertFalse(Files.exists(cache.resolve(wrong.file())), digest);
        }
        Files.writeString(folder.resolve(good.file()), "the caller's");
        assertEquals("the caller's", new Assets(folder, cache).read(good));
    }

    @Test void aReleasesFileHasItsAddresses() {
        assertEquals("https://github.com/cert-manager/cert-manager/releases/download/v1.21.1/cert-manager.yaml",
                Versions.CERT_MANAGER_MANIFEST.url());
        assertEquals("https://api.github.com/repos/cert-manager/cert-manager/releases/tags/v1.21.1",
                Versions.CERT_MANAGER_MANIFEST.release());
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
