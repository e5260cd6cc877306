package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.APIResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;

/**
 * The resources that the demo created in an existing cluster. They carry a label, so that the demo removes these and no
 * others. A resource that existed before may be changed, but is never removed.
 */
public final class ManagedResources {
    /** Webhooks go first, because they could reject the removal of others; CRDs and namespaces go last. */
    private static final List<String> FIRST = List.of("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
            LAST = List.of("CustomResourceDefinition", "Namespace");
    /** The ConfigMaps that istiod writes into every namespace. */
    private static final List<String> ISTIOD_CONFIG_MAPS = List.of("istio-ca-root-cert", "istio-ca-crl");

    private ManagedResources() {}

    /** All resources with the label, in the order of their removal. */
    public static List<HasMetadata> of(Kube kube) {
        KubernetesClient client = kube.client();
        Set<String> versions = new LinkedHashSet<>(List.of("v1"));
        client.getApiGroups().getGroups().forEach(group -> versions.add(group.getPreferredVersion().getGroupVersion()));
        List<HasMetadata> found = new ArrayList<>();
        for (String version : versions) {
            var types = client.getApiResources(version);
            if (types == null) continue; // the API is served by an extension that is not running
            for (APIResource type : types.getResources())
                if (type.getVerbs().containsAll(List.of("list", "delete")) && !type.getName().contains("/"))
                    found.addAll(client.genericKubernetesResources(
                            ResourceDefinitionContext.fromApiResource(version, type))
                            .inAnyNamespace().withLabel(Kube.LABEL, Kube.CREATED).list().getItems());
        }
        found.sort(Comparator.comparing(r -> FIRST.contains(r.getKind()) ? -1 : LAST.indexOf(r.getKind()) + 1));
        return found;
    }

    /** Removes the resources with the label, and waits for up to three minutes until they are gone. */
    public static Action remove(Kube kube) {
        return new Action("", progress -> {
            List<HasMetadata> resources = of(kube);
            resources.forEach(resource -> delete(kube, resource));
            Await.until(kube.cluster() + ": removal of the demo's resources", Duration.ofMinutes(3),
                    Duration.ofSeconds(1), progress, () -> remaining(of(kube)));
            // an interrupted run may have removed istiod already, so it need not be among the resources
            if (resources.isEmpty() || hasIstiod(kube)) return;
            removeGatewayClasses(kube);
            for (String name : ISTIOD_CONFIG_MAPS)
                kube.client().configMaps().inAnyNamespace().withField("metadata.name", name).list().getItems()
                        .forEach(configMap -> delete(kube, configMap));
        });
    }

    private static boolean hasIstiod(Kube kube) {
        return !kube.client().apps().deployments().inAnyNamespace().withLabel("app", "istiod").list().getItems()
                .isEmpty();
    }

    /** Removes the GatewayClasses that istiod created, unless the Gateway API was removed already. */
    private static void removeGatewayClasses(Kube kube) {
        var crds = kube.client().apiextensions().v1().customResourceDefinitions();
        if (crds.withName("gatewayclasses.gateway.networking.k8s.io").get() == null) return;
        for (var gatewayClass : kube.client().genericKubernetesResources("gateway.networking.k8s.io/v1",
                "GatewayClass").list().getItems()) {
            String controller = gatewayClass.get("spec", "controllerName");
            if (controller != null && controller.startsWith("istio.io/")) delete(kube, gatewayClass);
        }
    }

    private static String remaining(List<HasMetadata> left) {
        return left.isEmpty() ? ""
                : "%d left, such as %s %s".formatted(left.size(), left.getLast().getKind(), name(left.getLast()));
    }

    private static void delete(Kube kube, HasMetadata resource) {
        try {
            kube.remove(resource);
        } catch (KubernetesClientException e) {
            if (e.getCode() == 404) return; // its type was removed before
            String kind = resource.getKind();
            throw Problem.failed("%s: cannot remove %s %s: %s".formatted(kube.cluster(), kind, name(resource),
                    Kube.reason(e)), "%s describe %s -A".formatted(kube.kubectl(), kind.toLowerCase(Locale.ROOT)));
        }
    }

    private static String name(HasMetadata resource) { return resource.getMetadata().getName(); }
}
