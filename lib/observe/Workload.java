package lib.observe;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;

/** A deployment that reads its settings at its start only. */
record Workload(Kube kube, List<GenericKubernetesResource> resources) {
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /**
     * Applies it with its settings, and waits until it is available. A change of the settings restarts its pods.
     *
     * @param settings the ConfigMaps and Secrets that its pods read, other than the ConfigMaps among the resources
     */
    void install(List<? extends HasMetadata> settings, Consumer<String> progress) {
        List<HasMetadata> all = new ArrayList<>(settings);
        resources.stream().filter(resource -> resource.getKind().equals("ConfigMap")).forEach(all::add);
        settings.forEach(this::removeIfOthersAddedKeys);
        kube.apply(all);
        String versions = all.stream().map(resource -> kube.client().resource(resource).get().getMetadata())
                .map(ObjectMeta::getResourceVersion).collect(Collectors.joining(" "));
        Manifests.annotatePods(resources, versions);
        kube.apply(resources.stream().filter(resource -> !resource.getKind().equals("ConfigMap")).toList());
        new Deployments(kube, Mesh.NAMESPACE).await(resources, LIMIT, progress);
    }

    /** Applying a resource keeps keys that others added, and each key is another cluster to read. */
    private void removeIfOthersAddedKeys(HasMetadata wanted) {
        HasMetadata existing = kube.client().resource(wanted).get();
        if (existing == null || keys(wanted).containsAll(keys(existing))) return;
        kube.removeOwn(existing);
    }

    private static Set<String> keys(HasMetadata resource) {
        var data = resource instanceof Secret secret ? secret.getData() : ((ConfigMap) resource).getData();
        return data == null ? Set.of() : data.keySet();
    }

    /**
     * Reads JSON from a service through the API server of its cluster: its port is not open on this machine.
     *
     * @param title the program's name, for the message
     */
    static JsonNode get(Kube kube, String title, String service, String path) {
        String url = "/api/v1/namespaces/%s/services/%s:http/proxy%s".formatted(Mesh.NAMESPACE, service, path);
        String reason;
        try {
            String answer = kube.client().raw(url);
            if (answer != null) return new ObjectMapper().readTree(answer);
            reason = "its service does not exist";
        } catch (KubernetesClientException e) {
            reason = Kube.reason(e);
        } catch (IOException e) {
            reason = e.getMessage();
        }
        throw Problem.failed("%s: %s does not answer: %s".formatted(kube.cluster(), title, reason),
                "%s -n %s get deployments,pods -l app=%s".formatted(kube.kubectl(), Mesh.NAMESPACE, service));
    }

    /** @param data its values, in Base64 */
    static Secret secret(String name, Map<String, String> data) {
        return new SecretBuilder().withMetadata(metadata(name)).withType("Opaque").withData(data).build();
    }

    static ObjectMeta metadata(String name) {
        return new ObjectMetaBuilder().withName(name).withNamespace(Mesh.NAMESPACE).build();
    }
}
