package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.kind.*;
import lib.test.*;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Two demos with one cluster each: both have their own ports and addresses, and one outlives the other. */
@Tag("long")
class SideBySideTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final String SECOND = " --name-prefix demo2";
    @TempDir static Path folder;

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @BeforeAll static void nothingOfTheseNames() {
        assertEquals("", nodes(), "remove these demos first");
    }

    @AfterAll static void down() { DEMO.run("jbang Teardown.java" + SECOND); }

    /** The nodes of both demos. */
    private static String nodes() {
        return Shell.run("docker ps --all --quiet --filter name=so1-control-plane --filter name=demo21-control-plane")
                .out();
    }

    private static boolean answers(String address) {
        return succeeds("curl -sS --max-time 10 --retry 5 --retry-all-errors http://%s/hello".formatted(address)).out()
                .startsWith("Hello version");
    }

    /** The addresses of a cluster's LoadBalancer services. */
    private static String addresses(String context) {
        return succeeds("kubectl --context %s get services -n istio-system -o jsonpath='%s'".formatted(context,
                "{.items[*].status.loadBalancer.ingress[0].ip}")).out().strip();
    }

    private static List<AddressRange> ranges(String context) {
        String ranges = succeeds("kubectl --context %s get ipaddresspools -n metallb-system -o jsonpath='%s'"
                .formatted(context, "{.items[*].spec.addresses[*]}")).out();
        return Arrays.stream(ranges.strip().split(" ")).map(AddressRange::parse).toList();
    }

    @Test void bothAnswerAndOneOutlivesTheOther() throws IOException {
        Path manifests = folder.resolve("manifests"), cluster = manifests.resolve("kind/cluster.yaml");
        succeeds("jbang KindDemo.java --export-manifests " + manifests);
        Files.writeString(cluster, Files.readString(cluster)
                .replace("hostPort: ${HTTP_PORT}", "hostPort: 3401${INDEX}"));
        try (ServerSocket _ = new ServerSocket(32011, 50, InetAddress.getByName("127.0.0.1"))) {
            Shell.Result first = succeeds("jbang KindDemo.java --clusters 1 --manifests " + manifests);
            assertTrue(first.out().contains("http://localhost:34011/hello"), first.out());
        }
        Shell.Result second = succeeds(Docs.command("--name-prefix demo2 --clusters 1"));
        System.out.println("the second demo: %d s%n%s".formatted(second.took().toSeconds(), second.out()));
        assertTrue(second.out().contains("http://localhost:32111/hello"), second.out());
        String preflight = succeeds("jbang Verify.java --preflight" + SECOND).out();
        System.out.println(preflight);

        assertTrue(succeeds("jbang Verify.java").out().contains("The mesh works."));
        assertTrue(succeeds(Docs.command("jbang Verify.java --name-prefix demo2")).out().contains("The mesh works."));
        assertTrue(answers("localhost:34011") && answers("localhost:32111"));
        for (AddressRange range : ranges("kind-so1"))
            assertTrue(ranges("kind-demo21").stream().noneMatch(range::overlaps), "" + range);
        String so1 = addresses("kind-so1"), demo21 = addresses("kind-demo21");
        assertTrue(Collections.disjoint(List.of(so1.split(" ")), List.of(demo21.split(" "))), so1 + " and " + demo21);
        System.out.println("addresses: %s and %s".formatted(so1, demo21));

        assertTrue(succeeds("jbang KindDemo.java" + SECOND).out().contains("http://localhost:32111/hello"),
                "the second demo keeps its ports");
        Shell.run("docker stop so1-control-plane");
        Shell.Result third = DEMO.run("jbang Verify.java --preflight --name-prefix demo3");
        assertTrue(third.out().contains("✓ ports: 6 free"), third.all());
        succeeds("jbang Teardown.java");
        assertTrue(answers("localhost:32111"));
        assertTrue(succeeds("jbang Verify.java" + SECOND).out().contains("The mesh works."));
        succeeds(Docs.command("jbang Teardown.java --name-prefix demo2"));
        assertEquals("", nodes());
    }
}
