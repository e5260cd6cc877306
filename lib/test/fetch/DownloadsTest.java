package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Downloads from a mirror on loopback. */
@Tag("unit")
class DownloadsTest {
    private static final String CONTENT = "kind: List\n", URL = "https://example.org/a/file.yaml",
            SUMS = URL + ".sha256";
    @TempDir Path cache;
    private Mirror mirror;

    @BeforeEach void serve() throws IOException {
        mirror = new Mirror();
        mirror.publish(URL, CONTENT);
    }

    @AfterEach void stop() { mirror.close(); }

    private Downloads downloads(Path folder, boolean offline) {
        return new Downloads(Optional.ofNullable(folder), cache, Optional.of(URI.create(mirror.address() + "/")),
                offline, new Console(false));
    }

    private Downloads downloads() { return downloads(null, false); }

    private static Release pinned(String content) throws NoSuchAlgorithmException {
        return Release.pinned("file.yaml", URL, sha256(content));
    }

    private static final Release PUBLISHED = new Release("file.yaml", URL, null, SUMS);

    private static String sha256(String text) throws NoSuchAlgorithmException {
        return Mirror.sha256(text.getBytes(StandardCharsets.UTF_8));
    }

    private Path fetch(Release release) {
        return downloads().fetch(release, cache.resolve("there/file"), _ -> {}, Files::move);
    }

    /** The files in the cache, except locks. */
    private List<String> kept() throws IOException {
        try (Stream<Path> left = Files.walk(cache)) {
            return left.filter(Files::isRegularFile).map(f -> cache.relativize(f).toString())
                    .filter(f -> !f.endsWith(".lock")).sorted().toList();
        }
    }

    @Test void downloadsOnce() throws Exception {
        assertEquals(CONTENT, downloads().read(pinned(CONTENT)));
        assertEquals(CONTENT, downloads().read(pinned(CONTENT)));
        assertEquals(List.of("/example.org/a/file.yaml"), mirror.requested);
        assertEquals(List.of("file.yaml"), kept());
    }

    @Test void refusesAWrongFile() throws Exception {
        Problem problem = assertThrows(Problem.class, () -> downloads().read(pinned("something else")));
        for (String words : List.of("has the wrong checksum", sha256("something else")))
            assertTrue(problem.getMessage().contains(words), problem.getMessage());
        assertEquals(List.of(), kept());
    }

    @Test void verifiesThePublishedChecksum() throws Exception {
        mirror.publish(SUMS, sha256(CONTENT).toUpperCase(Locale.ROOT) + "  file.yaml\n");
        assertEquals(CONTENT, Files.readString(fetch(PUBLISHED)));
        assertEquals(List.of("there/file"), kept());
        mirror.publish(URL, "tampered");
        assertEquals(CONTENT, Files.readString(fetch(PUBLISHED)), "the existing file is kept");
        Files.delete(cache.resolve("there/file"));
        assertTrue(assertThrows(Problem.class, () -> fetch(PUBLISHED)).getMessage()
                .contains("as published in http://127.0.0.1:"));
        assertEquals(List.of(), kept());
    }

    @Test void refusesWithoutChecksum() throws Exception {
        assertTrue(assertThrows(Problem.class, () -> fetch(PUBLISHED)).getMessage()
                .contains("file.yaml.sha256 answered 404"));
        mirror.publish(SUMS, "<html>sign in</html>");
        assertTrue(assertThrows(Problem.class, () -> fetch(PUBLISHED)).getMessage().contains("has no SHA-256"));
        assertFalse(mirror.requested.contains("/example.org/a/file.yaml"), "the file is not requested");
        assertEquals(List.of(), kept());
    }

    @Test void aCheckDownloadsNothing() throws Exception {
        mirror.publish(SUMS, sha256(CONTENT));
        assertEquals("127.0.0.1", downloads().server(PUBLISHED));
        assertEquals(List.of("/example.org/a/file.yaml.sha256"), mirror.requested);
        assertEquals(List.of(), kept());
    }

    @Test void concurrentRunsDownloadOnce() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (var read : threads.invokeAll(Collections.nCopies(8, () -> downloads().read(pinned(CONTENT)))))
                assertEquals(CONTENT, read.get());
        }
        assertEquals(1, mirror.requested.size(), mirror.requested.toString());
    }

    @Test void waitsForAnotherProcess() throws Exception {
        // another process, because the JDK rejects a second lock of the same process instead of waiting for the first
        Path lock = Files.createFile(cache.resolve("file.yaml.lock"));
        Process other = new ProcessBuilder("python3", "-c", """
                import fcntl, sys
                f = open(sys.argv[1], 'r+')
                fcntl.lockf(f, fcntl.LOCK_EX)
                print('locked', flush=True)
                sys.stdin.read()""", lock.toString()).start();
        try {
            assertEquals("locked", other.inputReader().readLine());
            var seen = new CompletableFuture<String>();
            Release release = pinned(CONTENT);
            var fetching = CompletableFuture.supplyAsync(() -> downloads().fetch(release, cache.resolve("file.yaml"),
                    seen::complete, Files::move));
            assertEquals("another run is downloading it", seen.get(5, TimeUnit.SECONDS));
            assertEquals(List.of(), mirror.requested);
            Files.writeString(cache.resolve("file.yaml"), CONTENT);
            other.outputWriter().close();
            assertEquals(cache.resolve("file.yaml"), fetching.get(5, TimeUnit.SECONDS));
            assertEquals(List.of(), mirror.requested, "the other process's file is used");
        } finally {
            other.destroy();
        }
    }

    /** Publishes GitHub's description of a release that contains the file. */
    private Release released(String digest) {
        String release = "https://example.org/release";
        mirror.publish(release, """
                {"assets": [{"browser_download_url": "%1$sx", "digest": "sha256:%2$s"},
                {"browser_download_url": "%1$s", "digest": %3$s}]}"""
                .formatted(URL, "0".repeat(64), digest));
        return new Release("file.yaml", URL, null, release);
    }

    @Test void verifiesTheChecksumOfAGitHubRelease(@TempDir Path folder) throws Exception {
        Release good = released("\"sha256:%s\"".formatted(sha256(CONTENT)));
        assertEquals(CONTENT, downloads().read(good));
        assertEquals(CONTENT, downloads().read(good));
        assertEquals(2, mirror.requested.size(), "the release, and the file once: " + mirror.requested);
        Files.delete(cache.resolve(good.file()));
        for (String digest : List.of("null", "\"\"", "\"md5:0\"",
                "\"sha256:%s\"".formatted(sha256("something else")))) {
            Problem problem = assertThrows(Problem.class, () -> downloads().read(released(digest)), digest);
            assertTrue(problem.getMessage().contains("SHA-256"), problem.getMessage());
            assertEquals(List.of(), kept(), digest);
        }
        Files.writeString(folder.resolve(good.file()), "the caller's");
        assertEquals("the caller's", downloads(folder, false).read(good));
    }

    @Test void addressesOfAGitHubRelease() {
        String releases = "https://github.com/cert-manager/cert-manager/releases/";
        assertEquals(releases + "download/%s/cert-manager.yaml".formatted(Versions.CERT_MANAGER),
                Versions.CERT_MANAGER_MANIFEST.url());
        assertEquals("https://api.github.com/repos/cert-manager/cert-manager/releases/tags/" + Versions.CERT_MANAGER,
                Versions.CERT_MANAGER_MANIFEST.sums());
    }

    @Test void prefersTheUsersFolderAndVerifiesIt(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("file.yaml"), CONTENT);
        assertEquals(CONTENT, downloads(folder, false).read(pinned(CONTENT)));
        assertEquals(List.of(), mirror.requested);
        Files.writeString(folder.resolve("file.yaml"), "tampered");
        assertThrows(Problem.class, () -> downloads(folder, false).read(pinned(CONTENT)));
    }

    @Test void reportsAMissingFile() throws Exception {
        mirror.withdrawAll();
        Problem problem = assertThrows(Problem.class, () -> downloads().read(pinned(CONTENT)));
        assertTrue(problem.getMessage().contains("404"), problem.getMessage());
        assertEquals(Problem.UNMET, problem.exitCode());
        assertEquals(1, mirror.requested.size(), "a 404 is not retried");
    }

    @Test void reportsAnUnreachableServer() throws Exception {
        Release release = pinned(CONTENT);
        Downloads downloads = downloads();
        mirror.close();
        Problem problem = assertThrows(Problem.class, () -> downloads.server(release));
        assertTrue(problem.getMessage().contains("127.0.0.1: no connection"), problem.getMessage());
        assertTrue(problem.hint().contains("--mirror URL") && problem.hint().contains("--mirror DIR"), problem.hint());
    }

    @Test void offlineDownloadsNothing() {
        assertThrows(Problem.class, () -> downloads(null, true).read(pinned(CONTENT)));
        assertThrows(Problem.class, () -> downloads(null, true).server(pinned(CONTENT)));
        assertEquals(List.of(), mirror.requested);
    }

    @Test void progressBar() {
        assertEquals("░░░░░░░░░░░░░░░░░░░░ 0.0 of 30.0 MB", Downloads.bar(0, 30_000_000));
        assertEquals("██████████░░░░░░░░░░ 15.0 of 30.0 MB", Downloads.bar(15_000_000, 30_000_000));
        assertEquals("████████████████████ 30.0 of 30.0 MB", Downloads.bar(30_000_000, 30_000_000));
        assertEquals("15.0 MB", Downloads.bar(15_000_000, -1));
    }
}
