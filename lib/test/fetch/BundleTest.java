package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import lib.istio.*;
import lib.kind.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The checks before a bundle is used or replaced. {@link OfflineTest} creates and uses a complete bundle. */
@Tag("unit")
class BundleTest {
    @TempDir Path folder;
    private Path bundle, cache;

    @BeforeEach void createBundle() throws IOException {
        bundle = Files.createDirectory(folder.resolve("demo"));
        cache = folder.resolve("cache");
        SortedMap<String, String> parts = new TreeMap<>();
        for (String part : List.of("kind", "istioctl", Versions.METALLB_MANIFEST.file(), "images.tar.gz")) {
            Files.writeString(bundle.resolve(part), "this is " + part).toFile()
                    .setExecutable(part.matches("kind|istioctl"));
            parts.put(part, Downloads.sha256(bundle.resolve(part)));
        }
        index(Versions.all(Versions.ISTIO), "" + Platform.current(), parts);
    }

    private void index(Map<String, String> versions, String platform, SortedMap<String, String> parts)
            throws IOException {
        new ObjectMapper().writeValue(bundle.resolve("index.json").toFile(), new Bundle.Index(Bundle.FORMAT, versions,
                platform, "kindest/node:v1.2.3", new TreeMap<>(Map.of("an/image:1", "sha256:1")), parts));
    }

    private Path archive() throws IOException {
        Path archive = folder.resolve("demo.tar.gz");
        Shell.succeeds("tar -czf '%s' -C '%s' .".formatted(archive, bundle));
        return archive;
    }

    private Binary program(Binary.Requirement known) {
        return new Binary(known, new Downloads(Optional.empty(), cache, Optional.empty(), true, new Console(false)),
                cache, new Console(false));
    }

    private static Bundle bundle(Path path) { return new Bundle(path, Versions.ISTIO, new Console(false)); }

    private Bundle open(Path path) {
        return bundle(path).open(cache, program(Kind.BINARY), program(Istioctl.binary(Versions.ISTIO)));
    }

    private void refused(Path path, String words) {
        Problem problem = assertThrows(Problem.class, () -> open(path));
        assertTrue(problem.getMessage().contains(words), problem.getMessage());
        assertEquals(Problem.UNMET, problem.exitCode());
        assertFalse(Files.exists(Kind.BINARY.installed(cache)), "nothing may be copied");
    }

    @Test void copiesThePartsIntoTheCache() throws IOException {
        for (Path path : List.of(bundle, archive())) {
            Bundle open = open(path);
            assertEquals(Set.of("an/image:1"), open.images());
            assertEquals("kindest/node:v1.2.3", open.nodeImage());
            assertEquals("this is kind", Files.readString(Kind.BINARY.installed(cache)));
            assertTrue(Files.isExecutable(Istioctl.binary(Versions.ISTIO).installed(cache)));
            assertTrue(Files.exists(cache.resolve(Versions.METALLB_MANIFEST.file())));
            try (Stream<Path> left = Files.list(cache)) {
                assertEquals(3, left.count(), "temporary files are removed");
            }
            AppDirs.remove(cache);
        }
    }

    @Test void refusesADamagedPart() throws IOException {
        Files.writeString(bundle.resolve("kind"), "that was kind");
        refused(bundle, "kind in " + bundle + " has the wrong checksum");
        refused(archive(), "has the wrong checksum");
        Files.delete(bundle.resolve("kind"));
        refused(bundle, "SHA-256 none");
    }

    @Test void refusesAPartThatTheIndexDoesNotList() throws IOException {
        index(Versions.all(Versions.ISTIO), "" + Platform.current(), new TreeMap<>());
        refused(bundle, "kind in " + bundle + " has the wrong checksum");
    }

    @Test void refusesABundleForAnotherPlatform() throws IOException {
        index(Versions.all(Versions.ISTIO), "darwin-arm64", new TreeMap<>());
        refused(bundle, "is for darwin-arm64; this machine is " + Platform.current());
    }

    @Test void refusesOtherVersions() throws IOException {
        Map<String, String> versions = new TreeMap<>(Versions.all(Versions.ISTIO));
        versions.put("istio", "1.2.3");
        index(versions, "" + Platform.current(), new TreeMap<>());
        refused(bundle, "has other versions than the scripts: it has {istio=1.2.3");
    }

    @Test void refusesOtherFilesAndFolders() throws IOException {
        assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> open(folder.resolve("none.tar.gz"))).exitCode());
        Files.writeString(bundle.resolve("index.json"), "{\"something\": \"else\"}");
        refused(bundle, "is not a bundle of this demo");
        Files.delete(bundle.resolve("index.json"));
        refused(bundle, "is not a bundle of this demo");
        refused(archive(), "is not a bundle of this demo");
        refused(Files.writeString(folder.resolve("text.tar.gz"), "just text"), "is damaged or not an archive");
    }

    @Test void refusesATruncatedArchive() throws IOException {
        byte[] whole = Files.readAllBytes(archive());
        for (int length : List.of(0, 10, whole.length / 2, whole.length - 5))
            refused(Files.write(folder.resolve("cut.tar.gz"), Arrays.copyOf(whole, length)), "cut.tar.gz is");
    }

    private static void checkTarget(Path path) throws IOException {
        new BundleMaker(path, Probe.demo()).checkTarget();
    }

    /** The names and checksums of all files below the test's folder. */
    private Map<String, String> everything() throws IOException {
        Map<String, String> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList())
                all.put("" + folder.relativize(file), Downloads.sha256(file));
        }
        return all;
    }

    @Test void replacesOnlyEarlierBundles() throws IOException {
        checkTarget(folder.resolve("new.tar.gz"));
        checkTarget(bundle); // an earlier bundle may be replaced
        checkTarget(archive());
        checkTarget(Files.createDirectory(folder.resolve("empty")));
        Files.createDirectory(folder.resolve("dir.tar.gz"));
        Files.writeString(Files.createDirectory(folder.resolve("mine")).resolve("file"), "");
        for (String wrong : List.of("demo.zip", "demo.tar", "dir.tar.gz", "mine", "no/such/folder"))
            assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> checkTarget(folder.resolve(wrong)), wrong)
                    .exitCode());
        assertEquals(Problem.USAGE, assertThrows(Problem.class, () -> checkTarget(Path.of("/"))).exitCode());
    }

    /** A website, an OCI layout, a bundle without the marker, and other archives and links are refused and kept. */
    @Test void replacesOnlyFoldersWithTheMarker() throws IOException {
        Files.writeString(Files.createDirectory(folder.resolve("website")).resolve("index.json"),
                "{\"posts\": [1, 2]}");
        Files.writeString(Files.createDirectory(folder.resolve("oci")).resolve("index.json"),
                "{\"schemaVersion\": 2, \"manifests\": [{\"digest\": \"sha256:1\"}]}");
        Files.writeString(Files.createDirectory(folder.resolve("alike")).resolve("index.json"),
                Files.readString(bundle.resolve("index.json")).replace(Bundle.FORMAT, "somebody's/1"));
        Files.writeString(Files.createDirectory(folder.resolve("later")).resolve("index.json"),
                Files.readString(bundle.resolve("index.json")).replace(Bundle.FORMAT, "kind-demo-bundle/3"));
        Files.createSymbolicLink(folder.resolve("link"), bundle);
        Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("nowhere"));
        Files.writeString(folder.resolve("text.tar.gz"), "just text");
        Files.writeString(folder.resolve("empty.tar.gz"), "");
        Files.write(folder.resolve("cut.tar.gz"), Arrays.copyOf(Files.readAllBytes(archive()), 100));
        Files.move(bundle.resolve("index.json"), folder.resolve("index.json"));
        Files.move(archive(), folder.resolve("other.tar.gz"));
        Map<String, String> before = everything();
        for (String wrong : List.of("website", "oci", "alike", "later", "link", "dangling", "text.tar.gz",
                "empty.tar.gz", "cut.tar.gz", "other.tar.gz")) {
            Problem problem = assertThrows(Problem.class, () -> checkTarget(folder.resolve(wrong)), wrong);
            assertEquals(Problem.USAGE, problem.exitCode());
            assertTrue(problem.getMessage().contains(wrong + " exists and is not a bundle of this demo"),
                    problem.getMessage());
        }
        assertEquals(before, everything());
    }

    @Test void keepsABundleWithOtherFiles() throws IOException {
        Files.writeString(bundle.resolve("notes.txt"), "mine");
        Problem problem = assertThrows(Problem.class, () -> checkTarget(bundle));
        assertTrue(problem.getMessage().endsWith("notes.txt"), problem.getMessage());
        assertTrue(Files.exists(bundle.resolve("notes.txt")));
    }

    @Test void keepsAForeignPartFolder() throws IOException {
        Path part = Files.createDirectory(folder.resolve("new.tar.gz.part"));
        for (String file : List.of("", "file", "index.json")) {
            if (!file.isEmpty()) Files.writeString(part.resolve(file), "mine");
            Map<String, String> before = everything();
            Problem problem = assertThrows(Problem.class, () -> checkTarget(folder.resolve("new.tar.gz")));
            assertTrue(problem.getMessage().contains("new.tar.gz.part exists and is not an unfinished bundle"),
                    problem.getMessage());
            assertEquals(before, everything());
        }
        // as an interrupted run leaves it
        Files.copy(bundle.resolve("index.json"), part.resolve("index.json"), StandardCopyOption.REPLACE_EXISTING);
        checkTarget(folder.resolve("new.tar.gz"));
    }
}
