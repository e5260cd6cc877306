package lib.observe;

import module java.base;
import lib.kube.*;

/** The demo's Kiali, asked through the API server of its cluster. */
public record Kiali(Kube kube) {
    /** Its deployment and service. */
    public static final String NAME = "kiali";
    /** The Secret with a kubeconfig for each other cluster. https://kiali.io/docs/configuration/multi-cluster/ */
    static final String CLUSTERS = "kiali-multi-cluster-secret";

    /** Kiali's names of the clusters whose kubeconfigs it has read, and of its own. */
    public Set<String> clusters() {
        Set<String> names = new TreeSet<>();
        Workload.get(kube, "Kiali", NAME, "/kiali/api/config").path("clusters").fieldNames()
                .forEachRemaining(names::add);
        return names;
    }

    /** The command that opens Kiali where no port is mapped. */
    public static String dashboard(Cluster cluster) {
        return "istioctl dashboard kiali --context " + cluster.quotedContext();
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
