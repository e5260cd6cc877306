package lib.cli;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.test.*;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Creates, verifies, updates and removes the demo while its processes cannot reach the Docker network, as on macOS and
 * Windows, where that network is inside a virtual machine. They run with their own group ID, and the kernel rejects
 * their packets to the network. Other processes are not affected; Docker still forwards the published ports.
 */
@Tag("long")
class UnreachableNetworkTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final String AS_GROUP = "setpriv --regid 54321 --keep-groups ";
    private static final String RULE = """
            table inet kind_demo_test {
              chain output {
                type filter hook output priority 0;
                meta skgid 54321 ip daddr %s counter reject
              }
            }""";

    @BeforeAll static void block() {
        assumeTrue(Shell.run("nft list tables && setpriv --version").exitCode() == 0, "needs root, nft and setpriv");
        succeeds("docker network inspect kind > /dev/null || docker network create kind");
        unblock();
        succeeds("nft -f - <<'RULE'\n%s\nRULE".formatted(RULE.formatted(Shell.subnet())));
    }

    @AfterAll static void unblock() { Shell.run("nft delete table inet kind_demo_test"); }

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    private static boolean reaches(String prefix) {
        return Shell.run(prefix
                + "curl -sk --max-time 3 https://$(docker inspect --format "
                + "'{{.NetworkSettings.Networks.kind.IPAddress}}' so1-control-plane):6443/version").exitCode() == 0;
    }

    /** The number of packets that the rule has rejected. */
    private static long rejected() {
        String counter = succeeds("nft list table inet kind_demo_test").out();
        Matcher packets = Pattern.compile("packets (\\d+)").matcher(counter);
        assertTrue(packets.find(), counter);
        return Long.parseLong(packets.group(1));
    }

    @Test void noCommandUsesAddressesOfTheDockerNetwork() {
        succeeds(AS_GROUP + "jbang KindDemo.java");
        assertTrue(succeeds(AS_GROUP + "jbang Verify.java").out().contains("The mesh works."));
        succeeds(AS_GROUP + "jbang KindDemo.java");
        succeeds(AS_GROUP + "jbang Verify.java --experiments ingress,failover");
        assertEquals(0, rejected(), "a process sent packets to the Docker network");
        assertFalse(reaches(AS_GROUP), "the rule rejects nothing");
        assertTrue(rejected() > 0);
        succeeds(AS_GROUP + "jbang Teardown.java");
    }
}
