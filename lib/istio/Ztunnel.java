package lib.istio;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.Pod;

/**
 * The configuration of the ztunnel on a node, through which all pods of the node send and receive their traffic.
 * https://istio.io/latest/docs/ambient/architecture/data-plane/
 */
public record Ztunnel(JsonNode config) {
    /**
     * An endpoint of a service.
     *
     * @param address   of a pod on this network, or of the gateway of another network
     * @param network   the other network; empty for a pod
     * @param instances how many pods are behind the gateway; 1 for a pod
     */
    public record Endpoint(String address, String network, int instances, boolean healthy) {
        @Override public String toString() {
            String text = network.isEmpty() ? address
                    : "%s (gateway of %s, %d instances)".formatted(address, network, instances);
            return healthy ? text : text + " unhealthy";
        }
    }

    public static Ztunnel of(Kube kube, Istioctl istioctl, String node) throws IOException {
        return new Ztunnel(new ObjectMapper().readTree(istioctl.ztunnelConfig(kube.cluster(), node)));
    }

    /** The ready ztunnel pod on a node; a {@link Problem} when there is none. */
    public static Pod pod(Kube kube, String node) {
        return findPod(kube, node).orElseThrow(() -> Problem.failed("%s: there is no ready ztunnel on the node %s"
                .formatted(kube.cluster(), node), "%s get pods -n %s -l app=%s -o wide".formatted(
                        kube.kubectl(), Mesh.NAMESPACE, InstalledIstio.ZTUNNEL)));
    }

    public static Optional<Pod> findPod(Kube kube, String node) {
        return kube.client().pods().inNamespace(Mesh.NAMESPACE).withLabel("app", InstalledIstio.ZTUNNEL)
                .withField("spec.nodeName", node).list().getItems().stream()
                .filter(Pods::isReady).findFirst();
    }

    /** The endpoints of the service with this full host name. */
    public List<Endpoint> endpoints(String host) {
        Map<String, JsonNode> workloads = new HashMap<>();
        for (JsonNode workload : config.path("workloads")) workloads.put(workload.path("uid").asText(), workload);
        List<Endpoint> endpoints = new ArrayList<>();
        for (JsonNode service : config.path("services")) {
            if (!service.path("hostname").asText().equals(host)) continue;
            for (JsonNode endpoint : service.path("endpoints")) {
                JsonNode workload = workloads.get(endpoint.path("workloadUid").asText());
                if (workload != null) endpoints.add(endpoint(workload));
            }
        }
        endpoints.sort(Comparator.comparing(Endpoint::network).thenComparing(Endpoint::address));
        return endpoints;
    }

    private static Endpoint endpoint(JsonNode workload) {
        boolean healthy = workload.path("status").asText("Healthy").equals("Healthy");
        // such as network2/172.18.1.200
        String gateway = workload.at("/networkGateway/destination").asText("");
        if (gateway.isEmpty()) return new Endpoint(workload.at("/workloadIps/0").asText(), "", 1, healthy);
        String network = gateway.substring(0, gateway.indexOf('/')), address = gateway.substring(network.length() + 1);
        return new Endpoint(address, network, workload.path("capacity").asInt(1), healthy);
    }

    /** Its certificate for an identity, with the chain, as PEM; empty without one. */
    public String certificates(String identity) { return pem(identity, "certChain"); }

    /** The roots that it trusts with an identity, as PEM; empty when it has none. */
    public String roots(String identity) { return pem(identity, "rootCerts"); }

    private String pem(String identity, String list) {
        StringBuilder pem = new StringBuilder();
        for (JsonNode entry : config.path("certificates"))
            if (entry.path("identity").asText().equals(identity))
                for (String base64 : entry.path(list).findValuesAsText("pem"))
                    pem.append(new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8)).append('\n');
        return pem.toString();
    }
}
