package lib.observe;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Prometheus and Kiali on real clusters, with the commands of docs/observability.md. One demo serves all tests, in
 * order. DemoTest has the short form.
 */
@Tag("long")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ObservabilityTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final String SO1 = "kubectl --context kind-so1 ", SO2 = "kubectl --context kind-so2 ",
            OBSERVER = "kind-demo-observer", RENEW = "jbang KindDemo.java";
    private static final ObservedDemo OBSERVED = new ObservedDemo(DEMO);

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    private static void requireKiali() {
        Assumptions.assumeTrue(OBSERVED.hasKiali(), "skipped: Docker has no image of Kiali");
    }

    @Test @Order(1) void installsPrometheusAndKiali() throws IOException {
        succeeds("jbang build KindDemo.java");
        Shell.Result demo = OBSERVED.install(Docs.command("jbang KindDemo.java --observe") + " --timings");
        System.out.println("KindDemo --observe: " + demo.took().toSeconds() + " s\n" + demo.out());
        assertTrue(demo.out().stripTrailing().lines().toList().getLast().strip()
                .startsWith("http://localhost:32031/kiali/console/graph/namespaces?namespaces=sample"), demo.out());
    }

    @Test @Order(2) void readsEveryPodOfBothClusters() throws IOException { OBSERVED.readsEveryPodOfBothClusters(); }

    @Test @Order(3) void kialiKnowsBothClusters() throws IOException {
        requireKiali();
        Shell.Result verify = succeeds("jbang Verify.java");
        for (String words : List.of("so1: kiali-ready: kiali ready", "so1: page: http://localhost:32031/ answers",
                "so1: kiali-clusters: istio-so1, istio-so2", "The mesh works."))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    @Test @Order(4) void aPlainRunKeepsItAndChangesNothing() {
        Shell.Result again = succeeds("jbang KindDemo.java");
        assertTrue(again.err().contains("Nothing had to be changed.") && again.out().contains(":32031/"), again.all());
    }

    @Test @Order(5) void noTokenIsInTheLogOrTheDiagnostics() throws IOException {
        Path diagnostics = DEMO.folder().resolve("diagnostics");
        DEMO.run("jbang Verify.java --wait 0 --diagnostics " + diagnostics);
        Path log = DEMO.state().resolve("KindDemo.log");
        assertTrue(Files.exists(log), log.toString());
        for (String kubectl : List.of(SO1, SO2)) {
            String token = new String(Base64.getDecoder().decode(succeeds(kubectl + "get secret -n istio-system "
                    + OBSERVER + " -o jsonpath='{.data.token}'").out().strip()), StandardCharsets.US_ASCII);
            Path pattern = Files.writeString(DEMO.folder().resolve("token"), token);
            assertEquals("", DEMO.run("grep -rlFf %s %s %s".formatted(pattern, diagnostics, log)).out());
        }
    }

    private static void detects(String fault, String repair, String id, String cluster) throws IOException {
        succeeds(fault);
        try {
            JsonNode failed = OBSERVED.await("FAILED", id, cluster);
            assertFalse(failed.path("hint").asText().isBlank(), failed.toString());
        } finally {
            succeeds(repair);
        }
        OBSERVED.await("PASSED", id, cluster);
        OBSERVED.await("PASSED", "both-reporters", "so1");
    }

    @Test @Order(6) void aRevokedToken() throws IOException {
        detects(SO2 + "delete secret -n istio-system " + OBSERVER, RENEW, "observer-access", "so2");
    }

    @Test @Order(6) void prometheusScaledToZero() throws IOException {
        String scale = SO1 + "scale deployment -n istio-system prometheus --replicas ";
        detects(scale + 0, scale + 1, "prometheus-ready", "so1");
    }

    @Test @Order(7) void aRemovedRole() throws IOException {
        detects(SO2 + "delete clusterrolebinding " + OBSERVER, RENEW, "scraped", "so2");
    }

    @Test @Order(7) void anotherAddress() throws IOException {
        String jobs = SO1 + "get configmap -n istio-system prometheus-clusters -o json | sed 's|%s|%s|g' | " + SO1
                + "apply --server-side --force-conflicts --field-manager kind-demo -f -";
        detects("address=$(docker inspect so2-control-plane -f '{{.NetworkSettings.Networks.kind.IPAddress}}'); "
                + jobs.formatted("'$address'", "192.0.2.1"), RENEW, "observer-access", "so2");
    }

    /** Changes the scrape jobs, and restarts Prometheus with them. */
    private static String changedJobs(String change) {
        return "set -e\n" + change + "\n" + SO1 + "rollout restart deployment -n istio-system prometheus\n" + SO1
                + "rollout status deployment -n istio-system prometheus --timeout 60s";
    }

    @Test @Order(7) void aJobThatReadsAnotherCluster() throws IOException {
        String address = "$(docker inspect %s-control-plane -f '{{.NetworkSettings.Networks.kind.IPAddress}}')";
        String sed = "sed \"s|%s|%s|g; s|clusters/istio-so2|clusters/istio-so1|g\"".formatted(address.formatted("so2"),
                address.formatted("so1"));
        detects(changedJobs(SO1 + "get configmap -n istio-system prometheus-clusters -o yaml | " + sed + " | " + SO1
                + "replace -f -"), RENEW, "once", "so1");
    }

    /** so1 reports its requests to so2, and so2 is not read. */
    @Test @Order(7) void aClusterThatIsNotRead() throws IOException {
        succeeds("jbang KindDemo.java --no-locality");
        detects(changedJobs(SO1 + "patch configmap -n istio-system prometheus-clusters --type json -p "
                + "'[{\"op\": \"remove\", \"path\": \"/data/istio-so2.yml\"}]'"), RENEW, "both-reporters", "so1");
    }

    /** The client's proxy sends requests past the mesh, to a namespace that accepts plaintext. */
    @Test @Order(7) void requestsFromOutsideOfTheMesh() throws IOException {
        requireStandIn();
        succeeds("set -e\n%1$screate namespace other\n%1$slabel namespace other istio-injection=enabled\n"
                .formatted(SO1) + "sed 's/namespace: sample/namespace: other/' manifests/apps/helloworld.yaml | " + SO1
                + "apply -f -\n" + SO1 + "rollout status deployment -n other --timeout 60s");
        try {
            // the stand-in takes the source from this header
            succeeds(SO1 + "exec -n sample deploy/sleep -c istio-proxy -- curl -sS -f -m 60 --rate 1/s "
                    + "-H 'x-peer-workload: unknown' \"http://$(" + SO1 + "get pod -n other -l app=helloworld -o "
                    + "jsonpath='{.items[0].status.podIP}'):5000/hello?[1-25]\"");
            OBSERVED.await("WARNING", "unknown-source", "so1");
        } finally {
            succeeds(SO1 + "delete namespace other");
        }
    }

    /** Nothing has this address: the proxy answers with 503. */
    @Test @Order(7) void requestsToAnUnknownHost() throws IOException {
        requireStandIn();
        succeeds(SO1 + "exec -n sample deploy/sleep -c sleep -- curl -sS -m 30 -o /dev/null --rate 1/s "
                + "'http://198.51.100.7/?[1-25]'");
        OBSERVED.await("WARNING", "passthrough", "so1");
    }

    private static void requireStandIn() {
        Assumptions.assumeTrue(ObservedDemo.STATS_STAND_IN != null, "skipped: Envoy has Istio's own stats filter");
    }

    /** Only the name is wrong: Kiali shows no requests of such a cluster. */
    @Test @Order(7) void aWrongIdInKiali() throws IOException {
        requireKiali();
        String renamed = SO1 + "get secret -n istio-system kiali-multi-cluster-secret -o json | "
                + "sed 's|istio-so2|so2|g' | " + SO1 + "replace -f - && " + SO1
                + "rollout restart deployment -n istio-system kiali && " + SO1
                + "rollout status deployment -n istio-system kiali --timeout 60s";
        detects(renamed, RENEW, "kiali-clusters", "so1");
    }

    @Test @Order(7) void aStoppedKiali() throws IOException {
        requireKiali();
        String scale = SO1 + "scale deployment -n istio-system kiali --replicas ";
        detects(scale + 0, scale + 1, "kiali-ready", "so1");
        detects(SO1 + "patch service -n istio-system kiali -p '{\"spec\": {\"selector\": {\"app\": \"none\"}}}'", RENEW,
                "page", "so1");
    }

    @Test @Order(8) void failoverAppearsInTheMetrics() throws IOException {
        requireKiali(); // experiments need a mesh without a failed check
        Shell.Result failover = succeeds("jbang Verify.java --experiments failover -o json");
        JsonNode result = new ObjectMapper().readTree(failover.out()).path("experiments").get(0);
        System.out.println(result.path("metrics"));
        assertTrue(result.at("/metrics/metricsAppearSeconds").asDouble() > 0, result.toString());
        assertTrue(result.at("/metrics/metricsDisappearSeconds").asDouble() > 0, result.toString());
        JsonNode edge = null;
        for (JsonNode e : result.path("edges"))
            if (e.path("source").asText().equals("so1") && e.path("destination").asText().equals("so2")) edge = e;
        assertNotNull(edge, result.path("edges").toString());
        assertTrue(edge.findValues("perSecond").stream().anyMatch(rate -> rate.asDouble() > 1), edge.toString());
    }

    /** Kiali does not start as long as it cannot reach so2. */
    @Test @Order(8) void swappedAddresses() throws IOException {
        Shell.swapAddresses();
        Shell.Result repaired = succeeds(RENEW);
        System.out.println("KindDemo --observe after addresses swapped: " + repaired.took().toSeconds() + " s");
        OBSERVED.readsEveryPodOfBothClusters();
    }

    @Test @Order(9) void refusesAPortOfTheUser() {
        succeeds(Docs.command("jbang KindDemo.java --observe="));
        assertEquals("", succeeds(SO1 + "get deployments,services,secrets,configmaps -n istio-system -o name").out()
                .lines().filter(l -> l.matches(".*(prometheus|kiali|observer).*")).collect(Collectors.joining(" ")));
        assertEquals("sleep", succeeds(SO2 + "get deployment sleep -n sample -o "
                + "jsonpath='{.spec.template.spec.containers[*].name}'").out());
        succeeds(SO1 + "create service nodeport mine -n default --tcp 80 --node-port 32031");
        Shell.Result refused = DEMO.run("jbang KindDemo.java --observe");
        assertEquals(Problem.FAILED, refused.exitCode(), refused.all());
        assertTrue(refused.err().contains("the service mine in default uses the NodePort 32031, which Kiali needs"),
                refused.err());
    }

    @Test @Order(10) void teardownLeavesNothing() {
        succeeds("jbang Teardown.java");
        assertEquals(DEMO.before(), OwnDemo.existing());
    }

    /** The bundle was made without --observe, and Docker does not have the image either. */
    @Test @Order(11) void refusesABundleWithoutItsImages() throws Exception {
        Path bundle = DEMO.folder().resolve("bundle"), manifests = DEMO.folder().resolve("others");
        try (Mirror upstream = Upstream.ofThisMachine()) {
            succeeds("KIND_DEMO_MIRROR=%s jbang KindDemo.java --bundle %s".formatted(upstream.address(), bundle));
        }
        succeeds("jbang KindDemo.java --export-manifests " + manifests);
        succeeds("sed -i 's|kiali/kiali:|kiali/absent:|' %s/observability/kiali.yaml".formatted(manifests));
        Shell.Result refused = DEMO.run("jbang KindDemo.java --observe --offline %s --manifests %s"
                .formatted(bundle, manifests));
        System.out.println(refused.err());
        assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
        assertTrue(refused.err().contains("quay.io/kiali/absent"), refused.err());
        assertEquals(DEMO.before(), OwnDemo.existing());
    }
}
