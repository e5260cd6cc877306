package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.observe.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Ambient meshes with other options. Each test has its own demo. */
@Tag("long")
class AmbientVariantsTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();

    @BeforeAll static void requireZtunnel() { Probe.requireZtunnel(); }

    private String verified(String options) {
        Shell.Result created = demo.succeeds("jbang KindDemo.java --dataplane ambient " + options);
        System.out.printf("ambient %s: %d s%n", options, created.took().toSeconds());
        return demo.succeeds("jbang Verify.java --wait 60").out();
    }

    /** The resources that an experiment could leave behind. */
    private String made() {
        return Stream.of("so1", "so2").map(c -> demo.succeeds(("kubectl --context kind-%s get deployments,services,"
                + "gateways.gateway.networking.k8s.io,destinationrules -A -o custom-columns=KIND:.kind,"
                + "NS:.metadata.namespace,NAME:.metadata.name,REPLICAS:.spec.replicas,"
                + "DISTRIBUTION:.spec.trafficDistribution").formatted(c)).out()).collect(Collectors.joining());
    }

    private List<String> experiments() throws IOException {
        String before = made();
        Shell.Result all = demo.succeeds("jbang Verify.java --experiments -o json");
        System.out.println("All experiments, ambient: " + all.took().toSeconds() + " s\n" + all.err());
        JsonNode experiments = new ObjectMapper().readTree(all.out()).path("experiments");
        assertEquals(List.of("failover", "gateway-down", "control-plane-down", "locality", "ingress", "ztunnel-down",
                "waypoint-down"), experiments.findValuesAsText("name"));
        assertEquals(before, made());
        return experiments.findValuesAsText("status");
    }

    @Test void everyExperimentWithAndWithoutWaypoints() throws IOException {
        verified("");
        assertEquals(List.of("PASSED", "PASSED", "PASSED", "PASSED", "PASSED", "PASSED", "SKIPPED"), experiments());
        demo.succeeds("jbang KindDemo.java --waypoints");
        assertEquals(Set.of("PASSED"), Set.copyOf(experiments()));
        demo.succeeds("jbang KindDemo.java --no-waypoints");
        String answer = demo.succeeds(Docs.command("-D - -o /dev/null")).out();
        assertFalse(answer.contains("x-waypoint"), answer);
    }

    @Test void withoutTheLocalityRuleAndWithSwappedAddresses() {
        verified("");
        Shell.Result without = demo.succeeds("jbang KindDemo.java --no-locality");
        assertTrue(without.err().contains("Changed: so1: Service helloworld, so2: Service helloworld\n"),
                without.err());
        Shell.Result verify = demo.succeeds("jbang Verify.java");
        assertTrue(verify.out().matches("(?s).*so1: responding-clusters: \\{so1=\\d+, so2=\\d+} of 40.*"),
                verify.out());
        Shell.swapAddresses();
        Shell.Result repaired = demo.succeeds("jbang KindDemo.java");
        System.out.println("KindDemo, ambient, after addresses swapped: " + repaired.took().toSeconds() + " s");
        demo.succeeds("jbang Verify.java --wait 60");
    }

    /** The metrics are ztunnel's own: no stand-in is applied. */
    @Test void prometheusAndKiali() throws IOException {
        var observed = new ObservedDemo(demo);
        observed.install("jbang KindDemo.java --dataplane ambient --no-locality --observe");
        observed.readsEveryPodOfBothClusters();
        assertTrue(observed.await("PASSED", "both-reporters", "so1").path("message").asText()
                .contains("istio-so1 → istio-so2"));
    }

    @Test void threeClusters() {
        String verify = verified("--clusters 3");
        assertTrue(verify.contains("(gateway of network2, 2 instances), ")
                && verify.contains("(gateway of network3, 2 instances)"), verify);
    }

    /** Requests between pods pass through two ztunnels, on different nodes. */
    @Test void aWorkerInEachCluster() { verified("--workers 1"); }

    @Test void vault() { assertTrue(verified("--ca vault").contains("same-root: CN=sample.mesh")); }

    /** The mesh recovers without KindDemo if Docker assigns the same addresses to the nodes again. */
    @Test void aRestartedNode() {
        verified("");
        Instant start = Instant.now();
        demo.succeeds("docker restart so1-control-plane");
        demo.succeeds("jbang Verify.java --wait 120");
        System.out.printf("a restarted node: recovered after %d s%n", Duration.between(start, Instant.now())
                .toSeconds());
    }

    @Test void aSettingOfIstioAndABundle() throws Exception {
        String verify = verified("--istio-set values.ztunnel.logLevel=debug");
        assertTrue(verify.contains("The mesh works."), verify);
        assertTrue(demo.succeeds("kubectl --context kind-so1 get daemonset ztunnel -n istio-system -o yaml").out()
                .contains("debug"));
        Path bundle = demo.folder().resolve("ambient");
        try (Mirror upstream = Upstream.ofThisMachine()) {
            demo.succeeds("KIND_DEMO_MIRROR=%s jbang KindDemo.java --bundle %s".formatted(upstream.address(), bundle));
        }
        // with an empty cache, and without a folder of downloaded files
        Path cache = demo.folder().resolve("cache");
        Shell.Result offline = demo.succeeds(
                "env -u KIND_DEMO_ASSETS XDG_CACHE_HOME=%s jbang KindDemo.java --offline %s".formatted(cache, bundle));
        assertTrue(offline.err().contains("Nothing had to be changed."), offline.err());
    }
}
