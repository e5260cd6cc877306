package lib.kind;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Nodes are restarted, get other addresses, or are deleted: KindDemo repairs the demo, and Verify passes. */
@Tag("long")
class RepairTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    private static final String BOTH = "so1-control-plane so2-control-plane";

    private Shell.Result succeeds(String command) { return demo.succeeds(command); }

    private String gateways() {
        return succeeds("for i in 1 2; do kubectl --context kind-so$i get service -n istio-system istio-eastwestgateway"
                + " -o jsonpath='{.status.loadBalancer.ingress[0].ip} '; done").out();
    }

    /** Runs KindDemo and Verify on a broken demo, and prints how long both took. */
    private String repaired(String fault) {
        Shell.Result repaired = succeeds("jbang KindDemo.java");
        Shell.Result verify = succeeds("jbang Verify.java --wait 60");
        System.out.printf("%s: repaired in %d s, verified in %d s%n", fault, repaired.took().toSeconds(),
                verify.took().toSeconds());
        return repaired.err();
    }

    private void up(String options) { succeeds("jbang KindDemo.java " + options); }

    /** As after a restart of Docker that starts the nodes in another order. */
    @Test void repairsSwappedAddressesAndADeletedControlPlane() {
        up("");
        String gatewaysBefore = gateways();
        Shell.swapAddresses();
        repaired("swapped addresses");
        assertEquals(gatewaysBefore, gateways());

        succeeds("docker rm --force --volumes so2-control-plane");
        Shell.Result verify = demo.run("jbang Verify.java --wait 0");
        assertEquals(Problem.FAILED, verify.exitCode(), verify.all());
        assertTrue(verify.out().contains("so2: reachable: the container so2-control-plane does not exist"),
                verify.out());
        String log = repaired("a deleted control plane");
        assertTrue(log.contains("so2: the container of its control plane was deleted, with everything in it; "
                + "the cluster is recreated"), log);
    }

    @Test void repairsRestartedAndStoppedNodes() {
        up("");
        succeeds("docker restart " + BOTH);
        repaired("restarted nodes");
        succeeds("docker stop " + BOTH);
        repaired("stopped nodes");
    }

    @Test void repairsADeletedWorker() {
        up("--workers 2");
        succeeds("docker rm --force --volumes so1-worker2");
        Shell.Result refused = demo.run("jbang KindDemo.java --workers 2");
        assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
        assertTrue(refused.err().contains("so1 has 1 workers, not 2"), refused.err());
        String log = repaired("a deleted worker");
        assertTrue(log.contains(
                "so1: the container of its node so1-worker2 was deleted; the cluster continues without it"), log);
    }

    /**
     * A container takes the address of a gateway; Docker allows this on a network with a configured subnet. Only that
     * gateway gets another address.
     */
    @Test void repairsAnAddressThatAContainerTook() {
        succeeds("docker network create --subnet 10.213.0.0/16 amid");
        demo.environment.put("KIND_EXPERIMENTAL_DOCKER_NETWORK", "amid");
        try {
            up("");
            String[] before = gateways().split(" ");
            succeeds(("docker run --detach --rm --name amid --network amid --ip %s --entrypoint sleep"
                    + " docker.io/curlimages/curl:8.16.0 600").formatted(before[0]));
            repaired("a container with a gateway's address");
            String[] after = gateways().split(" ");
            assertNotEquals(before[0], after[0]);
            assertEquals(before[1], after[1]);
        } finally {
            demo.run("docker rm --force amid; jbang Teardown.java; docker network rm amid");
        }
    }
}
