package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.experiments.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Breaks the real mesh, one thing at a time: Verify must report it, and pass after the repair. */
class BreakageTest {
    private static final String SO1 = "kubectl --context kind-so1 ", SO2 = "kubectl --context kind-so2 ",
            VERIFY = "jbang Verify.java --wait 2 --output json";

    @RegisterExtension static final OwnDemo DEMO = OwnDemo.inTheUsersKubeconfig();

    @TempDir Path folder;

    @BeforeAll static void up() { DEMO.succeeds("jbang KindDemo.java"); }

    static void fails(String fault, String repair, String layer, String id, String cluster) throws IOException {
        detects("FAILED", fault, VERIFY, repair, layer, id, cluster);
    }

    private static void warns(String fault, String verify, String repair, String layer, String id, String cluster)
            throws IOException {
        detects("WARNING", fault, verify, repair, layer, id, cluster);
    }

    /** Verify must report the fault within a minute after it took effect, and pass within a minute after the repair. */
    private static void detects(String status, String fault, String verify, String repair, String layer, String id,
            String cluster) throws IOException {
        Shell.succeeds(fault);
        try {
            JsonNode found = null;
            for (Instant end = Instant.now().plusSeconds(60); found == null && Instant.now().isBefore(end); ) {
                Shell.Result result = Shell.inTime(id, Duration.ofSeconds(30), () -> Shell.run(verify));
                found = first(status, id, result);
                int expected = found == null || status.equals("WARNING") ? 0 : Problem.FAILED;
                assertEquals(expected, result.exitCode(), result.all());
            }
            assertNotNull(found, "Verify does not report it");
            String message = found.path("message").asText();
            System.out.printf("%s/%s %s: %s%n", layer, id, cluster, message.lines().findFirst().orElse(""));
            assertEquals(List.of(layer, id, cluster), Stream.of("layer", "id", "cluster").map(found::path)
                    .map(JsonNode::asText).toList(), message);
            assertFalse(found.path("hint").asText().isBlank());
        } finally {
            Shell.succeeds(repair);
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    /** The first failure of any check, or the warning of this check: a machine may cause other warnings. */
    private static JsonNode first(String status, String id, Shell.Result verify) throws IOException {
        for (JsonNode check : new ObjectMapper().readTree(verify.out()).path("checks")) {
            boolean relevant = status.equals("FAILED") || check.path("id").asText().equals(id);
            if (relevant && check.path("status").asText().equals(status)) return check;
        }
        return null;
    }

    @Tag("e2e") @Test void aDeletedRemoteSecret() throws IOException {
        fails(SO2 + "delete secret -n istio-system istio-remote-secret-istio-so1", "jbang KindDemo.java",
                "control plane", "remote-clusters-synced", "so2");
    }

    @Tag("e2e") @Test void aRemoteSecretThatNamesLoopback() throws IOException {
        fails("istioctl create-remote-secret --context kind-so1 --name istio-so1 --server https://127.0.0.1:6443 | "
                + SO2 + "apply -f -", "jbang KindDemo.java", "nodes", "remote-address", "so1");
    }

    @Tag("e2e") @Test void aMissingNetworkLabel() throws IOException {
        fails(SO2 + "label namespace istio-system topology.istio.io/network-", "jbang KindDemo.java", "control plane",
                "network-label", "so2");
    }

    @Tag("e2e") @Test void acceptedPlaintext() throws IOException {
        fails(SO2 + "delete peerauthentication -n sample strict", "jbang KindDemo.java", "traffic", "strict", "so2");
    }

    @Tag("e2e") @Test void aPausedNode() throws IOException {
        fails("docker pause so2-control-plane", "docker unpause so2-control-plane", "clusters", "reachable", "so2");
    }

    /** CoreDNS is running, but the queries of pods do not reach it. */
    @Tag("e2e") @Test void aDnsServiceWithAWrongPort() throws IOException {
        String patch = SO2 + "patch service kube-dns -n kube-system --type json -p "
                + "'[{\"op\": \"replace\", \"path\": \"/spec/ports/0/targetPort\", \"value\": %d}]'";
        fails(patch.formatted(5399), patch.formatted(53), "nodes", "dns", "so2");
    }

    /** The short form of SoakTest. */
    @Tag("e2e") @Test void randomKills() throws IOException {
        assertTrue(Soak.run(Duration.ofSeconds(20), 7, DataPlane.sidecar) < 0.01,
                "requests were lost while istiods were killed");
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    @Tag("long") @Test void aStoppedEastWestGateway() throws IOException {
        String scale = SO2 + "scale deployment -n istio-system istio-eastwestgateway --replicas ";
        fails(scale + 0, scale + 1, "east-west", "gateway-ready", "so2");
    }

    @Tag("long") @Test void noAddressPool() throws IOException {
        fails(SO2 + "delete ipaddresspools -n metallb-system --all", "jbang KindDemo.java", "load balancer",
                "addresses", "so2");
    }

    @Tag("long") @Test void istiodScaledToZero() throws IOException {
        String scale = SO2 + "scale deployment -n istio-system istiod --replicas ";
        fails(scale + 0, scale + 1, "control plane", "istiod-ready", "so2");
    }

    /** Commands, one per line, that restart deployments of so2 and wait until they are ready. */
    static String restart(String namespace, String names, int seconds) {
        return """
                %1$srollout restart deployment %3$s -n %2$s
                %1$srollout status deployment %3$s -n %2$s --timeout %4$ds
                """.formatted(SO2, namespace, names, seconds);
    }

    @Tag("long") @Test void aClientWithoutItsProxy() throws IOException {
        String label = "set -e\n" + SO2 + "label namespace sample istio-injection",
                restart = "\n" + restart("sample", "sleep", 60);
        fails(label + "-" + restart, label + "=enabled" + restart, "control plane", "proxies", "so2");
    }

    /** Writes the files of a secret cacerts for so2, under another root. */
    private static void writeOtherAuthority(Path folder) throws Exception {
        var root = Certificates.createRoot();
        var intermediate = Certificates.createIntermediate(root, new Cluster(2, "so2"));
        String rootPem = Certificates.pem(root.certificate()),
                intermediatePem = Certificates.pem(intermediate.certificate());
        Files.writeString(folder.resolve("root-cert.pem"), rootPem);
        Files.writeString(folder.resolve("ca-cert.pem"), intermediatePem);
        Files.writeString(folder.resolve("ca-key.pem"), Certificates.pem(intermediate.key()));
        Files.writeString(folder.resolve("cert-chain.pem"), intermediatePem + rootPem);
    }

    @Tag("long") @Test void differentRoots() throws Exception {
        differentRoots(folder, restart("istio-system", "istio-eastwestgateway istio-ingressgateway istio-egressgateway",
                120));
    }

    /**
     * @param folder    for the other root and the saved secret
     * @param restarted a command that restarts the workloads of istio-system with certificates, except istiod
     */
    static void differentRoots(Path folder, String restarted) throws Exception {
        writeOtherAuthority(folder);
        String exchange = """
                set -e; cd %2$s; secret='secret cacerts -n istio-system'
                %1$sget $secret -o yaml > saved.yaml
                %1$sdelete $secret
                %1$screate secret generic cacerts -n istio-system --from-file=root-cert.pem --from-file=ca-cert.pem \\
                  --from-file=ca-key.pem --from-file=cert-chain.pem
                """.formatted(SO2, folder) + restart("istio-system", "istiod", 120);
        // a pod that starts with the other root would wait for istiod until the kubelet updates its volume
        String repair = """
                set -e; cd %2$s
                %1$sreplace --force -f saved.yaml
                %3$s
                root() { %1$sget "$@" -o jsonpath='{.data.root-cert\\.pem}'; }
                end=$((SECONDS + 90))
                until [ "$(root configmap istio-ca-root-cert -n sample)" = \
                        "$(root secret cacerts -n istio-system | base64 -d)" ]; do
                  [ $SECONDS -lt $end ] || { echo "istiod has not written the root to sample"; exit 1; }
                  sleep 1
                done
                %4$s
                %5$s
                """.formatted(SO2, folder, restart("istio-system", "istiod", 120), restart("sample", "", 120),
                restarted);
        fails(exchange, repair, "trust", "same-root", "");
    }

    @Tag("long") @Test void anIntermediateOfAnotherRoot() throws Exception {
        String exchange = """
                set -e; cd %2$s
                echo "data: $(%1$sget secret cacerts -n istio-system -o jsonpath='{.data}')" > saved.yaml
                encoded() { base64 -w0 $1; }
                echo "data: {ca-cert.pem: $(encoded ca-cert.pem), cert-chain.pem: $(encoded cert-chain.pem)}" > new.yaml
                %1$spatch secret cacerts -n istio-system --patch-file new.yaml
                """;
        writeOtherAuthority(folder);
        fails(exchange.formatted(SO2, folder), "cd %s && %spatch secret cacerts -n istio-system --patch-file saved.yaml"
                .formatted(folder, SO2), "trust", "intermediate", "so2");
    }

    @Tag("long") @Test void anotherTrustDomain() throws IOException {
        String trust = "set -o pipefail; %1$sget configmap istio -n istio-system -o yaml | ".formatted(SO2)
                + "sed 's/trustDomain: .*/trustDomain: %s/' | " + SO2 + "replace -f -";
        fails(trust.formatted("elsewhere.test"), trust.formatted("cluster.local"), "trust", "identity", "so2");
    }

    @Tag("long") @Test void noInjectionWebhook() throws IOException {
        fails(SO2 + "delete mutatingwebhookconfigurations --all", "jbang KindDemo.java", "control plane", "webhooks",
                "so2");
    }

    @Tag("long") @Test void aGatewayOfAnOldVersion() throws IOException {
        String image = Versions.ISTIO_HUB + "/proxyv2:", status = "\n" + SO2
                + "rollout status deployment istio-egressgateway -n istio-system --timeout 60s";
        warns("""
                set -e
                docker exec so2-control-plane ctr -n k8s.io images tag --force %2$s%3$s %2$s1.27.0
                %1$sset image deployment/istio-egressgateway -n istio-system istio-proxy=%2$s1.27.0
                """.formatted(SO2, image, Versions.ISTIO) + status, VERIFY, "set -e\n" + SO2
                + "rollout undo deployment istio-egressgateway -n istio-system" + status,
                "control plane", "versions", "so2");
    }

    /** The gateway's pod is running, but does not listen on its port for other networks. */
    @Tag("long") @Test void aDeletedCrossNetworkGateway() throws IOException {
        fails(SO2 + "delete gateways.networking.istio.io cross-network-gateway -n istio-system", "jbang KindDemo.java",
                "east-west", "gateway-reachable", "so2");
    }

    @Tag("long") @Test void aMissingImage() throws IOException {
        fails(SO2 + "set image deployment/helloworld-v1 -n sample helloworld=example.com/helloworld:none",
                SO2 + "rollout undo deployment helloworld-v1 -n sample", "endpoints", "app-ready", "so2");
    }

    /** Without this label istiod does not know that the service is the gateway of its network. */
    @Tag("long") @Test void anEastWestServiceWithoutItsNetwork() throws IOException {
        String label = SO1 + "label service istio-eastwestgateway -n istio-system topology.istio.io/network";
        fails(label + "-", label + "=network1", "endpoints", "endpoints", "so2");
    }

    private void failsWith(String yaml, String layer, String id) throws IOException {
        Path file = Files.writeString(folder.resolve("breakage.yaml"), yaml);
        fails(SO2 + "apply -f " + file, SO2 + "delete -f " + file, layer, id, "so2");
    }

    @Tag("long") @Test void anAnswerFromAnUnknownPod() throws IOException {
        failsWith("""
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: nobody, namespace: sample}
                spec:
                  hosts: [helloworld.sample.svc.cluster.local]
                  http: [{directResponse: {status: 200, body: {string: "nobody\\n"}}}]
                """, "traffic", "responding-clusters");
    }

    /** Proxies of the mesh offer the protocol "istio" in the handshake. The filter makes the pod reject all others. */
    @Tag("long") @Test void aPodThatPresentsNoCertificate() throws IOException {
        failsWith("""
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
        fails(scale + 0, scale + 1, "load balancer", "metallb-ready", "so2");
    }

    @Tag("long") @Test void coreDnsScaledToZero() throws IOException {
        String scale = SO2 + "scale deployment coredns -n kube-system --replicas ";
        fails(scale + 0, scale + 2, "nodes", "system-pods", "so2");
    }

    /** Without the patch, the control plane would notice after 50 s (--node-monitor-grace-period). */
    @Tag("long") @Test void aStoppedKubelet() throws IOException {
        String kubelet = "docker exec so2-control-plane systemctl %s kubelet";
        String unknown = SO2 + "patch node so2-control-plane --subresource status -p '{\"status\": {\"conditions\": "
                + "[{\"type\": \"Ready\", \"status\": \"Unknown\", \"message\": \"the kubelet is silent\"}]}}'";
        fails(kubelet.formatted("stop") + " && " + unknown, kubelet.formatted("start"), "nodes", "nodes-ready", "so2");
    }

    /** Verify's command with a bash script on PATH instead of a program. */
    private String withProgram(String program, String text) throws IOException {
        Path file = Files.writeString(folder.resolve(program), "#!/bin/bash\n" + text);
        assertTrue(file.toFile().setExecutable(true));
        return "PATH=%s:$PATH %s".formatted(folder, VERIFY);
    }

    /** Verify's command with a Docker that reports another value. */
    private String dockerThatReports(String key, String value) throws IOException {
        String docker = Shell.succeeds("command -v docker").out().strip();
        return withProgram("docker", """
                case " $* " in
                *" info "*) %1$s "$@" | sed -E 's#"%2$s": ?"[^"]*"#"%2$s":"%3$s"#' ;;
                *) exec %1$s "$@" ;;
                esac
                """.formatted(docker, key, value));
    }

    @Tag("long") @Test void anOldDocker() throws IOException {
        detects("FAILED", "true", dockerThatReports("ServerVersion", "19.03.15"), "true", "host", "docker", "");
    }

    @Tag("long") @Test void aFullDisk() throws IOException {
        warns("true", dockerThatReports("DockerRootDir", "/proc"), "true", "host", "disk", "");
    }

    @Tag("long") @Test void anOldKindWithoutDownload() throws IOException {
        Path cache = folder.resolve("cache");
        String verify = "XDG_CACHE_HOME=%s KIND_DEMO_MIRROR=http://127.0.0.1:1 ".formatted(cache)
                + withProgram("kind", "echo 'kind v0.20.0 go1.20.4 linux/amd64'\n");
        warns("true", verify, "true", "host", "tools", "");
    }

    /** Only Verify sees the low limit: it runs in another mount namespace. */
    @Tag("long") @Test void fewInotifyInstances() throws IOException {
        Path limit = Files.writeString(folder.resolve("limit"), "16\n");
        warns("true", "unshare --mount bash -c 'mount --bind %s /proc/sys/fs/inotify/max_user_instances && exec %s'"
                .formatted(limit, VERIFY), "true", "host", "inotify", "");
    }

    /** Other workloads in the clusters are not part of the mesh, and a gateway may have several addresses. */
    @Tag("long") @Test void ignoresOtherResources() throws IOException {
        String image = Manifests.images(Files.readString(Shell.PROJECT.resolve("manifests/apps/sleep.yaml"))).iterator()
                .next();
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
            Shell.succeeds("for i in {1..20}; do [ $(%s | grep helloworld | grep -c 15443) = 2 ] && exit; sleep 1; done"
                    .concat("\nexit 1").formatted(endpoints));
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

    @Tag("long") @Test void skipsExperimentsThatTheSettingsDoNotAllow() throws IOException {
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
            assertTrue(experiments.get(0).path("observations").toString().contains("istio-ingressgateway"),
                    skipped.all());
            assertTrue(experiments.get(1).path("observations").toString().contains("REGISTRY_ONLY"), skipped.all());
        } finally {
            Shell.succeeds(SO1 + "delete sidecar default -n istio-system && jbang KindDemo.java");
        }
        Shell.succeeds("jbang Verify.java --wait 60");
    }
}
