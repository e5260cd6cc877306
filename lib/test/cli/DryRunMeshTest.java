package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The mesh made by the commands that KindDemo --dry-run prints, and by nothing else. */
@Tag("long")
class DryRunMeshTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    @TempDir Path folder;

    @Test void thePrintedCommandsMakeTheMesh() throws IOException {
        String assets = System.getenv("KIND_DEMO_ASSETS"), upstream = Versions.METALLB_MANIFEST.url();
        String commands = demo.succeeds("jbang KindDemo.java --dry-run").out();
        assertTrue(commands.contains(" -f " + upstream), "upstream's file is named by its address");
        if (assets != null) commands = commands.replace(upstream, Path.of(assets, Versions.METALLB_MANIFEST.file()).toString());
        Path script = Files.writeString(folder.resolve("demo.sh"), commands);
        try {
            Shell.Result made = demo.succeeds("cd '%s' && bash %s".formatted(folder, script));
            System.out.println("the printed commands: %d s\n%s".formatted(made.took().toSeconds(), made.out()));
            assertTrue(demo.succeeds("jbang Verify.java --wait 60 --contexts kind-so1,kind-so2").out().contains("The mesh works."));
        } finally {
            demo.run("kind delete clusters so1 so2");
        }
    }
}
