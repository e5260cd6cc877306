package lib.istio;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The manifest that istioctl renders for a cluster.
 *
 * @param crds      the CRDs, as text
 * @param resources all other resources
 */
record IstioManifest(List<String> crds, List<GenericKubernetesResource> resources) {
    static IstioManifest of(String yaml) {
        YamlDocuments documents = YamlDocuments.of(yaml);
        return new IstioManifest(documents.crds(), documents.others());
    }

    List<GenericKubernetesResource> ofKind(String... kinds) {
        return resources.stream().filter(r -> List.of(kinds).contains(r.getKind())).toList();
    }

    /** The images of the workloads, and the image that the injector uses for proxies. */
    Set<String> images() {
        Set<String> images = new TreeSet<>(Set.of(proxyImage()));
        for (var workload : ofKind("Deployment", "DaemonSet"))
            images.addAll(Manifests.images(Serialization.asYaml(workload)));
        return images;
    }

    private String proxyImage() {
        JsonNode global = injectorGlobals();
        String image = global.at("/proxy/image").asText(), variant = global.path("variant").asText("");
        if (image.contains("/")) return image;
        return "%s/%s:%s%s".formatted(global.path("hub").asText(), image, global.path("tag").asText(),
                variant.isEmpty() ? "" : "-" + variant);
    }

    /** values.global, as the injector has it. */
    private JsonNode injectorGlobals() {
        var injector = Manifests.find(resources, "ConfigMap", "istio-sidecar-injector").orElseThrow();
        return Serialization.unmarshal(injector.<String>get("data", "values"), JsonNode.class).path("global");
    }

    /** A text that changes when a setting changes that istiod or a proxy reads only at its start. */
    String settingsHash() {
        return Integer.toHexString(ofKind("ConfigMap").stream().map(r -> r.getAdditionalProperties().toString())
                .toList().hashCode());
    }

    /** Checks that the demo can work with what the user's settings or manifests render; a {@link Problem} when not. */
    void requireUsable(Cluster cluster, DataPlane dataPlane) {
        List<String> own = dataPlane == DataPlane.ambient
                ? List.of("DaemonSet " + InstalledIstio.CNI, "DaemonSet " + InstalledIstio.ZTUNNEL)
                : List.of("Service " + InstalledIstio.EAST_WEST);
        List<String> all = new ArrayList<>(List.of("Deployment istiod", "ConfigMap istio",
                "ConfigMap istio-sidecar-injector"));
        all.addAll(own);
        for (String needed : all)
            if (resources.stream().noneMatch(r -> needed.equals(r.getKind() + " " + r.getMetadata().getName())
                    && Mesh.NAMESPACE.equals(r.getMetadata().getNamespace())))
                throw unusable(cluster, "no %s in %s".formatted(needed, Mesh.NAMESPACE));
        JsonNode global = injectorGlobals();
        IstioSettings.FIXED.forEach((path, fixed) -> {
            if (!path.startsWith("values.global.")) return;
            String expected = fixed.replace("${NETWORK}", cluster.network()).replace("${CLUSTER_ID}", cluster.id());
            String found = global.at(path.replaceFirst("values\\.global", "").replace('.', '/')).asText();
            if (!found.equals(expected)) throw unusable(cluster, "%s '%s', not '%s'".formatted(path, found, expected));
        });
        if (dataPlane == DataPlane.ambient) return;
        String type = Manifests.find(resources, "Service", InstalledIstio.EAST_WEST).orElseThrow().get("spec", "type");
        if (!"LoadBalancer".equals(type)) throw unusable(cluster,
                "the Service %s of type %s, not LoadBalancer".formatted(InstalledIstio.EAST_WEST, type));
    }

    private static Problem unusable(Cluster cluster, String what) {
        return Problem.unmet("%s: the manifest that istioctl renders has %s, and the demo cannot work with that"
                .formatted(cluster, what), "correct --istio-set, --istio-values or the IstioOperator in --manifests");
    }
}
