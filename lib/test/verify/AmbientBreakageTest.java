package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import lib.experiments.*;
import lib.istio.*;
import lib.test.*;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Breaks a real ambient mesh, one thing at a time: Verify must report it, and pass after the repair. Most of these
 * faults are silent: requests are still answered, but only by their own cluster.
 */
@Tag("long")
class AmbientBreakageTest {
    private static final String SO1 = "kubectl --context kind-so1 ", SO2 = "kubectl --context kind-so2 ",
            KIND_DEMO = "jbang KindDemo.java",
            GLOBAL = "label service helloworld -n sample --overwrite istio.io/global";

    @RegisterExtension static final OwnDemo DEMO = OwnDemo.inTheUsersKubeconfig();

    @BeforeAll static void up() {
        Probe.requireZtunnel();
        DEMO.succeeds("jbang KindDemo.java --dataplane ambient");
    }

    @Test void randomKills() throws IOException {
        assertTrue(Soak.run(Duration.ofSeconds(60), 7, DataPlane.ambient) < 0.01,
                "requests were lost while istiods were killed");
        Shell.succeeds("jbang Verify.java --wait 60");
    }

    @Test void aServiceThatIsNotGlobalHere() throws IOException {
        BreakageTest.fails(SO1 + GLOBAL + "-", SO1 + GLOBAL + "=true", "endpoints", "global-service", "so1");
    }

    @Test void aServiceThatIsNotGlobalThere() throws IOException {
        BreakageTest.fails(SO2 + GLOBAL + "-", SO2 + GLOBAL + "=true", "endpoints", "global-service", "so2");
    }

    @Test void anIstiodWithoutMultiNetwork() throws IOException {
        String set = "set -e\n" + SO1 + "set env deployment/istiod -n istio-system AMBIENT_ENABLE_MULTI_NETWORK%s\n"
                + SO1 + "rollout status deployment/istiod -n istio-system --timeout 120s";
        BreakageTest.fails(set.formatted("-"), set.formatted("=true"), "control plane", "multi-network", "so1");
    }

    @Test void aMissingNetworkLabel() throws IOException {
        BreakageTest.fails(SO2 + "label namespace istio-system topology.istio.io/network-", KIND_DEMO, "control plane",
                "network-label", "so2");
    }

    @Test void aDeletedRemoteSecret() throws IOException {
        BreakageTest.fails(SO2 + "delete secret -n istio-system istio-remote-secret-istio-so1", KIND_DEMO,
                "control plane", "remote-clusters-synced", "so2");
    }

    /** The status of its Gateway remains Programmed. */
    @Test void aStoppedEastWestGateway() throws IOException {
        String scale = SO2 + "scale deployment -n istio-system istio-eastwestgateway --replicas ";
        BreakageTest.fails(scale + 0, scale + 1, "east-west", "gateway-ready", "so2");
    }

    @Test void noLoadBalancerAddress() throws IOException {
        BreakageTest.fails(SO2 + "delete ipaddresspools -n metallb-system --all", KIND_DEMO, "load balancer",
                "addresses", "so2");
    }

    @Test void aNamespaceOutsideOfTheMesh() throws IOException {
        String label = SO2 + "label namespace sample --overwrite istio.io/dataplane-mode";
        BreakageTest.fails(label + "-", label + "=ambient", "data plane", "enrolled", "so2");
    }

    @Test void differentRoots(@TempDir Path folder) throws Exception {
        String ztunnel = SO2 + "rollout %s daemonset ztunnel -n istio-system\n";
        String gateways = "istio-eastwestgateway istio-ingressgateway";
        BreakageTest.differentRoots(folder, BreakageTest.restart("istio-system", gateways, 120)
                + ztunnel.formatted("restart") + ztunnel.formatted("status --timeout 120s"));
    }

    @Test void aNodeWithoutZtunnel() throws IOException {
        String patch = SO2 + "patch daemonset ztunnel -n istio-system --type merge -p "
                + "'{\"spec\": {\"template\": {\"spec\": {\"nodeSelector\": {\"nowhere\": %s}}}}}'";
        BreakageTest.fails(patch.formatted("\"true\""), patch.formatted("null"), "data plane", "ztunnel-ready", "so2");
    }

    @Test void aNodeWithoutIstioCni() throws IOException {
        String patch = SO2 + "patch daemonset istio-cni-node -n istio-system --type merge -p "
                + "'{\"spec\": {\"template\": {\"spec\": {\"nodeSelector\": {\"nowhere\": %s}}}}}'";
        BreakageTest.fails(patch.formatted("\"true\""), patch.formatted("null"), "data plane", "cni-ready", "so2");
    }

    @Test void aWaypointInOneClusterOnly() throws IOException {
        DEMO.succeeds("jbang KindDemo.java --waypoints");
        String label = SO2 + "label service helloworld -n sample --overwrite istio.io/use-waypoint";
        try {
            BreakageTest.fails(label + "-", label + "=waypoint", "control plane", "waypoint", "so2");
        } finally {
            DEMO.succeeds("jbang KindDemo.java --no-waypoints");
        }
    }

    /** Another controller takes over the class while istiod is down. istiod then does not change it. */
    @Test void aRejectedGatewayClass() throws IOException {
        String scale = SO2 + "scale deployment -n istio-system istiod --replicas ";
        String fault = """
                set -e
                %2$s0
                %1$swait pods -n istio-system -l app=istiod --for=delete --timeout 60s
                %1$sdelete gatewayclass istio-east-west
                %1$sapply -f - <<EOF
                {apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio-east-west},
                 spec: {controllerName: example.org/other}}
                EOF
                %2$s1
                %1$srollout status deployment/istiod -n istio-system --timeout 120s""".formatted(SO2, scale);
        BreakageTest.fails(fault, SO2 + "delete gatewayclass istio-east-west", "control plane", "gateway-classes",
                "so2");
    }

    @Test void acceptedPlaintext() throws IOException {
        BreakageTest.fails(SO2 + "delete peerauthentication -n sample strict", KIND_DEMO, "traffic", "strict", "so2");
    }

    @Test void anotherTrustDomain() throws IOException {
        String trust = "set -o pipefail; %1$sget configmap istio -n istio-system -o yaml | ".formatted(SO2)
                + "sed 's/trustDomain: .*/trustDomain: %s/' | " + SO2 + "replace -f -";
        BreakageTest.fails(trust.formatted("elsewhere.test"), trust.formatted("cluster.local"), "trust", "identity",
                "so2");
    }
}
