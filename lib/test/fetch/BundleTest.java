package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import lib.istio.*;
import lib.kind.*;
import lib.run.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is looked at before a bundle is used; how one is made and used is {@link OfflineTest}'s. */
@Tag("unit")
class BundleTest {
    @TempDir Path folder;
    private Path bundle, cache;

    @BeforeEach void make() throws IOException {
        bundle = Files.createDirectory(folder.resolve("demo"));
        cache = folder.resolve("cache");
        SortedMap<String, String> parts = new TreeMap<>();
        for (String part : List.of("kind", "istioctl", Versions.METALLB_MANIFEST.file(), "images.tar.zst")) {
            Files.writeString(bundle.resolve(part), "this is " + part).toFile().setExecutable(part.matches("kind|istioctl"));
            parts.put(part, Downloads.sha256(bundle.resolve(part)));
        }
        index(Versions.all(Versions.ISTIO), "" + Platform.current(), parts);
    }

    private void index(Map<String, String> versions, String platform, SortedMap<String, String> parts) throws IOException {
        new ObjectMapper().writeValue(bundle.resolve("index.json").toFile(), new Bundle.Index(Bundle.FORMAT, versions, platform, "kindest/node:v1.2.3",
                new TreeMap<>(Map.of("an/image:1", "sha256:1")), parts));
    }

    private Path archive() throws IOException {
        Path archive = folder.resolve("demo.tar.zst");
        try (var out = new ZstdOutputStream(Files.newOutputStream(archive))) {
            new ExternalCommand("tar", "", new Console(false)).into(Duration.ofSeconds(10), out, "-c", "-C", bundle.toString(), ".");
        }
        return archive;
    }

    private Binary program(Binary.Requirement known) {
        return new Binary(known, new Downloads(Optional.empty(), cache, Optional.empty(), true, new Console(false)), cache, new Console(false));
    }

    private static Bundle bundle(Path path) { return new Bundle(path, Versions.ISTIO, new Console(false)); }

    private Bundle open(Path path) { return bundle(path).open(cache, program(Kind.BINARY), program(Istioctl.binary(Versions.ISTIO))); }

    private void refused(Path path, String words) {
        Problem problem = assertThrows(Problem.class, () -> open(path));
        assertTrue(problem.getMessage().contains(words), problem.getMessage());
        assertEquals(Problem.UNMET, problem.exitCode());
        assertFalse(Files.exists(Kind.BINARY.installed(cache)), "nothing is taken");
    }

    @Test void itsPartsGoWhereTheyWouldBeFetchedTo() throws IOException {
        for (Path path : List.of(bundle, archive())) {
            Bundle open = open(path);
            assertEquals(Set.of("an/image:1"), open.images());
            assertEquals("kindest/node:v1.2.3", open.nodeImage());
            assertEquals("this is kind", Files.readString(Kind.BINARY.installed(cache)));
            assertTrue(Files.isExecutable(Istioctl.binary(Versions.ISTIO).installed(cache)));
            assertTrue(Files.exists(cache.resolve(Versions.METALLB_MANIFEST.file())));
            try (Stream<Path> left = Files.list(cache)) {
                assertEquals(3, left.count(), "the rest is removed");
            }
            AppDirs.remove(cache);
        }
    }

    @Test void aDamagedPartIsRefused() throws IOException {
        Files.writeString(bundle.resolve("kind"), "that was kind");
        refused(bundle, "kind in " + bundle + " is not what its index says");
        refused(archive(), "is not what its index says");
        Files.delete(bundle.resolve("kind"));
        refused(bundle, "SHA-256 none");
    }

    @Test void aPartThatTheIndexDoesNotNameIsRefused() throws IOException {
        index(Versions.all(Versions.ISTIO), "" + Platform.current(), new TreeMap<>());
        refused(bundle, "kind in " + bundle + " is not what its index says");
    }

    @Test void anotherMachinesIsRefused() throws IOException {
        index(Versions.all(Versions.ISTIO), "darwin-arm64", new TreeMap<>());
        refused(bundle, "is for darwin-arm64; this machine is " + Platform.current());
    }

    @Test void otherVersionsAreRefused() throws IOException {
        Map<String, String> versions = new TreeMap<>(Versions.all(Versions.ISTIO));
        versions.put("istio", "1.2.3");
        index(versions, "" + Platform.current(), new TreeMap<>());
        refused(bundle, "is for other scripts: it has {istio=1.2.3");
    }

    @Test void whatIsNoBundleIsRefused() throws IOException {
        assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> open(folder.resolve("none.tar.zst"))).exitCode());
        Files.writeString(bundle.resolve("index.json"), "{\"something\": \"else\"}");
        refused(bundle, "is no bundle of this demo");
        Files.delete(bundle.resolve("index.json"));
        refused(bundle, "is no bundle of this demo");
        refused(archive(), "is no bundle of this demo");
        refused(Files.writeString(folder.resolve("text.tar.zst"), "just text"), "is damaged, or is no archive");
    }

    @Test void anArchiveThatWasCutIsRefused() throws IOException {
        byte[] whole = Files.readAllBytes(archive());
        for (int length : List.of(0, 10, whole.length / 2, whole.length - 5))
            refused(Files.write(folder.resolve("cut.tar.zst"), Arrays.copyOf(whole, length)), "cut.tar.zst is");
    }

    private static void checkTarget(Path path) throws IOException {
        Probe.demo().bundleMaker(path).checkTarget();
    }

    /** The names and contents of all files below the test's folder. */
    private Map<String, String> everything() throws IOException {
        Map<String, String> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) all.put("" + folder.relativize(file), Downloads.sha256(file));
        }
        return all;
    }

    @Test void itIsMadeWhereNothingElseIs() throws IOException {
        checkTarget(folder.resolve("new.tar.zst"));
        checkTarget(bundle); // an earlier one is replaced
        checkTarget(archive());
        checkTarget(Files.createDirectory(folder.resolve("empty")));
        Files.createDirectory(folder.resolve("dir.tar.zst"));
        Files.writeString(Files.createDirectory(folder.resolve("mine")).resolve("file"), "");
        for (String wrong : List.of("demo.zip", "demo.tar", "dir.tar.zst", "mine", "no/such/folder"))
            assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> checkTarget(folder.resolve(wrong)), wrong).exitCode());
        assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> checkTarget(Path.of("/"))).exitCode());
    }

    /** A website, an OCI layout, a bundle without the marker, any other archive or link: refused, and untouched. */
    @Test void replacesNothingWithoutTheMarker() throws IOException {
        Files.writeString(Files.createDirectory(folder.resolve("website")).resolve("index.json"), "{\"posts\": [1, 2]}");
        Files.writeString(Files.createDirectory(folder.resolve("oci")).resolve("index.json"),
                "{\"schemaVersion\": 2, \"manifests\": [{\"digest\": \"sha256:1\"}]}");
        Files.writeString(Files.createDirectory(folder.resolve("alike")).resolve("index.json"),
                Files.readString(bundle.resolve("index.json")).replace(Bundle.FORMAT, "somebody's/1"));
        Files.writeString(Files.createDirectory(folder.resolve("later")).resolve("index.json"),
                Files.readString(bundle.resolve("index.json")).replace(Bundle.FORMAT, "kind-demo-bundle/2"));
        Files.createSymbolicLink(folder.resolve("link"), bundle);
        Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("nowhere"));
        Files.writeString(folder.resolve("text.tar.zst"), "just text");
        Files.writeString(folder.resolve("empty.tar.zst"), "");
        Files.write(folder.resolve("cut.tar.zst"), Arrays.copyOf(Files.readAllBytes(archive()), 100));
        Files.move(bundle.resolve("index.json"), folder.resolve("index.json"));
        Files.move(archive(), folder.resolve("other.tar.zst"));
        Map<String, String> before = everything();
        for (String wrong : List.of("website", "oci", "alike", "later", "link", "dangling", "text.tar.zst", "empty.tar.zst",
                "cut.tar.zst", "other.tar.zst")) {
            Problem problem = assertThrows(Problem.class, () -> checkTarget(folder.resolve(wrong)), wrong);
            assertEquals(Problem.USAGE, problem.exitCode());
            assertTrue(problem.getMessage().contains(wrong + " exists and is not a bundle of this demo"), problem.getMessage());
        }
        assertEquals(before, everything());
    }

    @Test void aBundleWithAFileOfTheUsersIsNotReplaced() throws IOException {
        Files.writeString(bundle.resolve("notes.txt"), "mine");
        Problem problem = assertThrows(Problem.class, () -> checkTarget(bundle));
        assertTrue(problem.getMessage().endsWith("notes.txt"), problem.getMessage());
        assertTrue(Files.exists(bundle.resolve("notes.txt")));
    }

    @Test void anotherPartFolderIsNotTouched() throws IOException {
        Path part = Files.createDirectory(folder.resolve("new.tar.zst.part"));
        for (String of : List.of("", "file", "index.json")) {
            if (!of.isEmpty()) Files.writeString(part.resolve(of), "mine");
            Map<String, String> before = everything();
            Problem problem = assertThrows(Problem.class, () -> checkTarget(folder.resolve("new.tar.zst")));
            assertTrue(problem.getMessage().contains("new.tar.zst.part exists and is not an unfinished bundle"), problem.getMessage());
            assertEquals(before, everything());
        }
        // what an interrupted run left is ours
        Files.copy(bundle.resolve("index.json"), part.resolve("index.json"), StandardCopyOption.REPLACE_EXISTING);
        checkTarget(folder.resolve("new.tar.zst"));
    }
}
