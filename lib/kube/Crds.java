package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.PartialObjectMetadataList;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * A cluster's resource definitions. They are by far the largest documents, so they are sent as the text they are, and not again
 * when an earlier run has applied the same.
 */
public record Crds(Kube kube) {
    private static final String REMEMBERED = "kind-demo-definitions";

    /**
     * Applies resource definitions and waits until they are established.
     *
     * @param set whose they are: what is remembered in the cluster is kept by this name
     */
    public void apply(String set, List<String> documents) {
        if (!kube.cluster().isKind()) {
            List<GenericKubernetesResource> definitions = documents.stream().map(YamlDocuments::parseOne).toList();
            kube.apply(definitions);
            awaitEstablished(definitions.stream().map(d -> d.getMetadata().getName()).collect(Collectors.toSet()));
            return;
        }
        Map<String, String> byName = new TreeMap<>();
        for (String document : documents) {
            String name = document.lines().filter(l -> l.startsWith("  name: ")).findFirst().orElseThrow();
            byName.put(name.substring("  name: ".length()).replace("\"", "").strip(), document);
        }
        String hash = Integer.toHexString(documents.hashCode());
        var remembered = kube.client().configMaps().inNamespace("kube-system").withName(REMEMBERED).get();
        if (remembered != null && hash.equals(remembered.getData().get(set)) && definitionNames().containsAll(byName.keySet())) return;
        byName.forEach((name, document) -> {
            kube.console().detail("$ %s apply --server-side\n(CustomResourceDefinition %s)".formatted(kube.kubectl(), name));
            send(http -> http.uri(definitionsUrl("/" + name + "?force=true&fieldManager=" + Kube.MANAGER))
                    .patch("application/apply-patch+yaml", document), "the definition " + name);
            kube.changed("CustomResourceDefinition " + name);
        });
        awaitEstablished(byName.keySet());
        kube.client().resource(new ConfigMapBuilder().withNewMetadata().withName(REMEMBERED).withNamespace("kube-system")
                .endMetadata().addToData(set, hash).build())
                .fieldManager(Kube.MANAGER + "-" + set).forceConflicts().serverSideApply();
    }

    /** The names of all definitions that the cluster has, without their schemas: those are megabytes. */
    private Set<String> definitionNames() {
        String answer = send(http -> http.uri(definitionsUrl("")).header("Accept",
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), "the list of definitions");
        return Serialization.unmarshal(answer, PartialObjectMetadataList.class).getItems().stream().map(i -> i.getMetadata().getName())
                .collect(Collectors.toSet());
    }

    private String definitionsUrl(String rest) {
        return kube.client().getMasterUrl().toString().replaceAll("/$", "") + "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
                + rest;
    }

    private String send(UnaryOperator<HttpRequest.Builder> request, String what) {
        try {
            var http = kube.client().getHttpClient();
            HttpResponse<String> answer = http.sendAsync(request.apply(http.newHttpRequestBuilder()).build(), String.class)
                    .get(30, TimeUnit.SECONDS);
            if (!answer.isSuccessful()) throw Problem.failed("%s: %s was refused: %d %s".formatted(kube.cluster(), what, answer.code(),
                    answer.body()), kube.kubectl() + " get crds");
            return answer.body();
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            Throwable root = Problem.rootCause(e);
            throw Problem.failed("%s: the API server did not answer for %s (%s)".formatted(kube.cluster(), what, Objects.requireNonNullElse(
                    root.getMessage(), root.getClass().getSimpleName())), kube.kubectl() + " get nodes");
        }
    }

    private void awaitEstablished(Set<String> definitions) {
        kube.await("the definitions to be established", Duration.ofMinutes(3), kube.client().apiextensions().v1()
                .customResourceDefinitions(), all -> {
            Set<String> open = new TreeSet<>(definitions);
            all.stream().filter(d -> d.getStatus() != null && d.getStatus().getConditions() != null && d.getStatus().getConditions()
                    .stream().anyMatch(c -> c.getType().equals("Established") && c.getStatus().equals("True")))
                    .forEach(d -> open.remove(d.getMetadata().getName()));
            return open.isEmpty() ? "" : open.size() + " definitions not established";
        }, _ -> {});
    }
}
