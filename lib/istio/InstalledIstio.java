package lib.istio;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.utils.Serialization;

/** The Istio that is in a cluster, whoever put it there. */
public record InstalledIstio(Kube kube) {
    public static final String EAST_WEST = "istio-eastwestgateway";
    /** The label by which istioctl tells what it rendered a resource for. */
    public static final String COMPONENT = "operator.istio.io/component";

    /** The clusters of a mesh as their control planes describe themselves: another mesh than ours has IDs and networks of its own. */
    public static Mesh describe(Mesh named, Console console) {
        return new Mesh(named.clusters().stream().map(cluster -> {
            try (Kube kube = new Kube(cluster, console)) {
                InstalledIstio istio = new InstalledIstio(kube);
                return new Cluster(cluster.index(), cluster.name(), cluster.context(), istio.clusterId(), istio.network());
            }
        }).toList());
    }

    /**
     * The mesh with the IDs that earlier runs gave to clusters of the user's: the other clusters know them by these. A
     * cluster that does not answer keeps the one in {@code named}.
     */
    public static Mesh withKeptIds(Mesh named, Console console) {
        return distinct(named.clusters().stream().map(cluster -> cluster.isKind() ? cluster
                : withKeptIds(new Kube(cluster, console))).toList());
    }

    public static Cluster withKeptIds(Kube kube) {
        Cluster cluster = kube.cluster();
        try (kube) {
            boolean applied = istiods(kube).stream().flatMap(d -> d.getMetadata().getManagedFields().stream())
                    .anyMatch(f -> Kube.MANAGER.equals(f.getManager()));
            String id = applied ? new InstalledIstio(kube).clusterId() : "";
            return !id.startsWith(Cluster.ID) ? cluster
                    : Cluster.existing(cluster.index(), cluster.context(), id.substring(Cluster.ID.length()));
        } catch (KubernetesClientException | Problem e) {
            return cluster; // preflight reports what is wrong with it
        }
    }

    /** Earlier versions could give one ID to two clusters, and one that another has now: the first keeps it. */
    public static Mesh distinct(List<Cluster> clusters) {
        List<Cluster> oldestFirst = clusters.stream()
                .sorted(Comparator.comparing(Cluster::hasOwnId).thenComparing(Cluster::index)).toList();
        Map<Cluster, Cluster> distinct = new HashMap<>();
        for (Cluster cluster : oldestFirst) {
            boolean taken = distinct.values().stream().anyMatch(c -> c.id().equals(cluster.id()));
            distinct.put(cluster, !taken ? cluster
                    : Cluster.existing(cluster.index(), cluster.context(), DnsLabel.hashed(cluster.context())));
        }
        return new Mesh(clusters.stream().map(distinct::get).toList());
    }

    private static List<Deployment> istiods(Kube kube) {
        return kube.client().apps().deployments().inNamespace(Mesh.NAMESPACE).withLabel("app", "istiod").list().getItems();
    }

    /** Says whether the demo's Istio is in the cluster; a {@link Problem} when it is another one's, and that may not be touched. */
    public String checkOwnership(boolean force) {
        try {
            var istiod = kube.client().apps().deployments().inAnyNamespace().withLabel("app", "istiod").list().getItems();
            var others = istiod.stream().filter(d -> !Kube.isManaged(d)).map(d -> d.getMetadata().getNamespace()).toList();
            if (!others.isEmpty() && !force) throw Problem.unmet("%s has an Istio that the demo did not install, in %s; it stays untouched"
                    .formatted(kube.cluster(), others), "choose other clusters, or put the demo's over it with --force");
            return istiod.isEmpty() ? "no Istio yet" : others.isEmpty() ? "the demo's own" : "another one's, in " + others;
        } catch (KubernetesClientException e) {
            throw Problem.unmet("%s: %s".formatted(kube.cluster(), Kube.reason(e)), kube.kubectl() + " get nodes");
        }
    }

    /** Whether a resource, of a manifest or in the cluster, belongs to a gateway. */
    public static boolean isGateway(HasMetadata resource) {
        Map<String, String> labels = Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.of());
        return labels.getOrDefault(COMPONENT, "").endsWith("Gateways");
    }

    /** What istiod was told of the mesh, https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/ */
    public JsonNode meshConfig() {
        var config = kube.client().configMaps().inNamespace(Mesh.NAMESPACE).withName("istio").get();
        String mesh = config == null ? "" : config.getData().getOrDefault("mesh", "");
        return Serialization.unmarshal(mesh.isBlank() ? "{}" : mesh, JsonNode.class);
    }

    /** The cluster's ID, as its istiod was told; a {@link Problem} when it has none. */
    public String clusterId() {
        try {
            return istiods(kube).stream().flatMap(d -> d.getSpec().getTemplate().getSpec().getContainers().stream())
                    .flatMap(c -> c.getEnv().stream()).filter(e -> e.getName().equals("CLUSTER_ID") && e.getValue() != null)
                    .map(EnvVar::getValue).findFirst().orElseThrow(() -> Problem.failed(
                            "%s: there is no istiod in %s".formatted(kube.cluster(), Mesh.NAMESPACE), "istioctl version --context "
                            + kube.cluster().quotedContext()));
        } catch (KubernetesClientException e) {
            throw Problem.failed("%s: %s".formatted(kube.cluster(), Kube.reason(e)), kube.kubectl() + " get nodes");
        }
    }

    /**
     * Where other networks reach a network: the addresses of the services that istiod takes for its gateways.
     * https://istio.io/latest/docs/reference/config/labels/#TopologyNetwork
     */
    public Set<String> gatewayAddresses(String network) {
        return kube.client().services().inAnyNamespace().withLabel("topology.istio.io/network", network).list()
                .getItems().stream().flatMap(s -> Stream.concat(Kube.addresses(s).stream(), s.getSpec().getExternalIPs().stream()))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The network that istiod takes the cluster to be on; empty when it was not told. */
    public String network() {
        var namespace = kube.client().namespaces().withName(Mesh.NAMESPACE).get();
        var labels = namespace == null ? null : namespace.getMetadata().getLabels();
        return labels == null ? "" : labels.getOrDefault("topology.istio.io/network", "");
    }
}
