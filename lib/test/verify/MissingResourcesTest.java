package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks on an API server that lacks what they look for, or has it without content: a clear failure, and no exception of Java's own. */
@Tag("unit")
class MissingResourcesTest {
    private HttpServer server;
    private Kube kube;
    /** What the API server has under every name, and in every list; null for nothing. */
    private volatile String resource;

    private interface Look {
        Object at() throws Exception;
    }

    @BeforeEach void serve() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            List<String> path = List.of(exchange.getRequestURI().getPath().substring(1).split("/"));
            int names = path.size() - (path.getFirst().equals("api") ? 2 : 3);
            // a resource in a namespace, or without one, or a list of them
            boolean named = path.contains("namespaces") && names > 2 ? names == 4 : names == 2;
            String answer = named ? resource : "{\"metadata\": {}, \"items\": [%s]}".formatted(Objects.requireNonNullElse(resource, ""));
            byte[] body = Objects.requireNonNullElse(answer, "{\"kind\": \"Status\", \"code\": 404, \"message\": \"not found\"}")
                    .getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(answer == null ? 404 : 200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        Config config = new ConfigBuilder(Config.empty()).withMasterUrl("http://127.0.0.1:" + server.getAddress().getPort())
                .withRequestRetryBackoffLimit(0).build();
        kube = new Kube(new Cluster(1, "east", "kind-of-east", "id1", "network1"), new Console(false),
                new KubernetesClientBuilder().withConfig(config).build());
    }

    @AfterEach void stop() {
        kube.close();
        server.stop(0);
    }

    private Map<String, Look> looks() {
        SampleTarget app = SampleApp.TARGET;
        var mesh = new MeshChecks(List.of(kube), app, null);
        var trust = new TrustChecks(List.of(kube), app);
        var traffic = new TrafficChecks(List.of(kube), app);
        var platform = new ClusterChecks(List.of(kube), app, null, null, null);
        Map<String, Look> looks = new LinkedHashMap<>();
        looks.put("istiodReady", () -> mesh.istiodReady(kube));
        looks.put("webhooks", () -> mesh.webhooks(kube));
        looks.put("networkLabel", () -> mesh.networkLabel(kube));
        looks.put("eastWestReady", () -> mesh.eastWestReady(kube));
        looks.put("eastWestReachable", () -> mesh.eastWestReachable(kube));
        looks.put("sameRoot", trust::sameRoot);
        looks.put("intermediate", () -> trust.intermediate(kube));
        looks.put("identity", () -> trust.identity(kube));
        looks.put("strict", () -> trust.strict(kube));
        looks.put("peerIdentity", () -> trust.peerIdentity(kube));
        looks.put("appReady", () -> traffic.appReady(kube));
        looks.put("endpoints", () -> traffic.endpoints(kube));
        looks.put("respondingClusters", () -> traffic.respondingClusters(kube));
        looks.put("nodesReady", () -> platform.nodesReady(kube));
        looks.put("systemPods", () -> platform.systemPods(kube));
        looks.put("dns", () -> platform.dns(kube));
        looks.put("remoteAddress", () -> platform.remoteAddress(kube));
        looks.put("metalLbReady", () -> platform.metalLbReady(kube));
        looks.put("addresses", () -> platform.addresses(kube));
        looks.put("network", () -> new InstalledIstio(kube).network());
        looks.put("meshConfig", () -> new InstalledIstio(kube).meshConfig());
        looks.put("gatewayAddresses", () -> new InstalledIstio(kube).gatewayAddresses("network1"));
        looks.put("clusterId", () -> new InstalledIstio(kube).clusterId());
        looks.put("noneButOurs", () -> new InstalledIstio(kube).checkOwnership(false));
        looks.put("ownServer", kube::ownServer);
        looks.put("facts", () -> Results.ClusterFacts.of(kube, true));
        looks.put("symptoms", () -> new Pods(kube, "sample").problems());
        looks.put("hopeless", () -> new Pods(kube, "sample").cannotRecover());
        looks.put("clusterOfPod", traffic::clusterOfPod);
        return looks;
    }

    /** Every look that ends with something else than a result or a failure in words. */
    private Map<String, String> defects() {
        Map<String, String> defects = new LinkedHashMap<>();
        looks().forEach((name, look) -> {
            try {
                look.at();
            } catch (Problem | KubernetesClientException e) {
                // told in words
            } catch (Exception e) {
                defects.put(name, e + " at " + Arrays.stream(e.getStackTrace()).filter(frame -> frame.getClassName().startsWith("lib."))
                        .findFirst().orElse(null));
            }
        });
        return defects;
    }

    @Test void everyCheckSaysWhatIsMissing() { assertEquals(Map.of(), defects()); }

    /** As somebody else may have made them: all that the API server does not require is absent. */
    @ParameterizedTest @ValueSource(strings = {"", ", \"data\": {\"mesh\": \"\"}, \"webhooks\": [{}], \"subsets\": [{}]",
            ", \"endpoints\": null"})
    void everyCheckCopesWithWhatHasNoContent(String rest) {
        resource = """
                {"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"},
                 "spec": {"replicas": 1, "template": {"spec": {"containers": [{"env": [{"name": "CLUSTER_ID"}]}]}},
                          "containers": [{"name": "istio-proxy"}], "type": "LoadBalancer"},
                 "status": {"loadBalancer": {"ingress": [{}]}, "containerStatuses": [{"restartCount": 0, "state": {}}]}%s}
                """.formatted(rest);
        assertEquals(Map.of(), defects());
        resource = resource.replaceFirst("(?s)\"containerStatuses.*?]",
                "\"podIP\": \"1.2.3.4\", \"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}]");
        assertEquals(Map.of(), defects(), "with ready pods");
    }

    @Test void aMissingEastWestServiceIsNamed() {
        resource = null;
        Problem problem = assertThrows(Problem.class, () -> new MeshChecks(List.of(kube), SampleApp.TARGET, null).eastWestReachable(kube));
        assertTrue(problem.getMessage().contains("there is no service istio-eastwestgateway in istio-system"), problem.getMessage());
        assertEquals("", new InstalledIstio(kube).network());
    }
}
