package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.observe.*;
import lib.test.*;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Creates the mesh with the commands that KindDemo --dry-run prints, and with nothing else. */
@Tag("long")
class DryRunMeshTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    @TempDir Path folder;

    @Test void thePrintedCommandsMakeTheMesh() throws IOException {
        printedCommandsMakeTheMesh("--dry-run >", List.of(Versions.METALLB_MANIFEST));
    }

    @Test void thePrintedCommandsMakeAnAmbientMesh() throws IOException {
        Probe.requireZtunnel();
        List<Release> upstream = new ArrayList<>(Versions.GATEWAY_API_CRDS);
        upstream.add(Versions.METALLB_MANIFEST);
        printedCommandsMakeTheMesh("--dataplane ambient --waypoints --dry-run >", upstream);
    }

    @Test void thePrintedCommandsInstallKiali() throws IOException {
        var observed = new ObservedDemo(demo);
        Assumptions.assumeTrue(observed.hasKiali(), "skipped: Docker has no image of Kiali");
        printedCommandsMakeTheMesh("--observe --dry-run >", List.of(Versions.METALLB_MANIFEST), observed::applyStandIn);
    }

    private void printedCommandsMakeTheMesh(String options, List<Release> upstream) throws IOException {
        printedCommandsMakeTheMesh(options, upstream, () -> {});
    }

    private void printedCommandsMakeTheMesh(String options, List<Release> upstream, Runnable afterwards)
            throws IOException {
        String assets = System.getenv("KIND_DEMO_ASSETS");
        Path script = folder.resolve("demo.sh");
        demo.succeeds(Docs.command("--dry-run > demo.sh").replace("--dry-run >", options)
                .replace("demo.sh", "" + script));
        String commands = Files.readString(script);
        for (Release file : upstream) {
            assertTrue(commands.contains(" -f " + file.url()), "the commands contain the URL of the upstream file");
            if (assets != null) commands = commands.replace(file.url(), Path.of(assets, file.file()).toString());
        }
        Files.writeString(script, commands);
        try {
            Shell.Result created = demo.succeeds("cd '%s' && %s".formatted(folder, Docs.command("bash demo.sh")));
            System.out.println("the printed commands: %d s\n%s".formatted(created.took().toSeconds(), created.out()));
            afterwards.run();
            assertTrue(demo.succeeds("jbang Verify.java --wait 60 --contexts kind-so1,kind-so2").out()
                    .contains("The mesh works."));
        } finally {
            demo.run("kind delete clusters so1 so2");
        }
    }
}
