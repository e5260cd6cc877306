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

/** The Istio that is installed in a cluster, by the demo or by others. */
public record InstalledIstio(Kube kube) {
    public static final String EAST_WEST = "istio-eastwestgateway";
    /** The daemon sets of an ambient mesh. */
    public static final String CNI = "istio-cni-node", ZTUNNEL = "ztunnel";
    /** The label in which istioctl names the component of a resource. */
    public static final String COMPONENT = "operator.istio.io/component";
    /** The label of what istiod creates for a Gateway of the Gateway API. */
    public static final String GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";
    private static final String NETWORK = "topology.istio.io/network";

    /** The mesh with the IDs and networks of its control planes: a mesh that the demo did not create has others. */
    public static Mesh describe(Mesh named, Console console) {
        return new Mesh(named.clusters().stream().map(cluster -> {
            try (Kube kube = new Kube(cluster, console)) {
                InstalledIstio istio = new InstalledIstio(kube);
                return new Cluster(cluster.index(), cluster.name(), cluster.context(), istio.clusterId(),
                        istio.network());
            }
        }).toList());
    }

    /** The mesh with the IDs that earlier runs gave to existing clusters: the other clusters know them by these. */
    public static Mesh withKeptIds(Mesh named, Console console) {
        return distinct(named.clusters().stream()
                .map(cluster -> cluster.isKind() ? cluster : withKeptIds(new Kube(cluster, console))).toList());
    }

    /** A cluster with the ID that an earlier run gave to it; unchanged when the cluster does not answer. */
    public static Cluster withKeptIds(Kube kube) {
        Cluster cluster = kube.cluster();
        try (kube) {
            boolean ours = istiods(kube).stream().anyMatch(Kube::isApplied);
            String id = ours ? new InstalledIstio(kube).clusterId() : "";
            if (!id.startsWith(Cluster.ID)) return cluster;
            return Cluster.existing(cluster.index(), cluster.context(), id.substring(Cluster.ID.length()));
        } catch (KubernetesClientException | Problem e) {
            return cluster; // preflight reports the failure
        }
    }

    /** A mesh of distinct IDs. Earlier versions could give one ID to two clusters: one of them keeps it. */
    public static Mesh distinct(List<Cluster> clusters) {
        List<Cluster> oldestFirst = clusters.stream()
                .sorted(Comparator.comparing(Cluster::hasOwnId).thenComparing(Cluster::index)).toList();
        Set<String> ids = new HashSet<>();
        Map<Cluster, Cluster> distinct = new HashMap<>();
        for (Cluster cluster : oldestFirst) {
            Cluster kept = cluster;
            if (ids.contains(cluster.id()))
                kept = Cluster.existing(cluster.index(), cluster.context(), DnsLabel.hashed(cluster.context()));
            ids.add(kept.id());
            distinct.put(cluster, kept);
        }
        return new Mesh(clusters.stream().map(distinct::get).toList());
    }

    private static List<Deployment> istiods(Kube kube) {
        return kube.client().apps().deployments().inNamespace(Mesh.NAMESPACE).withLabel("app", "istiod").list()
                .getItems();
    }

    /** Whether a resource, of a manifest or in the cluster, belongs to a gateway. */
    public static boolean isGateway(HasMetadata resource) {
        Map<String, String> labels = Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.of());
        return labels.getOrDefault(COMPONENT, "").endsWith("Gateways") || labels.containsKey(GATEWAY_NAME);
    }

    /**
     * Reports whose Istio is in the cluster.
     *
     * @param force whether another Istio than the demo's may be replaced
     * @throws Problem when there is another Istio that may not be replaced
     */
    public String checkOwnership(boolean force) {
        try {
            var istiods = kube.client().apps().deployments().inAnyNamespace().withLabel("app", "istiod").list()
                    .getItems();
            List<String> others = new ArrayList<>();
            for (Deployment istiod : istiods)
                if (!Kube.isManaged(istiod)) others.add(istiod.getMetadata().getNamespace());
            if (!others.isEmpty() && !force)
                throw Problem.unmet("%s has an Istio that the demo did not install, in %s; it stays untouched"
                        .formatted(kube.cluster(), others), "choose other clusters, or replace it: --force");
            if (!others.isEmpty()) return "another Istio, in " + others;
            return istiods.isEmpty() ? "no Istio yet" : "the demo's Istio";
        } catch (KubernetesClientException e) {
            throw Problem.unmet("%s: %s".formatted(kube.cluster(), Kube.reason(e)), kube.kubectl() + " get nodes");
        }
    }

    /** Istiod's mesh configuration, https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/ */
    public JsonNode meshConfig() {
        var config = kube.client().configMaps().inNamespace(Mesh.NAMESPACE).withName("istio").get();
        String mesh = config == null ? "" : config.getData().getOrDefault("mesh", "");
        return Serialization.unmarshal(mesh.isBlank() ? "{}" : mesh, JsonNode.class);
    }

    /** The trust domain of the cluster's SPIFFE IDs; Istio's default if none is set. */
    public String trustDomain() { return meshConfig().path("trustDomain").asText("cluster.local"); }

    /** The cluster's ID in its istiod; a {@link Problem} when there is no istiod, or it has no ID. */
    public String clusterId() {
        return environment("CLUSTER_ID").orElseThrow(() -> Problem.failed("%s: there is no istiod in %s".formatted(
                kube.cluster(), Mesh.NAMESPACE), "istioctl version --context " + kube.cluster().quotedContext()));
    }

    /** The data plane that istiod is installed for; empty without an istiod. */
    public Optional<DataPlane> dataPlane() {
        if (istiods(kube).isEmpty()) return Optional.empty();
        return Optional.of(environment("PILOT_ENABLE_AMBIENT").orElse("").equals("true") ? DataPlane.ambient
                : DataPlane.sidecar);
    }

    /** A variable of istiod. */
    public Optional<String> environment(String name) {
        try {
            return istiods(kube).stream().flatMap(d -> d.getSpec().getTemplate().getSpec().getContainers().stream())
                    .flatMap(c -> c.getEnv().stream()).filter(e -> e.getName().equals(name) && e.getValue() != null)
                    .map(EnvVar::getValue).findFirst();
        } catch (KubernetesClientException e) {
            throw Problem.failed("%s: %s".formatted(kube.cluster(), Kube.reason(e)), kube.kubectl() + " get nodes");
        }
    }

    /**
     * The addresses of the gateways through which other networks reach a network.
     * https://istio.io/latest/docs/reference/config/labels/#TopologyNetwork
     */
    public Set<String> gatewayAddresses(String network) {
        Set<String> addresses = new TreeSet<>();
        for (var service : kube.client().services().inAnyNamespace().withLabel(NETWORK, network).list().getItems()) {
            addresses.addAll(Addresses.of(service));
            addresses.addAll(service.getSpec().getExternalIPs());
        }
        return addresses;
    }

    /** The cluster's network, by the label that istiod reads; empty without the label. */
    public String network() {
        var namespace = kube.client().namespaces().withName(Mesh.NAMESPACE).get();
        var labels = namespace == null ? null : namespace.getMetadata().getLabels();
        return labels == null ? "" : labels.getOrDefault(NETWORK, "");
    }
}
