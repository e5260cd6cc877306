package lib.experiments;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.test.*;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The long soak test. To repeat a run, set SOAK_MINUTES (default 30) and SOAK_SEED, which every run prints. Its short
 * form is in BreakageTest.
 */
@Tag("long")
class SoakTest {
    @RegisterExtension static final OwnDemo DEMO = OwnDemo.inTheUsersKubeconfig();

    /** SOAK_DATAPLANE: sidecar (default) or ambient. */
    private static final DataPlane DATA_PLANE = DataPlane.valueOf(Shell.variable("SOAK_DATAPLANE", "sidecar"));

    @BeforeAll static void up() { DEMO.succeeds("jbang KindDemo.java --dataplane " + DATA_PLANE); }

    @Test void survivesRandomKills() throws IOException {
        long minutes = Long.parseLong(Shell.variable("SOAK_MINUTES", "30"));
        long seed = Long.parseLong(Shell.variable("SOAK_SEED", "" + System.nanoTime() % 100_000));
        assertTrue(Soak.run(Duration.ofMinutes(minutes), seed, DATA_PLANE) < 0.01,
                "requests were lost while istiods were killed");
        Shell.succeeds("jbang Verify.java --wait 60");
    }
}
