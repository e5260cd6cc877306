package lib.observe;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/** A deployment that reads its settings at its start only. */
record Workload(Kube kube, List<GenericKubernetesResource> resources) {
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /**
     * Applies it and waits until it is available.
     *
     * @param settings what its pods read beside the ConfigMaps among the resources; a change restarts them
     */
    void install(String settings, Consumer<String> progress) {
        String config = resources.stream().filter(r -> r.getKind().equals("ConfigMap"))
                .map(r -> "" + r.getAdditionalProperties().get("data")).collect(Collectors.joining());
        var annotations = Map.<String, Object>of("metadata",
                Map.of("annotations", Map.of("kind-demo/settings", DnsLabel.hash(config + settings))));
        for (var resource : resources) if (resource.getKind().equals("Deployment"))
            Manifests.merge(resource.getAdditionalProperties(), Map.of("spec", Map.of("template", annotations)));
        kube.apply(resources);
        new Deployments(kube, Mesh.NAMESPACE).await(resources, LIMIT, progress);
    }

    /** @param data its values, in Base64 */
    static Secret secret(String name, Map<String, String> data) {
        return new SecretBuilder().withMetadata(metadata(name)).withType("Opaque").withData(data).build();
    }

    static ObjectMeta metadata(String name) {
        return new ObjectMetaBuilder().withName(name).withNamespace(Mesh.NAMESPACE).build();
    }
}
