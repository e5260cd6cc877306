package lib.istio;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Changes of settings on a running demo: they are applied, or refused before anything changes. */
@Tag("long")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SettingsTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    @TempDir Path folder;

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    private static void refused(String words, String options) {
        String before = pods("get pods -A -o name");
        Shell.Result result = DEMO.run("jbang KindDemo.java " + options);
        assertEquals(Problem.UNMET, result.exitCode(), result.all());
        assertTrue(result.err().contains(words) && result.err().contains("→ "), result.err());
        assertEquals(before, pods("get pods -A -o name"));
    }

    /** The output of this kubectl command for so1, after waiting until no pod is being deleted. */
    private static String pods(String words) {
        String deleting = "kubectl --context kind-so1 get pods -A -o jsonpath='{.items[*].metadata.deletionTimestamp}'"
                + " | grep -q .";
        return succeeds("for i in $(seq 60); do %s || break; sleep 1; done; kubectl --context kind-so1 %s"
                .formatted(deleting, words)).out();
    }

    @BeforeAll static void up() { succeeds("jbang KindDemo.java"); }

    @Test @Order(1) void refusesChangesThatKindCannotMake() {
        refused("so1 has 0 workers, not 1, and kind cannot change that", "--workers 1");
        refused("and kind cannot change that", "--node-image docker.io/curlimages/curl:8.16.0");
        refused("--clusters 1 would delete so2 and everything in it", "--clusters 1");
    }

    @Test @Order(2) void appliesAnotherManifestToRunningProxies() throws IOException {
        Path copy = folder.resolve("my manifests");
        succeeds(Docs.command("--export-manifests").replace("my-manifests", "'%s'".formatted(copy)));
        Path istio = copy.resolve("istio/istio.yaml");
        String changed = Files.readString(istio).replace("requests: {cpu: 50m, memory: 64Mi}",
                "requests: {cpu: 40m, memory: 64Mi}")
                .replaceFirst("(?s)- name: istio-egressgateway\n      enabled: true",
                        "- name: istio-egressgateway\n      enabled: false");
        Files.writeString(istio, changed);
        Path sleep = copy.resolve("apps/sleep.yaml");
        Files.writeString(sleep, Files.readString(sleep).replace("cpu: 10m", "cpu: 11m"));
        succeeds(Docs.command("--manifests my-manifests").replace("my-manifests", "'%s'".formatted(copy)));
        String pods = pods("get pods -n sample -o yaml");
        assertTrue(pods.contains("cpu: 40m") && pods.contains("cpu: 11m") && !pods.contains("cpu: 50m"), pods);
        assertEquals("", succeeds("kubectl --context kind-so2 get deployments,services -n istio-system -o name"
                + " | grep egress || true").out());
        succeeds("jbang Verify.java");
        succeeds("jbang KindDemo.java");
        pods = pods("get pods -n sample -o yaml");
        assertTrue(pods.contains("cpu: 50m") && !pods.contains("cpu: 40m"), pods);
    }

    private static String meshConfig(String cluster) {
        return succeeds("kubectl --context kind-%s get configmap istio -n istio-system -o yaml".formatted(cluster))
                .out();
    }

    /** Istio's settings are kept until an option changes them. */
    @Test @Order(3) void appliesKeepsAndResetsIstioSettings() throws IOException {
        Path values = Files.writeString(folder.resolve("my values.yaml"), """
                apiVersion: install.istio.io/v1alpha1
                kind: IstioOperator
                spec: {meshConfig: {accessLogEncoding: JSON}}
                """);
        refused("unknown field \"nosuch\"", "--istio-set values.pilot.nosuch=1");
        succeeds(Docs.command("--istio-set meshConfig") + " --istio-values '%s'".formatted(values));
        Files.delete(values);
        Shell.Result plain = succeeds("jbang KindDemo.java");
        assertTrue(plain.err().contains("--istio-set meshConfig.enableTracing=true"), plain.err());
        for (String cluster : List.of("so1", "so2"))
            assertTrue(meshConfig(cluster).contains("enableTracing: true")
                    && meshConfig(cluster).contains("accessLogEncoding: JSON"), meshConfig(cluster));
        succeeds("jbang Verify.java");
        succeeds(Docs.command("jbang KindDemo.java --istio-set=") + " --istio-values=");
        assertFalse(meshConfig("so1").contains("enableTracing: true")
                || meshConfig("so1").contains("accessLogEncoding: JSON"));
        refused("kindest/node:v1.2.3", "--kubernetes-version 1.2.3");
    }

    /** The same images with a newer version as their tag: the pods restart, and Verify reports that version. */
    @Test @Order(3) void upgradesIstio() {
        String next = Versions.ISTIO.replaceFirst("\\d+$", "99");
        List<String> tags = IstioSettings.PINNED.images().stream()
                .map(image -> "docker tag %s %s".formatted(image, image.replace(Versions.ISTIO, next))).toList();
        refused("istioctl is of another version", "--istio-version 1.2.3");
        succeeds(String.join(" && ", tags));
        try {
            succeeds("jbang KindDemo.java --istio-version " + next);
            assertTrue(succeeds("jbang Verify.java -o json").out()
                    .contains("istiod [%1$s], proxies [%1$s]".formatted(next)));
            succeeds("jbang KindDemo.java --istio-version " + Versions.ISTIO);
            succeeds("jbang Verify.java");
        } finally {
            Shell.run("docker rmi " + IstioSettings.PINNED.with(next, null, null, null, null).images().stream()
                    .collect(Collectors.joining(" ")));
        }
    }

    @Test @Order(4) void addsAndRemovesAThirdCluster() {
        String before = pods("get pods -A -o name");
        succeeds("jbang KindDemo.java --clusters 3");
        assertEquals(before, pods("get pods -A -o name"));
        assertTrue(succeeds("jbang Verify.java").out().contains("so3: responding-clusters"));
        refused("--clusters 2 would delete so3 and everything in it", "--clusters 2");
        succeeds("kind delete cluster --name so3");
        succeeds("jbang KindDemo.java --clusters 2");
        succeeds("jbang Verify.java");
        assertEquals("istio-remote-secret-istio-so2", succeeds("kubectl --context kind-so1 get secrets -n istio-system"
                + " -l istio/multiCluster=true -o jsonpath='{.items[*].metadata.name}'").out());
    }
}
