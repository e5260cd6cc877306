package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.APIResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;

/**
 * What the demo put into a cluster that is not its own: it carries a label, so that all of it goes again, and nothing else. A
 * resource that was there before is changed where it must be, and stays.
 */
public final class ManagedResources {
    /** First what would refuse others their end, last what others are in or of. */
    private static final List<String> FIRST = List.of("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
            LAST = List.of("CustomResourceDefinition", "Namespace");
    /** The configmaps that istiod writes into every namespace. */
    private static final List<String> WRITTEN = List.of("istio-ca-root-cert", "istio-ca-crl");

    private ManagedResources() {}

    /** All that carries the label, in the order in which it can go. */
    public static List<HasMetadata> of(Kube kube) {
        KubernetesClient client = kube.client();
        Set<String> versions = new LinkedHashSet<>(List.of("v1"));
        client.getApiGroups().getGroups().forEach(group -> versions.add(group.getPreferredVersion().getGroupVersion()));
        List<HasMetadata> found = new ArrayList<>();
        for (String version : versions) {
            var resources = client.getApiResources(version);
            if (resources == null) continue; // an API whose server is not there
            for (APIResource type : resources.getResources())
                if (type.getVerbs().containsAll(List.of("list", "delete")) && !type.getName().contains("/"))
                    found.addAll(list(client, version, type));
        }
        found.sort(Comparator.comparing(r -> FIRST.contains(r.getKind()) ? -1 : LAST.indexOf(r.getKind()) + 1));
        return found;
    }

    private static List<? extends HasMetadata> list(KubernetesClient client, String version, APIResource type) {
        int slash = version.indexOf('/');
        var context = new ResourceDefinitionContext.Builder().withGroup(slash < 0 ? "" : version.substring(0, slash))
                .withVersion(version.substring(slash + 1)).withKind(type.getKind()).withPlural(type.getName())
                .withNamespaced(type.getNamespaced()).build();
        return client.genericKubernetesResources(context).inAnyNamespace().withLabel(Kube.LABEL, Kube.CREATED).list().getItems();
    }

    /** Removes it, and waits until it is gone. A cluster without any of it is left as it is. */
    public static Action remove(Kube kube) {
        String toShell = "%s delete all,configmaps,secrets,namespaces -A -l %s=%s".formatted(
                kube.kubectl(), Kube.LABEL, Kube.CREATED);
        return new Action(toShell, progress -> {
            List<HasMetadata> ours = of(kube);
            boolean istiod = ours.stream().anyMatch(r -> r.getKind().equals("Deployment") && r.getMetadata().getName().equals("istiod"));
            ours.forEach(resource -> delete(kube, resource));
            Await.until(kube.cluster() + ": what the demo made to go", Duration.ofMinutes(3), Duration.ofSeconds(1), progress, () -> {
                List<HasMetadata> left = of(kube);
                return left.isEmpty() ? "" : "%d left, such as %s %s".formatted(left.size(), left.getLast().getKind(), left.getLast()
                        .getMetadata().getName());
            });
            if (istiod) for (String name : WRITTEN) kube.client().configMaps().inAnyNamespace().withField("metadata.name", name).list()
                    .getItems().forEach(config -> delete(kube, config));
        });
    }

    private static void delete(Kube kube, HasMetadata resource) {
        try {
            kube.remove(resource);
        } catch (KubernetesClientException e) {
            // it went with what it belonged to
            if (e.getCode() != 404) throw Problem.failed("%s: %s %s could not be removed: %s".formatted(kube.cluster(), resource.getKind(),
                    resource.getMetadata().getName(), Kube.reason(e)), "%s describe %s -A".formatted(kube.kubectl(),
                    resource.getKind().toLowerCase(Locale.ROOT)));
        }
    }
}
