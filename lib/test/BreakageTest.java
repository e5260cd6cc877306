package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Breaks the real mesh, one thing at a time: Verify must name the right layer, check and cluster, and turn green when it is mended. */
class BreakageTest {
    private static final String SO2 = "kubectl --context kind-so2 ";

    @BeforeAll static void up() { Shell.succeeds("jbang KindDemo.java"); }

    @AfterAll static void down() { Shell.run("jbang Teardown.java"); }

    /** Verify sees a breakage when it has taken effect, and the mending when the mesh has converged: both within a minute. */
    private static void named(String breakIt, String mendIt, String layer, String id, String where) throws IOException {
        Shell.succeeds(breakIt);
        try {
            JsonNode failed = null;
            for (Instant end = Instant.now().plusSeconds(60); failed == null && Instant.now().isBefore(end); ) {
                Shell.Result verify = Shell.inTime(id, Duration.ofSeconds(30), () -> Shell.run("jbang Verify.java --wait 2 --output json"));
                failed = firstFailed(verify);
                assertEquals(failed == null ? 0 : Problem.FAILED, verify.exitCode(), verify.all());
            }
            assertNotNull(failed, "Verify does not see it");
            System.out.printf("%s/%s %s: %s%n", layer, id, where, failed.path("saw").asText().lines().findFirst().orElse(""));
            assertEquals(List.of(layer, id, where), Stream.of("layer", "id", "where").map(failed::path).map(JsonNode::asText).toList());
            assertFalse(failed.path("hint").asText().isBlank());
        } finally {
            Shell.succeeds(mendIt);
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    private static JsonNode firstFailed(Shell.Result verify) throws IOException {
        for (JsonNode finding : new ObjectMapper().readTree(verify.out()).path("findings"))
            if (finding.path("status").asText().equals("FAILED")) return finding;
        return null;
    }

    @Tag("e2e") @Test void aDeletedRemoteSecret() throws IOException {
        named(SO2 + "delete secret -n istio-system istio-remote-secret-istio-so1", "jbang KindDemo.java", "control plane",
                "remote-clusters-synced", "so2");
    }

    @Tag("e2e") @Test void aRemoteSecretThatNamesLoopback() throws IOException {
        named("istioctl create-remote-secret --context kind-so1 --name istio-so1 --server https://127.0.0.1:6443 | " + SO2 + "apply -f -",
                "jbang KindDemo.java", "nodes", "remote-address", "so1");
    }

    @Tag("e2e") @Test void aMissingNetworkLabel() throws IOException {
        named(SO2 + "label namespace istio-system topology.istio.io/network-", "jbang KindDemo.java", "control plane", "network-label",
                "so2");
    }

    @Tag("e2e") @Test void plaintextIsTaken() throws IOException {
        named(SO2 + "delete peerauthentication -n sample strict", "jbang KindDemo.java", "traffic", "strict", "so2");
    }

    @Tag("e2e") @Test void aPausedNode() throws IOException {
        named("docker pause so2-control-plane", "docker unpause so2-control-plane", "clusters", "reachable", "so2");
    }

    /** The short form of SoakTest. */
    @Tag("e2e") @Test void someSecondsOfKills() throws IOException {
        assertTrue(Soak.run(Duration.ofSeconds(20), 7) < 0.01, "requests were lost for want of an istiod");
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    @Tag("long") @Test void aStoppedEastWestGateway() throws IOException {
        named(SO2 + "scale deployment -n istio-system istio-eastwestgateway --replicas 0", SO2
                + "scale deployment -n istio-system istio-eastwestgateway --replicas 1", "east-west", "gateway-ready", "so2");
    }

    @Tag("long") @Test void noAddressPool() throws IOException {
        named(SO2 + "delete ipaddresspools -n metallb-system --all", "jbang KindDemo.java", "load balancer", "addresses", "so2");
    }

    @Tag("long") @Test void istiodScaledToZero() throws IOException {
        named(SO2 + "scale deployment -n istio-system istiod --replicas 0", SO2 + "scale deployment -n istio-system istiod --replicas 1",
                "control plane", "istiod-ready", "so2");
    }

    /** Commands, a line each, that roll these deployments of so2 and wait until they are ready. */
    private static String restart(String namespace, String names, int seconds) {
        return """
                %1$srollout restart deployment %3$s -n %2$s
                %1$srollout status deployment %3$s -n %2$s --timeout %4$ds
                """.formatted(SO2, namespace, names, seconds);
    }

    @Tag("long") @Test void aClientWithoutItsProxy() throws IOException {
        String label = "set -e\n" + SO2 + "label namespace sample istio-injection", restart = "\n" + restart("sample", "sleep", 60);
        named(label + "-" + restart, label + "=enabled" + restart, "control plane", "proxies", "so2");
    }

    @Tag("long") @Test void differentRoots() throws Exception {
        Path folder = Files.createTempDirectory("roots");
        var root = Certificates.makeRoot();
        var intermediate = Certificates.makeIntermediate(root, new Cluster(2, "so2"));
        String rootPem = Certificates.pem(root.certificate()), intermediatePem = Certificates.pem(intermediate.certificate());
        Files.writeString(folder.resolve("root-cert.pem"), rootPem);
        Files.writeString(folder.resolve("ca-cert.pem"), intermediatePem);
        Files.writeString(folder.resolve("ca-key.pem"), Certificates.pem(intermediate.key()));
        Files.writeString(folder.resolve("cert-chain.pem"), intermediatePem + rootPem);
        String exchange = """
                set -e; cd %2$s; secret='secret cacerts -n istio-system'
                %1$sget $secret -o yaml > saved.yaml
                %1$sdelete $secret
                %1$screate secret generic cacerts -n istio-system --from-file=root-cert.pem --from-file=ca-cert.pem \\
                  --from-file=ca-key.pem --from-file=cert-chain.pem
                """.formatted(SO2, folder) + restart("istio-system", "istiod", 120);
        // a pod that starts with the other root in its volume would wait for istiod until the kubelet brings it the right one
        String mend = """
                set -e; cd %2$s
                %1$sreplace --force -f saved.yaml
                %3$s
                root() { %1$sget "$@" -o jsonpath='{.data.root-cert\\.pem}'; }
                end=$((SECONDS + 90))
                until [ "$(root configmap istio-ca-root-cert -n sample)" = "$(root secret cacerts -n istio-system | base64 -d)" ]; do
                  [ $SECONDS -lt $end ] || { echo "istiod has not given the root to sample"; exit 1; }
                  sleep 1
                done
                %4$s
                %5$s
                """.formatted(SO2, folder, restart("istio-system", "istiod", 120), restart("sample", "", 120),
                restart("istio-system", "istio-eastwestgateway istio-ingressgateway istio-egressgateway", 120));
        named(exchange, mend, "trust", "same-root", "");
    }
}
