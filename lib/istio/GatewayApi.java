package lib.istio;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.client.dsl.NonNamespaceOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The Kubernetes Gateway API: its CRDs, and the gateways of an ambient mesh, for which istiod creates the workloads.
 * https://gateway-api.sigs.k8s.io/
 */
public final class GatewayApi {
    public static final String GATEWAYS = "ambient/gateways.yaml", GROUP = "gateway.networking.k8s.io";
    /** Istio has a CRD of the same kind in another group. */
    public static final String RESOURCE = "gateways." + GROUP;
    /** The first version whose standard channel has spec.infrastructure of a Gateway. */
    private static final Version OLDEST = new Version(1, 2, 0);
    private static final String BUNDLE_VERSION = GROUP + "/bundle-version";
    private static final Duration LIMIT = Duration.ofMinutes(5), ADDRESSED = Duration.ofMinutes(2);

    private final Downloads downloads;
    private final Manifests manifests;

    public GatewayApi(Downloads downloads, Manifests manifests) {
        this.downloads = downloads;
        this.manifests = manifests;
    }

    /** Reports where the CRDs come from; a {@link Problem} when one is not available or was changed. */
    public String checkManifests() {
        return Versions.GATEWAY_API_CRDS.stream().map(downloads::describe).distinct()
                .collect(Collectors.joining(", "));
    }

    /** A {@link Problem} when an existing cluster has CRDs that are too old. They stay as they are. */
    public String checkExisting(Kube kube) {
        Set<String> versions = new TreeSet<>();
        for (Release release : Versions.GATEWAY_API_CRDS) {
            var crd = kube.client().apiextensions().v1().customResourceDefinitions().withName(name(release)).get();
            if (crd == null || Kube.isManaged(crd)) continue;
            var annotations = Objects.requireNonNullElse(crd.getMetadata().getAnnotations(), Map.<String, String>of());
            String version = annotations.getOrDefault(BUNDLE_VERSION, "v0.0.0");
            if (Version.first(version).compareTo(OLDEST) < 0)
                throw Problem.unmet("%s: the CRD %s is of Gateway API %s; --dataplane ambient needs v%s or newer"
                        .formatted(kube.cluster(), name(release), version, OLDEST),
                        "update it: https://github.com/kubernetes-sigs/gateway-api/releases");
            versions.add(version);
        }
        return versions.isEmpty() ? "no Gateway API yet" : "Gateway API " + String.join(", ", versions);
    }

    /** The name of the CRD in a file. */
    private static String name(Release release) {
        String file = release.file().replaceFirst(".*/", "").replace(".yaml", "");
        String[] parts = file.split("_");
        return parts[1] + "." + parts[0];
    }

    /** Applies the CRDs; in existing clusters only those that are missing. */
    public Action crds(Kube kube) {
        String toShell = Versions.GATEWAY_API_CRDS.stream()
                .map(release -> "%s apply --server-side -f %s".formatted(kube.kubectl(), downloads.quotedUrl(release)))
                .collect(Collectors.joining("\n"));
        return new Action(toShell, _ -> {
            List<String> documents = new ArrayList<>();
            for (Release release : Versions.GATEWAY_API_CRDS)
                if (kube.cluster().isKind() || !hasOthersCrd(kube, release))
                    documents.addAll(YamlDocuments.of(downloads.read(release)).crds());
            new Crds(kube).apply("gateway-api", documents);
        });
    }

    private static boolean hasOthersCrd(Kube kube, Release release) {
        var crd = kube.client().apiextensions().v1().customResourceDefinitions().withName(name(release)).get();
        return crd != null && !Kube.isManaged(crd);
    }

    private List<GenericKubernetesResource> resources(Kube kube) {
        var resources = YamlDocuments.parse(manifests.filled(GATEWAYS, kube.cluster().placeholders()));
        // the ports that kind maps may be in use in another cluster, and another load balancer may need NodePorts
        if (!kube.cluster().isKind()) resources.stream().filter(r -> r.getKind().equals("ConfigMap"))
                .forEach(settings -> settings.setAdditionalProperty("data", Map.of()));
        return resources;
    }

    /** Applies the gateways, and waits until the pods that istiod creates for them are ready. */
    public Action gateways(Kube kube) {
        String yaml = YamlDocuments.print(resources(kube));
        String toShell = """
                %s
                %s -n %s wait %s --all --for=condition=Programmed --timeout 300s""".formatted(
                Manifests.toShell(kube.kubectl(), yaml), kube.kubectl(), Mesh.NAMESPACE, RESOURCE);
        return new Action(toShell, progress -> {
            kube.apply(resources(kube));
            new Deployments(kube, Mesh.NAMESPACE).await(names(kube), LIMIT, progress);
        });
    }

    private List<String> names(Kube kube) {
        return resources(kube).stream().filter(r -> r.getKind().equals("Gateway")).map(r -> r.getMetadata().getName())
                .toList();
    }

    /**
     * Waits until each gateway is programmed and has the address of its load balancer. Before that, its status has an
     * address that only its own cluster can reach, and the other clusters would use it.
     */
    public Action addresses(Kube kube) {
        return new Action("# a gateway is programmed when it has its address, above", progress -> {
            Map<String, List<String>> services = new TreeMap<>();
            kube.await("addresses of the gateways", ADDRESSED, kube.client().services().inNamespace(Mesh.NAMESPACE),
                    all -> {
                        all.forEach(s -> services.put(s.getMetadata().getName(), Addresses.of(s)));
                        return names(kube).stream().filter(name -> services.getOrDefault(name, List.of()).isEmpty())
                                .map("no address for "::concat).collect(Collectors.joining(", "));
                    }, progress);
            kube.await("the gateways to be programmed", ADDRESSED, list(kube), all -> all.stream()
                    .filter(gateway -> names(kube).contains(gateway.getMetadata().getName()))
                    .filter(gateway -> !isProgrammed(gateway)
                            || Collections.disjoint(services.get(gateway.getMetadata().getName()), addresses(gateway)))
                    .map(gateway -> "%s: %s".formatted(gateway.getMetadata().getName(), state(gateway)))
                    .collect(Collectors.joining(", ")), progress);
        });
    }

    /** All gateways in istio-system. */
    public static NonNamespaceOperation<GenericKubernetesResource, GenericKubernetesResourceList,
            Resource<GenericKubernetesResource>> list(Kube kube) {
        return list(kube, Mesh.NAMESPACE);
    }

    /** All gateways in a namespace. */
    public static NonNamespaceOperation<GenericKubernetesResource, GenericKubernetesResourceList,
            Resource<GenericKubernetesResource>> list(Kube kube, String namespace) {
        return kube.client().genericKubernetesResources(GROUP + "/v1", "Gateway").inNamespace(namespace);
    }

    /** Whether istiod reports that the gateway is ready. https://gateway-api.sigs.k8s.io/reference/spec/#gateway */
    public static boolean isProgrammed(GenericKubernetesResource gateway) {
        return condition(gateway).map(c -> c.path("status").asText().equals("True")).orElse(false);
    }

    /** The addresses in the gateway's status: other clusters send requests to them. */
    public static List<String> addresses(GenericKubernetesResource gateway) {
        return json(gateway).at("/status/addresses").findValuesAsText("value");
    }

    /** What its status says. */
    public static String state(GenericKubernetesResource gateway) {
        String message = condition(gateway).map(c -> c.path("message").asText()).orElse("no status");
        return isProgrammed(gateway) ? "address " + addresses(gateway) : message;
    }

    private static Optional<JsonNode> condition(GenericKubernetesResource gateway) {
        for (JsonNode condition : json(gateway).at("/status/conditions"))
            if (condition.path("type").asText().equals("Programmed")) return Optional.of(condition);
        return Optional.empty();
    }

    /** A resource as a tree, in which paths such as /status/conditions may lack any part. */
    public static JsonNode json(GenericKubernetesResource resource) {
        return Serialization.unmarshal(Serialization.asJson(resource), JsonNode.class);
    }
}
