package lib.kube;

import module java.base;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.PartialObjectMetadataList;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionList;
import io.fabric8.kubernetes.client.dsl.NonNamespaceOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * A cluster's CRDs. They are by far the largest documents, so they are sent without parsing, and not again if an
 * earlier run has applied the same text.
 */
public record Crds(Kube kube) {
    /** A ConfigMap with the hash of each set. */
    private static final String HASHES = "kind-demo-definitions";
    /** The API server usually establishes a CRD within a second. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /**
     * Applies CRDs and waits until they are established.
     *
     * @param set the name of this set of CRDs, under which the cluster stores its hash
     */
    public void apply(String set, List<String> documents) {
        if (!kube.cluster().isKind()) {
            List<GenericKubernetesResource> crds = documents.stream().map(YamlDocuments::parseOne).toList();
            kube.apply(crds);
            awaitEstablished(crds.stream().map(crd -> crd.getMetadata().getName()).collect(Collectors.toSet()));
            return;
        }
        Map<String, String> byName = new TreeMap<>();
        for (String document : documents) {
            String name = document.lines().filter(l -> l.startsWith("  name: ")).findFirst().orElseThrow();
            byName.put(name.substring("  name: ".length()).replace("\"", "").strip(), document);
        }
        String hash = Integer.toHexString(documents.hashCode());
        var hashes = kube.client().configMaps().inNamespace("kube-system").withName(HASHES).get();
        if (hashes != null && hash.equals(hashes.getData().get(set)) && names().containsAll(byName.keySet())) return;
        byName.forEach(this::applyOne);
        awaitEstablished(byName.keySet());
        kube.client().resource(new ConfigMapBuilder().withNewMetadata().withName(HASHES).withNamespace("kube-system")
                .endMetadata().addToData(set, hash).build())
                .fieldManager(Kube.MANAGER + "-" + set).forceConflicts().serverSideApply();
    }

    private void applyOne(String name, String document) {
        kube.console().detail(kube.applyAsShell("CustomResourceDefinition", name));
        send(http -> http.uri(url("/" + name + "?force=true&fieldManager=" + Kube.MANAGER))
                .patch("application/apply-patch+yaml", document), "the CRD " + name);
        kube.changed("CustomResourceDefinition " + name);
    }

    /** The names of the cluster's CRDs. The request omits their schemas, which are megabytes. */
    private Set<String> names() {
        String answer = send(http -> http.uri(url("")).header("Accept",
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), "the list of CRDs");
        return Serialization.unmarshal(answer, PartialObjectMetadataList.class).getItems().stream()
                .map(crd -> crd.getMetadata().getName()).collect(Collectors.toSet());
    }

    private String url(String rest) {
        return kube.client().getMasterUrl().toString().replaceAll("/$", "")
                + "/apis/apiextensions.k8s.io/v1/customresourcedefinitions" + rest;
    }

    private String send(UnaryOperator<HttpRequest.Builder> request, String subject) {
        try {
            var http = kube.client().getHttpClient();
            HttpRequest built = request.apply(http.newHttpRequestBuilder()).build();
            HttpResponse<String> answer = http.sendAsync(built, String.class).get(30, TimeUnit.SECONDS);
            if (answer.isSuccessful()) return answer.body();
            throw Problem.failed("%s: %s was rejected: %d %s".formatted(kube.cluster(), subject, answer.code(),
                    answer.body()), kube.kubectl() + " get crds");
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            throw Problem.failed("%s: the API server did not answer for %s (%s)".formatted(kube.cluster(), subject,
                    Kube.message(Problem.rootCause(e))), kube.kubectl() + " get nodes");
        }
    }

    private void awaitEstablished(Set<String> names) {
        var later = CompletableFuture.delayedExecutor(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        CompletableFuture<Void> touched = CompletableFuture.runAsync(() -> touch(names), later);
        try {
            kube.await("the CRDs to be established", Duration.ofMinutes(3), all(), crds -> {
                Set<String> missing = new TreeSet<>(names);
                crds.stream().filter(Crds::isEstablished).forEach(crd -> missing.remove(crd.getMetadata().getName()));
                return missing.isEmpty() ? "" : missing.size() + " CRDs not established";
            }, _ -> {});
        } finally {
            touched.cancel(true);
        }
    }

    private NonNamespaceOperation<CustomResourceDefinition, CustomResourceDefinitionList,
            Resource<CustomResourceDefinition>> all() {
        return kube.client().apiextensions().v1().customResourceDefinitions();
    }

    /**
     * Changes an annotation of the CRDs that are not established. The API server establishes a CRD when it is updated,
     * so one that was created just before the API server ended waits for another update.
     * https://github.com/kubernetes/kubernetes/pull/63068
     */
    private void touch(Set<String> names) {
        String patch = "{\"metadata\": {\"annotations\": {\"kind-demo/touched\": \"%s\"}}}".formatted(Instant.now());
        for (CustomResourceDefinition crd : all().list().getItems())
            if (names.contains(crd.getMetadata().getName()) && !isEstablished(crd))
                all().resource(crd).patch(PatchContext.of(PatchType.JSON_MERGE), patch);
    }

    private static boolean isEstablished(CustomResourceDefinition crd) {
        return Stream.ofNullable(crd.getStatus()).flatMap(status -> Stream.ofNullable(status.getConditions()))
                .flatMap(List::stream)
                .anyMatch(c -> c.getType().equals("Established") && c.getStatus().equals("True"));
    }
}
