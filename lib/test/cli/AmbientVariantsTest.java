package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.test.*;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Ambient meshes with other options, each on a demo of its own. */
@Tag("long")
class AmbientVariantsTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();

    @BeforeAll static void requireZtunnel() { Probe.requireZtunnel(); }

    private String verified(String options) {
        Shell.Result created = demo.succeeds("jbang KindDemo.java --dataplane ambient " + options);
        System.out.printf("ambient %s: %d s%n", options, created.took().toSeconds());
        return demo.succeeds("jbang Verify.java --wait 60").out();
    }

    @Test void threeClusters() {
        String verify = verified("--clusters 3");
        assertTrue(verify.contains("(gateway of network2, 2 instances), ")
                && verify.contains("(gateway of network3, 2 instances)"), verify);
    }

    /** Requests between pods pass two ztunnels, on different nodes. */
    @Test void aWorkerInEachCluster() { verified("--workers 1"); }

    @Test void vault() { assertTrue(verified("--ca vault").contains("same-root: CN=sample.mesh")); }

    /** The mesh recovers without KindDemo when Docker gives the nodes their addresses again. */
    @Test void aRestartedNode() {
        verified("");
        Instant start = Instant.now();
        demo.succeeds("docker restart so1-control-plane");
        demo.succeeds("jbang Verify.java --wait 120");
        System.out.printf("a restarted node: whole again after %d s%n", Duration.between(start, Instant.now())
                .toSeconds());
    }

    @Test void aSettingOfIstioAndABundle() {
        String verify = verified("--istio-set values.ztunnel.logLevel=debug");
        assertTrue(verify.contains("The mesh works."), verify);
        assertTrue(demo.succeeds("kubectl --context kind-so1 get daemonset ztunnel -n istio-system -o yaml").out()
                .contains("debug"));
        Path bundle = demo.folder().resolve("ambient");
        demo.succeeds("jbang KindDemo.java --dataplane ambient --bundle " + bundle);
        // with an empty cache, and without the folder of a mirror
        Shell.Result offline = demo.succeeds("env -u KIND_DEMO_ASSETS XDG_CACHE_HOME=%s jbang KindDemo.java --offline %s"
                .formatted(demo.folder().resolve("cache"), bundle));
        assertTrue(offline.err().contains("Nothing had to be changed."), offline.err());
    }
}
