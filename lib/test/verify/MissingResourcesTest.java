package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.test.*;
import io.fabric8.kubernetes.client.KubernetesClientException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks on an API server without the resources that they need, or with empty ones: they fail with a clear message. */
@Tag("unit")
class MissingResourcesTest {
    private FakeApiServer server;
    private Kube kube;
    /** The resource under every name and the only item of every list; null if the API server has no resources. */
    private volatile String resource;

    private interface Call {
        Object run() throws Exception;
    }

    @BeforeEach void start() throws IOException {
        server = new FakeApiServer(this::answer);
        kube = server.kube(new Cluster(1, "east", "kind-of-east", "id1", "network1"), new Console(false));
    }

    private String answer(String path) {
        List<String> parts = List.of(path.substring(1).split("/"));
        int names = parts.size() - (parts.getFirst().equals("api") ? 2 : 3);
        // a resource in a namespace, or without one, or a list of them
        boolean named = parts.contains("namespaces") && names > 2 ? names == 4 : names == 2;
        if (named) return resource;
        return "{\"metadata\": {}, \"items\": [%s]}".formatted(Objects.requireNonNullElse(resource, ""));
    }

    @AfterEach void stop() {
        kube.close();
        server.close();
    }

    private Map<String, Call> calls() {
        SampleTarget app = SampleApp.TARGET;
        var mesh = new MeshChecks(List.of(kube), app, null);
        var trust = new TrustChecks(List.of(kube), app);
        var traffic = new TrafficChecks(List.of(kube), app);
        var ambient = new AmbientChecks(List.of(kube, kube), app, null);
        var platform = new ClusterChecks(List.of(kube), app, null, null, null);
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("istiodReady", () -> mesh.istiodReady(kube));
        calls.put("webhooks", () -> mesh.webhooks(kube));
        calls.put("networkLabel", () -> mesh.networkLabel(kube));
        calls.put("eastWestReady", () -> mesh.eastWestReady(kube));
        calls.put("eastWestReachable", () -> mesh.eastWestReachable(kube, 15443));
        calls.put("sameRoot", trust::sameRoot);
        calls.put("intermediate", () -> trust.intermediate(kube));
        calls.put("identity", () -> trust.identity(kube));
        calls.put("strict", () -> trust.strict(kube));
        calls.put("peerIdentity", () -> trust.peerIdentity(kube));
        calls.put("appReady", () -> traffic.appReady(kube));
        calls.put("endpoints", () -> traffic.endpoints(kube));
        calls.put("respondingClusters", () -> traffic.respondingClusters(kube, DataPlane.sidecar));
        calls.put("respondingClusters, ambient", () -> traffic.respondingClusters(kube, DataPlane.ambient));
        calls.put("cniReady", () -> ambient.cniReady(kube));
        calls.put("ztunnelReady", () -> ambient.ztunnelReady(kube));
        calls.put("enrolled", () -> ambient.enrolled(kube));
        calls.put("gatewayClasses", () -> ambient.gatewayClasses(kube));
        calls.put("multiNetwork", () -> ambient.multiNetwork(kube));
        calls.put("eastWestReady, ambient", () -> ambient.eastWestReady(kube));
        calls.put("waypoint", () -> ambient.waypoint(kube));
        calls.put("globalService", () -> ambient.globalService(kube));
        calls.put("hboneIdentity", () -> trust.hboneIdentity(kube));
        calls.put("dataPlane", () -> new InstalledIstio(kube).dataPlane());
        calls.put("nodesReady", () -> platform.nodesReady(kube));
        calls.put("systemPods", () -> platform.systemPods(kube));
        calls.put("dns", () -> platform.dns(kube));
        calls.put("remoteAddress", () -> platform.remoteAddress(kube));
        calls.put("metalLbReady", () -> platform.metalLbReady(kube));
        calls.put("addresses", () -> platform.addresses(kube));
        calls.put("network", () -> new InstalledIstio(kube).network());
        calls.put("meshConfig", () -> new InstalledIstio(kube).meshConfig());
        calls.put("gatewayAddresses", () -> new InstalledIstio(kube).gatewayAddresses("network1"));
        calls.put("clusterId", () -> new InstalledIstio(kube).clusterId());
        calls.put("checkOwnership", () -> new InstalledIstio(kube).checkOwnership(false));
        calls.put("ownUrl", new ApiServer(kube)::ownUrl);
        calls.put("clusterFacts", () -> Results.ClusterFacts.of(kube, true));
        calls.put("problems", () -> new Pods(kube, "sample").problems());
        calls.put("cannotRecover", () -> new Pods(kube, "sample").cannotRecover());
        calls.put("clusterOfPod", traffic::clusterOfPod);
        return calls;
    }

    /** The calls that end neither with a result nor with a message for the user. */
    private Map<String, String> defects() {
        Map<String, String> defects = new LinkedHashMap<>();
        calls().forEach((name, call) -> {
            try {
                call.run();
            } catch (Problem | KubernetesClientException e) {
                // a message for the user
            } catch (Exception e) {
                defects.put(name, e + " at " + Arrays.stream(e.getStackTrace())
                        .filter(frame -> frame.getClassName().startsWith("lib.")).findFirst().orElse(null));
            }
        });
        return defects;
    }

    @Test void reportsMissingResources() { assertEquals(Map.of(), defects()); }

    /** Resources of other users may lack every field that the API server does not require. */
    @ParameterizedTest @ValueSource(strings = {"",
            ", \"data\": {\"mesh\": \"\"}, \"webhooks\": [{}], \"subsets\": [{}]", ", \"endpoints\": null"})
    void acceptsResourcesWithoutContent(String rest) {
        resource = """
                {"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"},
                 "spec": {"replicas": 1, "template": {"spec": {"containers": [{"env": [{"name": "CLUSTER_ID"}]}]}},
                          "containers": [{"name": "istio-proxy"}], "type": "LoadBalancer"},
                 "status": {"loadBalancer": {"ingress": [{}]},
                            "containerStatuses": [{"restartCount": 0, "state": {}}]}%s}
                """.formatted(rest);
        assertEquals(Map.of(), defects());
        resource = resource.replaceFirst("(?s)\"containerStatuses.*?]",
                "\"podIP\": \"1.2.3.4\", \"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}]");
        assertEquals(Map.of(), defects(), "with ready pods");
    }

    @Test void namesTheMissingEastWestService() {
        resource = null;
        var checks = new MeshChecks(List.of(kube), SampleApp.TARGET, null);
        String message = assertThrows(Problem.class, () -> checks.eastWestReachable(kube, 15443)).getMessage();
        assertTrue(message.contains("there is no service istio-eastwestgateway in istio-system"), message);
        assertEquals("", new InstalledIstio(kube).network());
    }
}
