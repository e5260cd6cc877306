package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.manifests.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Every pinned version is written in one place, so that one edit changes it. */
@Tag("unit")
class PinsTest {
    /** The text of every file of the demo, by its path; without the tests. */
    private static Map<String, String> product() throws IOException {
        Map<String, String> texts = new TreeMap<>();
        try (Stream<Path> files = Files.walk(Shell.PROJECT)) {
            for (Path file : files.toList()) {
                String path = Shell.PROJECT.relativize(file).toString();
                if (path.matches("[^/]+\\.java|lib/(?!test/).+\\.(java|sh|html)|manifests/.*\\.yaml"))
                    texts.put(path, Files.readString(file));
            }
        }
        return texts;
    }

    @Test void versionsAreDefinedOnce() throws IOException {
        String kubernetes = Version.first(Versions.NODE_IMAGE).toString();
        Map<String, String> product = product();
        for (String line : product.get("lib/Lib.java").lines().filter(l -> l.startsWith("//SOURCES ")).toList())
            assertTrue(product.containsKey(line.replace("//SOURCES ", "lib/")), line + " is not read");
        for (String path : Manifests.ALL)
            assertTrue(product.containsKey("manifests/" + path), path + " is not read");
        for (String pin : List.of(Versions.ISTIO, Versions.KIND, kubernetes, Versions.METALLB, Versions.VAULT,
                Versions.CERT_MANAGER, Versions.ISTIO_CSR)) {
            Pattern written = Pattern.compile("(?<![\\d.])" + Pattern.quote(pin) + "(?![\\d.]*\\d)");
            List<String> places = new ArrayList<>();
            product.forEach((path, text) -> written.matcher(text).results().forEach(_ -> places.add(path)));
            assertEquals(List.of("lib/fetch/Versions.java"), places, pin);
        }
    }

    @Test void everyImageHasOneTag() throws IOException {
        Map<String, Set<String>> tags = new TreeMap<>();
        Pattern image = Pattern.compile("image: (\\S+/\\S+):([\\w.-]+)");
        product().forEach((_, text) -> image.matcher(text).results()
                .forEach(m -> tags.computeIfAbsent(m.group(1), _ -> new TreeSet<>()).add(m.group(2))));
        assertTrue(tags.containsKey("docker.io/curlimages/curl"), "no images were found: " + tags);
        tags.forEach((name, several) -> assertEquals(1, several.size(), name + several));
    }

    @Test void everyLibraryHasOneVersion() throws IOException {
        Map<String, Set<String>> versions = new TreeMap<>();
        String contributing = Files.readString(Shell.PROJECT.resolve("CONTRIBUTING.md"));
        for (String source : List.of("lib/Lib.java", "lib/test/Tests.java")) {
            for (String line : Files.readAllLines(Shell.PROJECT.resolve(source))) {
                if (!line.startsWith("//DEPS ")) continue;
                String[] parts = line.substring("//DEPS ".length()).split(":");
                // a library without a version has that of its BOM
                if (parts.length > 2) versions.computeIfAbsent(parts[0], _ -> new TreeSet<>()).add(parts[2]);
                assertTrue(contributing.contains("| `%s:%s` |".formatted(parts[0], parts[1])), line);
            }
        }
        assertFalse(versions.isEmpty());
        versions.forEach((group, several) -> assertEquals(1, several.size(), group + several));
    }
}
