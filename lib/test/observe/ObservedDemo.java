package lib.observe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import module java.base;
import lib.cli.*;
import lib.manifests.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Installs Prometheus and Kiali into a demo, and reads the results of their checks. */
public final class ObservedDemo {
    /** Where Envoy lacks Istio's stats filter, an EnvoyFilter that stands in for it. */
    static final String STATS_STAND_IN = System.getenv("TESTBED_STATS_FILTER");
    private static final String KIALI_IMAGE = Manifests.images(new Manifests(null).read("observability/kiali.yaml"))
            .iterator().next();

    private final OwnDemo demo;
    private final boolean hasKiali = Probe.hasImage(KIALI_IMAGE);

    public ObservedDemo(OwnDemo demo) { this.demo = demo; }

    /** Whether Docker has the image of Kiali. Without it, Kiali is installed without a pod, and its checks fail. */
    public boolean hasKiali() { return hasKiali; }

    /** Without the image of Kiali: makes KindDemo use manifests that need none. */
    public void prepare() throws IOException {
        if (hasKiali) return;
        System.out.println("Docker has no image " + KIALI_IMAGE + ": the tests of Kiali are skipped");
        demo.environment.put("KIND_DEMO_MANIFESTS", manifestsWithoutKiali().toString());
    }

    /** Runs KindDemo, and applies the stand-in to so1 and so2, if Envoy needs it. */
    public Shell.Result install(String kindDemo) throws IOException {
        prepare();
        Shell.Result result = demo.succeeds(kindDemo);
        applyStandIn();
        return result;
    }

    public void applyStandIn() {
        if (STATS_STAND_IN != null) for (String cluster : List.of("so1", "so2"))
            demo.succeeds("kubectl --context kind-%s apply -f %s".formatted(cluster, STATS_STAND_IN));
    }

    /** Also pods with no replica must have an image that exists: KindDemo loads it. */
    private Path manifestsWithoutKiali() throws IOException {
        Path manifests = demo.folder().resolve("manifests"), kiali = manifests.resolve("observability/kiali.yaml");
        demo.succeeds("jbang KindDemo.java --export-manifests " + manifests);
        String prometheus = Manifests.images(new Manifests(null).read("observability/prometheus.yaml")).iterator()
                .next();
        Files.writeString(kiali, Files.readString(kiali).replace("replicas: 1", "replicas: 0")
                .replace(KIALI_IMAGE, prometheus));
        return manifests;
    }

    /** Waits for the result of a check in a cluster, for two and a half minutes, and returns the check. */
    public JsonNode await(String expected, String id, String cluster) throws IOException {
        JsonNode found = null;
        for (Instant end = Instant.now().plusSeconds(150); found == null || Instant.now().isBefore(end); ) {
            for (JsonNode check : checks()) if (check.path("id").asText().equals(id)
                    && check.path("cluster").asText().equals(cluster)) found = check;
            if (found != null && found.path("status").asText().equals(expected)) break;
        }
        assertEquals(expected, found.path("status").asText(), found.toString());
        System.out.printf("%s %s: %s%n", id, cluster, found.path("message").asText().lines().findFirst().orElse(""));
        return found;
    }

    private JsonNode checks() throws IOException {
        return new ObjectMapper().readTree(demo.run("jbang Verify.java --wait 2 --output json").out()).path("checks");
    }

    /**
     * Asserts that Prometheus reads every pod of so1 and so2, and that both ends report the requests. Returns the
     * message that names the requests.
     */
    public String readsEveryPodOfBothClusters() throws IOException {
        await("PASSED", "both-reporters", "so1");
        Map<String, String> status = new TreeMap<>(), expected = new TreeMap<>();
        String reporters = "";
        for (JsonNode check : checks()) if (check.path("layer").asText().equals("observability")) {
            String id = check.path("id").asText();
            status.put(id + " " + check.path("cluster").asText(), check.path("status").asText());
            if (id.equals("both-reporters")) reporters = check.path("message").asText();
        }
        for (String check : List.of("prometheus-ready so1", "observer-access so1", "observer-access so2", "scraped so1",
                "scraped so2", "once so1", "both-reporters so1", "unknown-source so1", "passthrough so1"))
            expected.put(check, "PASSED");
        for (String check : List.of("kiali-ready so1", "page so1", "kiali-clusters so1"))
            expected.put(check, hasKiali ? "PASSED" : "FAILED");
        assertEquals(expected, status);
        return reporters;
    }
}
