package lib.kind;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Nodes that were restarted, got other addresses, or were deleted: KindDemo mends the demo, and Verify passes. DemoTest has a short form. */
@Tag("long")
class RepairTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    private static final String BOTH = "so1-control-plane so2-control-plane";

    private Shell.Result succeeds(String command) { return demo.succeeds(command); }

    private String gateways() {
        return succeeds("for i in 1 2; do kubectl --context kind-so$i get service -n istio-system istio-eastwestgateway"
                + " -o jsonpath='{.status.loadBalancer.ingress[0].ip} '; done").out();
    }

    /** Runs KindDemo and Verify on what was broken, and tells how long both took. */
    private String mended(String what) {
        Shell.Result mended = succeeds("jbang KindDemo.java");
        Shell.Result verify = succeeds("jbang Verify.java --wait 60");
        System.out.printf("%s: mended in %d s, verified in %d s%n", what, mended.took().toSeconds(), verify.took().toSeconds());
        return mended.err();
    }

    private void up(String options) { succeeds("jbang KindDemo.java " + options); }

    /** What an engine's restart does to the nodes, and worse: they come up in the other order. */
    @Test void swappedAddressesThenADeletedControlPlane() {
        up("");
        String gatewaysBefore = gateways();
        Shell.swapAddresses();
        mended("swapped addresses");
        assertEquals(gatewaysBefore, gateways());

        succeeds("docker rm --force --volumes so2-control-plane");
        Shell.Result verify = demo.run("jbang Verify.java --wait 0");
        assertEquals(Problem.FAILED, verify.exitCode(), verify.all());
        assertTrue(verify.out().contains("so2: reachable: its container so2-control-plane is gone"), verify.out());
        String said = mended("a deleted control plane");
        assertTrue(said.contains("so2: the container of its control plane is gone, and all that was in it; it is made anew"), said);
    }

    @Test void restartedAndStoppedNodes() {
        up("");
        succeeds("docker restart " + BOTH);
        mended("restarted nodes");
        succeeds("docker stop " + BOTH);
        mended("stopped nodes");
    }

    @Test void aDeletedWorker() {
        up("--workers 2");
        succeeds("docker rm --force --volumes so1-worker2");
        Shell.Result asked = demo.run("jbang KindDemo.java --workers 2");
        assertEquals(Problem.UNMET, asked.exitCode(), asked.all());
        assertTrue(asked.err().contains("so1 has 1 workers, not 2"), asked.err());
        String said = mended("a deleted worker");
        assertTrue(said.contains("so1: the container of its node so1-worker2 is gone; the cluster goes on without it"), said);
    }

    /** Who takes an address that a gateway has gets it; the gateway moves, and no other does. Docker lets one choose on an own subnet. */
    @Test void aContainerAmidTheLoadBalancersAddresses() {
        succeeds("docker network create --subnet 10.213.0.0/16 amid");
        demo.environment.put("KIND_EXPERIMENTAL_DOCKER_NETWORK", "amid");
        try {
            up("");
            String[] before = gateways().split(" ");
            succeeds("docker run --detach --rm --name amid --network amid --ip %s --entrypoint sleep docker.io/curlimages/curl:8.16.0 600"
                    .formatted(before[0]));
            mended("a container with a gateway's address");
            String[] after = gateways().split(" ");
            assertNotEquals(before[0], after[0]);
            assertEquals(before[1], after[1]);
        } finally {
            demo.run("docker rm --force amid; jbang Teardown.java; docker network rm amid");
        }
    }
}
