package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Other settings on a demo that stands: applied, or refused before anything is made. */
@Tag("long")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SettingsTest {
    private static final Map<String, String> OWN = Shell.ownFolders();
    @TempDir Path folder;

    private static Shell.Result succeeds(String command) {
        Shell.Result result = Shell.run(command, OWN);
        assertEquals(0, result.exitCode(), command + "\n" + result.all());
        return result;
    }

    private static void refused(String words, String options) {
        String before = pods("get pods -A -o name");
        Shell.Result result = Shell.run("jbang KindDemo.java " + options, OWN);
        assertEquals(Problem.UNFIT, result.exitCode(), result.all());
        assertTrue(result.err().contains(words) && result.err().contains("→ "), result.err());
        assertEquals(before, pods("get pods -A -o name"));
    }

    /** What kubectl says of so1's pods once those are gone that are going. */
    private static String pods(String words) {
        String going = "kubectl --context kind-so1 get pods -A -o jsonpath='{.items[*].metadata.deletionTimestamp}' | grep -q .";
        return succeeds("for i in $(seq 60); do %s || break; sleep 1; done; kubectl --context kind-so1 %s".formatted(going, words)).out();
    }

    @BeforeAll static void up() { succeeds("jbang KindDemo.java"); }

    @AfterAll static void down() { Shell.run("jbang Teardown.java", OWN); }

    @Test @Order(1) void whatKindCannotChangeIsRefused() {
        refused("so1 has 0 workers, not 1, and kind cannot change that", "--workers 1");
        refused("and kind cannot change that", "--node-image docker.io/curlimages/curl:8.16.0");
        refused("beside the 1 clusters asked for there is [so2]", "--clusters 1");
    }

    @Test @Order(2) void anotherManifestIsAppliedAndRunningProxiesFollow() throws IOException {
        Path copy = folder.resolve("my manifests");
        succeeds("cp -r manifests '%s'".formatted(copy));
        Path istio = copy.resolve("istio/istio.yaml");
        String changed = Files.readString(istio).replace("requests: {cpu: 50m, memory: 64Mi}", "requests: {cpu: 40m, memory: 64Mi}")
                .replaceFirst("(?s)- name: istio-egressgateway\n      enabled: true", "- name: istio-egressgateway\n      enabled: false");
        Files.writeString(istio, changed);
        Path sleep = copy.resolve("apps/sleep.yaml");
        Files.writeString(sleep, Files.readString(sleep).replace("cpu: 10m", "cpu: 11m"));
        succeeds("jbang KindDemo.java --manifests '%s'".formatted(copy));
        String pods = pods("get pods -n sample -o yaml");
        assertTrue(pods.contains("cpu: 40m") && pods.contains("cpu: 11m") && !pods.contains("cpu: 50m"), pods);
        assertEquals("", succeeds("kubectl --context kind-so2 get deployments,services -n istio-system -o name | grep egress || true")
                .out());
        succeeds("jbang Verify.java");
        succeeds("jbang KindDemo.java");
        pods = pods("get pods -n sample -o yaml");
        assertTrue(pods.contains("cpu: 50m") && !pods.contains("cpu: 40m"), pods);
    }

    @Test @Order(3) void aThirdClusterJoinsAndLeaves() {
        String before = pods("get pods -A -o name");
        succeeds("jbang KindDemo.java --clusters 3");
        assertEquals(before, pods("get pods -A -o name"));
        assertTrue(succeeds("jbang Verify.java").out().contains("so3: who-answers"));
        refused("beside the 2 clusters asked for there is [so3]", "--clusters 2");
        succeeds("kind delete cluster --name so3");
        succeeds("jbang KindDemo.java --clusters 2");
        succeeds("jbang Verify.java");
        assertEquals("istio-remote-secret-istio-so2", succeeds("kubectl --context kind-so1 get secrets -n istio-system"
                + " -l istio/multiCluster=true -o jsonpath='{.items[*].metadata.name}'").out());
    }
}
