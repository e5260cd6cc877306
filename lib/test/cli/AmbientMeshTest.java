package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/** An ambient mesh on real clusters, with the commands of docs/ambient.md. All tests use one demo, in order. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class AmbientMeshTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @BeforeAll static void requireZtunnel() { Probe.requireZtunnel(); }

    @Test @Order(1) void createsTheMesh() {
        succeeds("jbang build KindDemo.java");
        Shell.Result demo = succeeds(Docs.command("jbang KindDemo.java --dataplane ambient") + " --timings");
        System.out.println("KindDemo, ambient: " + demo.took().toSeconds() + " s\n" + demo.out());
        assertTrue(demo.err().contains("✓ so1: ztunnel"), demo.err());
        String containers = succeeds("kubectl --context kind-so1 get pods -n sample -o "
                + "jsonpath='{.items[*].spec.containers[*].name} {.items[*].spec.initContainers[*].name}'").out();
        assertFalse(containers.contains("istio-proxy"), containers);
    }

    @Test @Order(2) void verifyPasses() {
        Shell.Result verify = succeeds("jbang Verify.java");
        System.out.println("Verify, ambient: " + verify.took().toMillis() + " ms");
        for (String words : List.of("same-root", "so1: responding-clusters: {so1=40} of 40",
                "so2: responding-clusters: {so2=40} of 40", "(gateway of network2, 2 instances)",
                "so1: identity: spiffe://cluster.local/ns/sample/sa/sleep", "The mesh works."))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    @Test @Order(3) void aSecondRunChangesNothing() {
        Shell.Result again = succeeds("jbang KindDemo.java");
        System.out.println("KindDemo, ambient, everything is up: " + again.took().toMillis() + " ms");
        assertTrue(again.err().contains("Nothing had to be changed."), again.err());
    }

    @Test @Order(3) void refusesAnotherDataPlaneForARunningMesh() {
        Shell.Result refused = DEMO.run("jbang KindDemo.java --dataplane sidecar");
        assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
        assertTrue(refused.err().contains("the mesh has the data plane ambient, and a running mesh cannot change it")
                && refused.err().contains("jbang Teardown.java, then jbang KindDemo.java --dataplane sidecar"),
                refused.err());
    }

    /** The documented command shows the local pods and the gateway of the other network. */
    @Test @Order(4) void showsTheEndpointsOfTheClient() {
        List<String> endpoints = succeeds(Docs.command("ztunnel-config")).out().lines()
                .filter(line -> line.contains("helloworld")).toList();
        assertEquals(3, endpoints.size(), endpoints.toString());
        assertEquals(1, endpoints.stream().filter(e -> e.contains("network2/SplitHorizonWorkload")).count(),
                endpoints.toString());
    }

    @Test @Order(4) void theIngressAnswersRequestsFromThisMachine() {
        for (String port : List.of("32011", "32012"))
            assertTrue(succeeds("curl -s http://localhost:%s/hello".formatted(port)).out().startsWith("Hello version"));
    }

    /** Each answer names the cluster of its waypoint. */
    @Test @Order(5) void requestsPassThroughAWaypoint() {
        Shell.Result demo = succeeds(Docs.command("jbang KindDemo.java --waypoints"));
        System.out.println("KindDemo --waypoints: " + demo.took().toMillis() + " ms");
        String answer = succeeds(Docs.command("-D - -o /dev/null")).out();
        assertTrue(answer.contains("x-waypoint: so1"), answer);
    }

    /** AmbientVariantsTest runs all experiments. */
    @Test @Order(6) void twoExperimentsPass() throws IOException {
        Shell.Result two = succeeds("jbang Verify.java --experiments failover,ztunnel-down -o json");
        System.out.println("Two experiments, ambient: " + two.took().toSeconds() + " s\n" + two.err());
        assertEquals(List.of("PASSED", "PASSED"), new ObjectMapper().readTree(two.out())
                .path("experiments").findValuesAsText("status"));
    }

    @Test @Order(7) void reportsAServiceThatIsNotGlobal() {
        String label = "kubectl --context kind-so2 label service helloworld -n sample istio.io/global";
        succeeds(label + "-");
        Shell.Result verify = DEMO.run("jbang Verify.java --wait 2");
        assertEquals(Problem.FAILED, verify.exitCode(), verify.all());
        assertTrue(verify.out().contains("so2: global-service: the service helloworld has no label "
                + "istio.io/global=true"), verify.out());
        succeeds(label + "=true");
    }

    @Test @Order(8) void teardownLeavesNothing() {
        succeeds("jbang Teardown.java");
        assertEquals(DEMO.before(), OwnDemo.existing());
    }
}
