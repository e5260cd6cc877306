package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Steps that fail for real: KindDemo reports the last state and writes diagnostics without secrets, and the next run
 * resumes.
 */
@Tag("long")
class FailureTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    @TempDir Path folder;

    /** A copy of the manifests with one change. */
    private String manifests(String file, String what, String by) throws IOException {
        Path copy = folder.resolve("manifests"), changed = copy.resolve(file);
        Shell.succeeds("cp -r manifests '%s'".formatted(copy));
        assertTrue(Files.readString(changed).contains(what));
        Files.writeString(changed, Files.readString(changed).replace(what, by));
        return " --manifests '%s'".formatted(copy);
    }

    private void fails(Shell.Result run, String... words) throws IOException {
        System.out.println(run.err());
        assertEquals(Problem.FAILED, run.exitCode(), run.all());
        for (String w : words) assertTrue(run.err().contains(w), "expected '%s' in\n%s".formatted(w, run.err()));
        assertFalse(run.err().contains("\tat ") || run.err().contains("this is a defect"), run.err());
        Path diagnostics = demo.state().resolve("diagnostics");
        assertTrue(run.err().contains("diagnostics, without secrets, are in " + diagnostics), run.err());
        for (String file : List.of("versions.txt", "timings.txt", "log.txt", "so1/pods.yaml", "so1/events.txt",
                "so1/node-so1-control-plane.txt"))
            assertTrue(Files.size(diagnostics.resolve(file)) > 0, file);
        assertEquals("", Shell.secretsIn(diagnostics), "secrets are in the diagnostics");
    }

    /** Runs KindDemo, and these commands as soon as the cluster so1 is complete. Expects these words in the error. */
    private void failsAfter(String trouble, String... words) throws IOException {
        Process other = new ProcessBuilder("bash", "-c",
                "until docker exec so1-control-plane test -e /kind/kind-demo; do sleep 0.5; done 2>/dev/null\n"
                + trouble).start();
        try {
            fails(demo.run("jbang KindDemo.java"), words);
        } finally {
            other.destroy();
        }
    }

    @Test void anImageThatCannotBePulled() throws IOException {
        fails(demo.run("jbang KindDemo.java"
                + manifests("apps/sleep.yaml", "imagePullPolicy: IfNotPresent", "imagePullPolicy: Always")),
                "sample app", "ImagePullBackOff", "Failed: ", "docker.io/curlimages/curl");
        demo.succeeds("jbang KindDemo.java");
        demo.succeeds("jbang Verify.java");
    }

    /** kubeadm rejects such an old Kubernetes at once. The node is removed, and its log is in the diagnostics. */
    @Test void aClusterThatKindCannotCreate() throws IOException {
        fails(demo.run("jbang KindDemo.java --clusters 1" + manifests("kind/cluster.yaml", "networking:\n", """
                kubeadmConfigPatches:
                - |
                  kind: ClusterConfiguration
                  kubernetesVersion: v1.9.0
                networking:
                """)), "so1: kind cluster", "kind could not create it; its nodes are removed");
        String log = Files.readString(demo.state().resolve("diagnostics/so1/node-so1-control-plane.txt"));
        assertTrue(log.contains("containerd"), log);
        assertEquals("", Shell.run("docker ps --all --quiet --filter name=so1-control-plane").out());
        demo.succeeds("jbang KindDemo.java --clusters 1");
    }

    @Test void anIstiodThatCrashes() throws IOException {
        fails(demo.run("jbang KindDemo.java" + manifests("istio/istio.yaml", "  components:\n", """
                  components:
                    pilot:
                      k8s:
                        overlays:
                        - kind: Deployment
                          name: istiod
                          patches:
                          - {path: "spec.template.spec.containers.[name:discovery].args.[0]", value: no-such-command}
                """)),
                "istiod", "CrashLoopBackOff", "BackOff", "last lines of discovery");
        demo.succeeds("jbang KindDemo.java");
        demo.succeeds("jbang Verify.java");
    }

    @Test void aNodeThatIsNotReady() throws IOException {
        failsAfter("docker exec so1-control-plane systemctl stop kubelet", "so1: ",
                "node so1-control-plane: not Ready: Kubelet stopped posting node status");
        demo.succeeds("docker exec so1-control-plane systemctl start kubelet");
        demo.succeeds("jbang KindDemo.java");
        demo.succeeds("jbang Verify.java --wait 60");
    }

    /**
     * The kubelet is configured to report a full disk;
     * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
     */
    @Test void aNodeWithoutRoomOnItsDisk() throws IOException {
        fails(demo.run("jbang KindDemo.java --clusters 1" + manifests("kind/cluster.yaml", "networking:\n", """
                kubeadmConfigPatches:
                - |
                  kind: KubeletConfiguration
                  evictionHard: {nodefs.available: "99.9%"}
                networking:
                """)),
                "so1: ", "node so1-control-plane: DiskPressure: kubelet has disk pressure", "FailedScheduling",
                "untolerated taint");
        Shell.Result verify = demo.run("jbang Verify.java --wait 0");
        assertTrue(verify.out().contains("nodes-ready: node so1-control-plane: DiskPressure"), verify.out());
    }

    @Test void aWebhookThatRejectsResources() throws IOException {
        failsAfter("""
                docker exec -i so1-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<'WEBHOOK'
                apiVersion: admissionregistration.k8s.io/v1
                kind: ValidatingWebhookConfiguration
                metadata: {name: refuses}
                webhooks:
                - name: refuses.example.com
                  rules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
                  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: sample}}
                  clientConfig: {service: {namespace: default, name: nobody}}
                  sideEffects: None
                  admissionReviewVersions: [v1]
                WEBHOOK
                """, "so1: sample app", "Deployment ", "failed calling webhook \"refuses.example.com\"");
        demo.succeeds("kubectl --context kind-so1 delete validatingwebhookconfiguration refuses"
                + " && jbang KindDemo.java");
        demo.succeeds("jbang Verify.java");
    }

    @Test void anApiServerThatGoesMidWay() throws IOException {
        failsAfter("docker exec so1-control-plane mv /etc/kubernetes/manifests/kube-apiserver.yaml /kind/", "so1: ",
                "API server");
        demo.succeeds("docker exec so1-control-plane mv /kind/kube-apiserver.yaml /etc/kubernetes/manifests/");
        demo.succeeds("jbang KindDemo.java");
        demo.succeeds("jbang Verify.java");
    }
}
