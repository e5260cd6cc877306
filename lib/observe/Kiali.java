package lib.observe;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.client.KubernetesClientException;

/** The demo's Kiali, asked through the API server of its cluster. */
public record Kiali(Kube kube) {
    /** Its deployment and service. */
    public static final String NAME = "kiali";
    /** The Secret with a kubeconfig for each other cluster. https://kiali.io/docs/configuration/multi-cluster/ */
    static final String CLUSTERS = "kiali-multi-cluster-secret";

    /** The clusters that it has read the secrets of, by the names that it uses. */
    public Set<String> clusters() {
        String url = "/api/v1/namespaces/%s/services/%s:http/proxy/kiali/api/config".formatted(Mesh.NAMESPACE,
                NAME);
        try {
            String answer = kube.client().raw(url);
            JsonNode clusters = new ObjectMapper().readTree(Objects.requireNonNullElse(answer, "{}")).path("clusters");
            Set<String> names = new TreeSet<>();
            clusters.fieldNames().forEachRemaining(names::add);
            return names;
        } catch (KubernetesClientException | IOException e) {
            String reason = e instanceof KubernetesClientException k ? Kube.reason(k) : e.getMessage();
            throw Problem.failed("%s: Kiali does not answer: %s".formatted(kube.cluster(), reason),
                    "%s -n %s logs deploy/%s".formatted(kube.kubectl(), Mesh.NAMESPACE, NAME));
        }
    }

    /**
     * The page that shows the sample application's requests of the last minute, in a box for each cluster.
     *
     * @param address where the page is, as HOST:PORT
     */
    public static String graph(String address, String namespace) {
        return ("http://%s/kiali/console/graph/namespaces?namespaces=%s&graphType=versionedApp&duration=60"
                + "&refresh=15000&boxCluster=true&boxNamespace=false").formatted(address, namespace);
    }
}
