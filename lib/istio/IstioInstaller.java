package lib.istio;

import module java.base;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClientException;

/**
 * Puts Istio into a cluster, from the manifest that istioctl renders: {@code istioctl install} would wait for one component after
 * the other. https://istio.io/latest/docs/setup/install/multicluster/multi-primary_multi-network/
 */
public final class IstioInstaller {
    private static final String POLICY = "failurePolicy";
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final Istioctl istioctl;
    private final Manifests manifests;
    private final Map<Cluster, Rendered> rendered = new ConcurrentHashMap<>();

    /** A cluster's manifest, and what stands for its settings. */
    private record Rendered(YamlDocuments manifest, String settings) {}

    public IstioInstaller(Istioctl istioctl, Manifests manifests) {
        this.istioctl = istioctl;
        this.manifests = manifests;
    }

    /** Renders the cluster's manifest; needs no cluster. */
    public Action render(Kube kube) {
        Cluster cluster = kube.cluster();
        return new Action("# rendered by istioctl install, below", _ -> {
            YamlDocuments manifest = YamlDocuments.of(istioctl.manifest(cluster));
            List<GenericKubernetesResource> others = manifest.others();
            // NodePorts are named for the ports that kind maps; elsewhere they may be taken
            if (!cluster.isKind()) others.stream().filter(Kube::namesNodePorts).forEach(service ->
                    service.<List<Map<String, Object>>>get("spec", "ports").forEach(port -> port.remove("nodePort")));
            String settings = Integer.toHexString(others.stream().filter(r -> r.getKind().equals("ConfigMap"))
                    .map(r -> r.getAdditionalProperties().toString()).toList().hashCode());
            mark(others, settings);
            rendered.put(cluster, new Rendered(manifest, settings));
        });
    }

    /** Marks the app's pods with the settings that their proxies are made from. */
    void markPods(Kube kube, List<GenericKubernetesResource> resources) { mark(resources, rendered.get(kube.cluster()).settings); }

    /** Istiod reads its settings late, and a proxy when its pod is made: a mark in the pods' template lets a change roll them. */
    private static void mark(List<GenericKubernetesResource> resources, String settings) {
        resources.stream().filter(r -> r.getKind().equals("Deployment")).forEach(deployment -> Manifests.merge(deployment
                .getAdditionalProperties(), Map.of("spec", Map.of("template", Map.of("metadata", Map.of("annotations",
                Map.of("kind-demo/settings", settings)))))));
    }

    /** Applies Istio's resource definitions. They are large: istiod starts meanwhile, and takes each up when it comes. */
    public Action crds(Kube kube) {
        return new Action(istioctl.installAsShell(kube.cluster()), _ -> new Crds(kube).apply("istio",
                rendered.get(kube.cluster()).manifest.crds()));
    }

    /** Applies istiod with its accounts and configuration; does not wait. */
    public Action start(Kube kube) {
        return new Action("# started by istioctl install, above", _ -> {
            List<GenericKubernetesResource> started = part(kube, r -> !InstalledIstio.isGateway(r));
            started.stream().filter(r -> r.getKind().equals("ValidatingWebhookConfiguration") && refuses(kube.client().resource(r).get()))
                    .forEach(r -> webhooks(r).forEach(webhook -> webhook.remove(POLICY)));
            kube.apply(started);
        });
    }

    /** Whether istiod has made it refuse what is wrong: the manifest lets everything pass until istiod can judge, and would undo that. */
    private static boolean refuses(GenericKubernetesResource there) {
        return there != null && webhooks(there).stream().anyMatch(webhook -> "Fail".equals(webhook.get(POLICY)));
    }

    private static List<Map<String, Object>> webhooks(GenericKubernetesResource configuration) { return configuration.get("webhooks"); }

    /** Waits until istiod is ready and its webhook takes requests: gateways and applications need both. */
    public Action istiod(Kube kube) {
        String toShell = "%s -n %s rollout status deployment/istiod --timeout 300s".formatted(kube.kubectl(), Mesh.NAMESPACE);
        return new Action(toShell, progress -> {
            new Deployments(kube, Mesh.NAMESPACE).await(part(kube, r -> !InstalledIstio.isGateway(r)), LIMIT, progress);
            Await.until(kube.cluster() + ": the injection webhook", LIMIT, Duration.ofMillis(200), progress, () -> injectionFails(kube));
        });
    }

    /**
     * Asks for a pod with a proxy, as a dry run: istiod is ready a moment before its webhook can be reached, and a deployment whose
     * first pod is refused waits long before it tries again. Returns why it was refused; empty when it was not.
     */
    private static String injectionFails(Kube kube) {
        Pod probe = new PodBuilder().withNewMetadata().withName("injection-probe").addToLabels("sidecar.istio.io/inject", "true")
                .endMetadata()
                .withNewSpec().addNewContainer().withName("probe").withImage("probe").endContainer().endSpec().build();
        try {
            boolean injected = kube.client().pods().inNamespace("default").resource(probe).dryRun().create().toString()
                    .contains("istio-proxy");
            return injected ? "" : "it puts no proxy into pods yet";
        } catch (KubernetesClientException e) {
            return Kube.reason(e);
        }
    }

    /** Starts the gateways side by side, and waits until each is ready. */
    public Action gateways(Kube kube) {
        String toShell = "%s -n %s rollout status deployment --timeout 300s";
        return new Action(toShell.formatted(kube.kubectl(), Mesh.NAMESPACE), progress -> {
            List<GenericKubernetesResource> gateways = part(kube, InstalledIstio::isGateway);
            kube.apply(gateways);
            Set<String> named = part(kube, _ -> true).stream().map(IstioInstaller::name).collect(Collectors.toSet());
            // a gateway, or another component, that the manifest has no more
            Stream.of(kube.client().apps().deployments(), kube.client().apps().daemonSets(), kube.client().services()).flatMap(all -> all
                    .inNamespace(Mesh.NAMESPACE).withLabel(InstalledIstio.COMPONENT).list().getItems().stream())
                    .filter(r -> !named.contains(name(r)) && (kube.cluster().isKind() || Kube.isManaged(r)))
                    .forEach(kube::remove);
            new Deployments(kube, Mesh.NAMESPACE).await(gateways, LIMIT, progress);
        });
    }

    /** Waits until every gateway of type LoadBalancer has an address. */
    public Action addresses(Kube kube) {
        String toShell = "%s -n %s wait service %s --for=jsonpath='{.status.loadBalancer.ingress}' --timeout 120s";
        return new Action(toShell.formatted(kube.kubectl(), Mesh.NAMESPACE, InstalledIstio.EAST_WEST), progress -> {
            var services = kube.client().services().inNamespace(Mesh.NAMESPACE);
            kube.await("addresses of the gateways", Duration.ofMinutes(2), services, IstioInstaller::withoutAddress, progress);
        });
    }

    private static String withoutAddress(List<Service> services) {
        List<String> open = services.stream().filter(s -> "LoadBalancer".equals(s.getSpec().getType()) && Kube.address(s).isEmpty())
                .map(s -> s.getMetadata().getName()).toList();
        return open.isEmpty() ? "" : "no address for " + String.join(", ", open);
    }

    private List<GenericKubernetesResource> part(Kube kube, Predicate<GenericKubernetesResource> which) {
        return rendered.get(kube.cluster()).manifest.others().stream().filter(which).toList();
    }

    private static String name(HasMetadata resource) { return resource.getKind() + " " + resource.getMetadata().getName(); }

    /** Opens the mesh's services to the other networks, on the east-west gateway. */
    public Action expose(Kube kube) {
        return new Action(Manifests.toShell(kube.kubectl(), manifests.read("istio/cross-network-gateway.yaml")),
                _ -> kube.apply(manifests.read("istio/cross-network-gateway.yaml")));
    }
}
