package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.istio.*;
import lib.kind.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A machine without kind and istioctl, and a mirror of the upstream servers. */
class FetchTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    @TempDir Path folder;
    private Mirror upstream;

    @BeforeEach void start() throws Exception {
        upstream = Upstream.ofThisMachine();
        String path = Upstream.pathWithout(folder);
        assumeTrue(Shell.run("command -v kind || command -v istioctl", Map.of("PATH", path)).exitCode() != 0,
                "kind or istioctl is in a system folder");
        demo.environment.putAll(Shell.SAME_JBANG);
        demo.environment.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder.resolve("cache").toString(),
                "KIND_DEMO_MIRROR", "" + upstream.address()));
    }

    @AfterEach void stop() { upstream.close(); }

    private Shell.Result succeeds(String command) { return demo.succeeds(command); }

    private static Path in(Path cache, Binary.Requirement program) {
        return program.installed(cache.resolve("kind-demo"));
    }

    @Test @Tag("e2e") void preflightReportsDownloadsAndDownloadsNothing() {
        String preflight = succeeds("jbang Verify.java --preflight").out();
        String download = "✓ %s: %s will be downloaded from 127.0.0.1: %1$s was not found on PATH";
        assertTrue(preflight.contains(download.formatted("kind", "v" + Versions.KIND)), preflight);
        assertTrue(preflight.contains(download.formatted("istioctl", Versions.ISTIO)), preflight);
        assertTrue(upstream.requested.stream().allMatch(p -> p.contains(".sha256")), upstream.requested.toString());
        assertFalse(Files.exists(folder.resolve("cache")));
        String plan = succeeds("jbang KindDemo.java --dry-run").out();
        assertTrue(plan.contains("export PATH=%s:$PATH".formatted(in(folder.resolve("cache"), Kind.BINARY)
                .getParent())), plan);
        assertFalse(Files.exists(folder.resolve("cache")));
    }

    @Test @Tag("long") void demoRunsWithDownloadedPrograms() throws IOException {
        Path cache = folder.resolve("cache");
        Shell.Result created = succeeds(Docs.command("--mirror https")
                .replace("https://mirror.example.org", "" + upstream.address()) + " --verbose");
        for (var program : List.of(Kind.BINARY, Istioctl.binary(Versions.ISTIO))) {
            assertTrue(created.err().contains("✓ " + program.name())
                    && created.err().contains(in(cache, program) + " "), created.err());
            assertTrue(created.err().contains("as published in " + upstream.address()), created.err());
        }
        int requests = upstream.requested.size();
        upstream.close();
        assertTrue(succeeds("jbang Verify.java").out().contains("The mesh works."));
        succeeds("jbang KindDemo.java");
        assertEquals(requests, upstream.requested.size());
        try (Stream<Path> files = Files.walk(cache)) {
            assertEquals(List.of(), files.filter(f -> f.toString().matches(".*\\.(part|new)")).toList());
        }
    }
}
