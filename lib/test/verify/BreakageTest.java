package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.experiments.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Breaks the real mesh, one thing at a time: Verify must name the right layer, check and cluster, and turn green when it is mended. */
class BreakageTest {
    private static final String SO1 = "kubectl --context kind-so1 ", SO2 = "kubectl --context kind-so2 ",
            VERIFY = "jbang Verify.java --wait 2 --output json";

    @RegisterExtension static final OwnDemo DEMO = OwnDemo.inTheUsersKubeconfig();

    @BeforeAll static void up() { DEMO.succeeds("jbang KindDemo.java"); }

    private static void named(String breakIt, String mendIt, String layer, String id, String where) throws IOException {
        finds("FAILED", breakIt, VERIFY, mendIt, layer, id, where);
    }

    private static void warned(String breakIt, String verify, String mendIt, String layer, String id, String where)
            throws IOException {
        finds("WARNING", breakIt, verify, mendIt, layer, id, where);
    }

    /** Verify sees a breakage when it takes effect, and the mending when the mesh has converged: both within a minute. */
    private static void finds(String status, String breakIt, String verify, String mendIt, String layer, String id,
            String where) throws IOException {
        Shell.succeeds(breakIt);
        try {
            JsonNode found = null;
            for (Instant end = Instant.now().plusSeconds(60); found == null && Instant.now().isBefore(end); ) {
                Shell.Result result = Shell.inTime(id, Duration.ofSeconds(30), () -> Shell.run(verify));
                found = first(status, id, result);
                int expected = found == null || status.equals("WARNING") ? 0 : Problem.FAILED;
                assertEquals(expected, result.exitCode(), result.all());
            }
            assertNotNull(found, "Verify does not see it");
            String saw = found.path("message").asText();
            System.out.printf("%s/%s %s: %s%n", layer, id, where, saw.lines().findFirst().orElse(""));
            assertEquals(List.of(layer, id, where), Stream.of("layer", "id", "cluster").map(found::path)
                    .map(JsonNode::asText).toList(), saw);
            assertFalse(found.path("hint").asText().isBlank());
        } finally {
            Shell.succeeds(mendIt);
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    /** The first failure, whatever its check; of warnings, which a machine may have others of, the check's own. */
    private static JsonNode first(String status, String id, Shell.Result verify) throws IOException {
        for (JsonNode finding : new ObjectMapper().readTree(verify.out()).path("checks")) {
            boolean meant = status.equals("FAILED") || finding.path("id").asText().equals(id);
            if (meant && finding.path("status").asText().equals(status)) return finding;
        }
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

    /** CoreDNS runs, but what pods ask does not reach it. */
    @Tag("e2e") @Test void aDnsServiceThatLeadsNowhere() throws IOException {
        String patch = SO2 + "patch service kube-dns -n kube-system --type json -p "
                + "'[{\"op\": \"replace\", \"path\": \"/spec/ports/0/targetPort\", \"value\": %d}]'";
        named(patch.formatted(5399), patch.formatted(53), "nodes", "dns", "so2");
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

    /** A folder with the files of a secret cacerts for so2, under a root of its own. */
    private static Path otherAuthority() throws Exception {
        Path folder = Files.createTempDirectory("roots");
        var root = Certificates.createRoot();
        var intermediate = Certificates.createIntermediate(root, new Cluster(2, "so2"));
        String rootPem = Certificates.pem(root.certificate()), intermediatePem = Certificates.pem(intermediate.certificate());
        Files.writeString(folder.resolve("root-cert.pem"), rootPem);
        Files.writeString(folder.resolve("ca-cert.pem"), intermediatePem);
        Files.writeString(folder.resolve("ca-key.pem"), Certificates.pem(intermediate.key()));
        Files.writeString(folder.resolve("cert-chain.pem"), intermediatePem + rootPem);
        return folder;
    }

    @Tag("long") @Test void differentRoots() throws Exception {
        Path folder = otherAuthority();
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

    @Tag("long") @Test void anIntermediateOfAnotherRoot() throws Exception {
        String exchange = """
                set -e; cd %2$s
                echo "data: $(%1$sget secret cacerts -n istio-system -o jsonpath='{.data}')" > saved.yaml
                encoded() { base64 -w0 $1; }
                echo "data: {ca-cert.pem: $(encoded ca-cert.pem), cert-chain.pem: $(encoded cert-chain.pem)}" > new.yaml
                %1$spatch secret cacerts -n istio-system --patch-file new.yaml
                """;
        Path folder = otherAuthority();
        named(exchange.formatted(SO2, folder), "cd %s && %spatch secret cacerts -n istio-system --patch-file saved.yaml"
                .formatted(folder, SO2), "trust", "intermediate", "so2");
    }

    @Tag("long") @Test void anotherTrustDomain() throws IOException {
        String trust = "set -o pipefail; %1$sget configmap istio -n istio-system -o yaml | ".formatted(SO2)
                + "sed 's/trustDomain: .*/trustDomain: %s/' | " + SO2 + "replace -f -";
        named(trust.formatted("elsewhere.test"), trust.formatted("cluster.local"), "trust", "identity", "so2");
    }

    @Tag("long") @Test void noInjectionWebhook() throws IOException {
        named(SO2 + "delete mutatingwebhookconfigurations --all", "jbang KindDemo.java", "control plane", "webhooks",
                "so2");
    }

    @Tag("long") @Test void aGatewayOfAnOldVersion() throws IOException {
        String image = Versions.ISTIO_HUB + "/proxyv2:", status = "\n" + SO2
                + "rollout status deployment istio-egressgateway -n istio-system --timeout 60s";
        warned("""
                set -e
                docker exec so2-control-plane ctr -n k8s.io images tag --force %2$s%3$s %2$s1.27.0
                %1$sset image deployment/istio-egressgateway -n istio-system istio-proxy=%2$s1.27.0
                """.formatted(SO2, image, Versions.ISTIO) + status, VERIFY, "set -e\n" + SO2
                + "rollout undo deployment istio-egressgateway -n istio-system" + status,
                "control plane", "versions", "so2");
    }

    /** The gateway's pod runs, but does not listen for other networks. */
    @Tag("long") @Test void aDeletedCrossNetworkGateway() throws IOException {
        named(SO2 + "delete gateways.networking.istio.io cross-network-gateway -n istio-system", "jbang KindDemo.java",
                "east-west", "gateway-reachable", "so2");
    }

    @Tag("long") @Test void anImageThatIsMissing() throws IOException {
        named(SO2 + "set image deployment/helloworld-v1 -n sample helloworld=example.com/helloworld:none",
                SO2 + "rollout undo deployment helloworld-v1 -n sample", "endpoints", "app-ready", "so2");
    }

    /** Without its label istiod does not take the service for the gateway of its network. */
    @Tag("long") @Test void anEastWestServiceWithoutItsNetwork() throws IOException {
        String label = SO1 + "label service istio-eastwestgateway -n istio-system topology.istio.io/network";
        named(label + "-", label + "=network1", "endpoints", "endpoints", "so2");
    }

    private static void applied(String yaml, String layer, String id) throws IOException {
        Path file = Files.writeString(Files.createTempFile("breakage", ".yaml"), yaml);
        named(SO2 + "apply -f " + file, SO2 + "delete -f " + file, layer, id, "so2");
    }

    @Tag("long") @Test void anAnswerThatIsNobodys() throws IOException {
        applied("""
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: nobody, namespace: sample}
                spec:
                  hosts: [helloworld.sample.svc.cluster.local]
                  http: [{directResponse: {status: 200, body: {string: "nobody\\n"}}}]
                """, "traffic", "responding-clusters");
    }

    /** Proxies of the mesh offer the protocol "istio" in the handshake; who does not is shown no certificate now. */
    @Tag("long") @Test void anInstanceThatShowsNoCertificate() throws IOException {
        applied("""
                apiVersion: networking.istio.io/v1alpha3
                kind: EnvoyFilter
                metadata: {name: no-certificate, namespace: sample}
                spec:
                  workloadSelector: {labels: {app: helloworld}}
                  configPatches:
                  - applyTo: FILTER_CHAIN
                    match: {context: SIDECAR_INBOUND, listener: {filterChain: {destinationPort: 5000}}}
                    patch: {operation: MERGE, value: {filter_chain_match: {application_protocols: [istio]}}}
                """, "traffic", "peer-identity");
    }

    @Tag("long") @Test void metalLbScaledToZero() throws IOException {
        String scale = SO2 + "scale deployment controller -n metallb-system --replicas ";
        named(scale + 0, scale + 1, "load balancer", "metallb-ready", "so2");
    }

    @Tag("long") @Test void coreDnsScaledToZero() throws IOException {
        String scale = SO2 + "scale deployment coredns -n kube-system --replicas ";
        named(scale + 0, scale + 2, "nodes", "system-pods", "so2");
    }

    /** The control plane notices after 50 s by itself, by its --node-monitor-grace-period. */
    @Tag("long") @Test void aStoppedKubelet() throws IOException {
        String kubelet = "docker exec so2-control-plane systemctl %s kubelet", unknown = SO2
                + "patch node so2-control-plane --subresource status -p '{\"status\": {\"conditions\": "
                + "[{\"type\": \"Ready\", \"status\": \"Unknown\", \"message\": \"the kubelet is silent\"}]}}'";
        named(kubelet.formatted("stop") + " && " + unknown, kubelet.formatted("start"), "nodes", "nodes-ready", "so2");
    }

    /** Verify's command with a program on PATH that hides another one; the text is bash. */
    private static String behind(String program, String text) throws IOException {
        Path folder = Files.createTempDirectory("programs");
        Path file = Files.writeString(folder.resolve(program), "#!/bin/bash\n" + text);
        assertTrue(file.toFile().setExecutable(true));
        return "PATH=%s:$PATH %s".formatted(folder, VERIFY);
    }

    /** Docker, which says something else of itself. */
    private static String dockerThatSays(String key, String value) throws IOException {
        String docker = Shell.succeeds("command -v docker").out().strip();
        return behind("docker", """
                case " $* " in
                *" info "*) %1$s "$@" | sed -E 's#"%2$s": ?"[^"]*"#"%2$s":"%3$s"#' ;;
                *) exec %1$s "$@" ;;
                esac
                """.formatted(docker, key, value));
    }

    @Tag("long") @Test void anOldDocker() throws IOException {
        finds("FAILED", "true", dockerThatSays("ServerVersion", "19.03.15"), "true", "host", "docker", "");
    }

    @Tag("long") @Test void aFullDisk() throws IOException {
        warned("true", dockerThatSays("DockerRootDir", "/proc"), "true", "host", "disk", "");
    }

    @Tag("long") @Test void anOldKindAndNoNewOne() throws IOException {
        Path empty = Files.createTempDirectory("cache");
        String verify = "XDG_CACHE_HOME=%s KIND_DEMO_MIRROR=http://127.0.0.1:1 ".formatted(empty)
                + behind("kind", "echo 'kind v0.20.0 go1.20.4 linux/amd64'\n");
        warned("true", verify, "true", "host", "tools", "");
    }

    /** The limit is the machine's; only Verify, in a mount namespace of its own, sees another. */
    @Tag("long") @Test void fewInotifyInstances() throws IOException {
        Path limit = Files.writeString(Files.createTempFile("limit", ""), "16\n");
        warned("true", "unshare --mount bash -c 'mount --bind %s /proc/sys/fs/inotify/max_user_instances && exec %s'"
                .formatted(limit, VERIFY), "true", "host", "inotify", "");
    }

    /** What others run in the clusters is not the mesh's, and a gateway may have several addresses. */
    @Tag("long") @Test void ignoresWhatIsNotTheDemos() throws IOException {
        String image = Manifests.images(Files.readString(Shell.PROJECT.resolve("manifests/apps/sleep.yaml"))).iterator().next();
        String run = SO2 + "run %s --restart Never --image " + image + " --image-pull-policy IfNotPresent"
                + " --labels app=sleep,sidecar.istio.io/inject=false -n %s --command -- %s\n";
        String wait = SO2 + "wait pod %s -n %s --for jsonpath={.status.phase}=%s --timeout 60s\n";
        Shell.succeeds("set -e\n" + run.formatted("evicted", "kube-system", "false")
                + run.formatted("another", "sample", "true") + wait.formatted("evicted", "kube-system", "Failed")
                + wait.formatted("another", "sample", "Succeeded") + """
                %1$sapply -f - <<END
                apiVersion: v1
                kind: Service
                metadata: {name: theirs, namespace: default}
                spec: {type: LoadBalancer, loadBalancerClass: example.com/theirs, ports: [{port: 80}]}
                END
                for namespace in istio-system sample; do
                  %1$screate deployment theirs --image example.com/none:1 -n $namespace
                done
                %1$spatch service theirs --subresource status -p \\
                  '{"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}'
                %1$spatch service istio-eastwestgateway -n istio-system -p \\
                  '{"spec": {"externalIPs": ["172.18.250.250"]}}'
                """.formatted(SO2));
        try {
            String endpoints = "istioctl --context kind-so1 proxy-config endpoints deploy/sleep -n sample";
            Shell.succeeds("for i in {1..20}; do [ $(%s | grep helloworld | grep -c 15443) = 2 ] && exit; sleep 1; done; exit 1"
                    .formatted(endpoints));
            Shell.succeeds("jbang Verify.java --wait 20");
            Shell.Result again = Shell.succeeds("jbang KindDemo.java");
            assertTrue(again.took().toSeconds() < 60, again.all());
        } finally {
            Shell.succeeds("""
                    set -e
                    %1$sdelete pod evicted -n kube-system
                    %1$sdelete pod another -n sample
                    %1$sdelete service theirs
                    for namespace in istio-system sample; do
                      %1$sdelete deployment theirs -n $namespace
                    done
                    %1$spatch service istio-eastwestgateway -n istio-system -p '{"spec": {"externalIPs": null}}'
                    """.formatted(SO2));
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    @Tag("long") @Test void skipsExperimentsThatTheSettingsRuleOut() throws IOException {
        Shell.succeeds("""
                set -e
                %1$sapply -f - <<END
                apiVersion: networking.istio.io/v1
                kind: Sidecar
                metadata: {name: default, namespace: istio-system}
                spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}, egress: [{hosts: ["*/*"]}]}
                END
                %1$sdelete deployment istio-ingressgateway -n istio-system
                """.formatted(SO1));
        try {
            Shell.Result skipped = Shell.succeeds("jbang Verify.java --wait 20 --experiments ingress,egress -o json");
            JsonNode experiments = new ObjectMapper().readTree(skipped.out()).path("experiments");
            assertEquals(List.of("SKIPPED", "SKIPPED"), experiments.findValuesAsText("status"), skipped.all());
            assertTrue(experiments.get(0).path("observations").toString().contains("istio-ingressgateway"), skipped.all());
            assertTrue(experiments.get(1).path("observations").toString().contains("REGISTRY_ONLY"), skipped.all());
        } finally {
            Shell.succeeds(SO1 + "delete sidecar default -n istio-system && jbang KindDemo.java");
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }
}
