package lib.istio;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClientException;

/**
 * Installs Istio from the manifest that istioctl renders: {@code istioctl install} would wait for one component after
 * the other. https://istio.io/latest/docs/setup/install/multicluster/multi-primary_multi-network/
 */
public final class IstioInstaller {
    private static final String EXPOSE = "istio/cross-network-gateway.yaml", POLICY = "failurePolicy",
            ROOT = "istio-ca-root-cert";
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final Istioctl istioctl;
    private final GatewayApi gatewayApi;
    private final Manifests manifests;
    private final Map<Cluster, IstioManifest> rendered = new ConcurrentHashMap<>();

    public IstioInstaller(Istioctl istioctl, GatewayApi gatewayApi, Manifests manifests) {
        this.istioctl = istioctl;
        this.gatewayApi = gatewayApi;
        this.manifests = manifests;
    }

    /** Renders the cluster's manifest; needs no cluster. */
    public Action render(Kube kube) {
        Cluster cluster = kube.cluster();
        return new Action("# rendered by istioctl install, below", _ -> {
            IstioManifest manifest = IstioManifest.of(istioctl.manifest(cluster));
            rendered.put(cluster, manifest);
            // the manifest names NodePorts that kind maps; in other clusters they may be in use
            if (!cluster.isKind())
                manifest.resources().stream().filter(Manifests::namesNodePorts).forEach(Manifests::removeNodePorts);
            annotatePods(kube, manifest.resources());
        });
    }

    /**
     * Adds a hash of Istio's settings to the pods of deployments, so that a change restarts them: istiod reads its
     * settings late, and a proxy only when its pod is created.
     */
    public void annotatePods(Kube kube, List<GenericKubernetesResource> resources) {
        Manifests.annotatePods(resources, rendered.get(kube.cluster()).settingsHash());
    }

    private boolean isAmbient() { return istioctl.dataPlane() == DataPlane.ambient; }

    /**
     * Applies Istio's CRDs, and in an ambient mesh those of the Gateway API. They are large: istiod starts meanwhile
     * and begins to watch each when it exists.
     */
    public Action crds(Kube kube) {
        String toShell = istioctl.installToShell(kube.cluster());
        Action gateways = gatewayApi.crds(kube);
        return new Action(isAmbient() ? gateways.toShell() + "\n" + toShell : toShell, progress -> {
            new Crds(kube).apply("istio", rendered.get(kube.cluster()).crds());
            if (isAmbient()) gateways.task().run(progress);
        });
    }

    /** Applies istiod with its service accounts and configuration, and istio-cni if there is one; does not wait. */
    public Action start(Kube kube) {
        return new Action("# started by istioctl install, above", _ -> {
            List<GenericKubernetesResource> resources =
                    part(kube, r -> !InstalledIstio.isGateway(r) && !isZtunnel(r));
            for (var webhooks : resources)
                if (webhooks.getKind().equals("ValidatingWebhookConfiguration")
                        && refusesInvalid(kube.client().resource(webhooks).get()))
                    webhooks(webhooks).forEach(webhook -> webhook.remove(POLICY));
            kube.apply(resources);
        });
    }

    /**
     * Whether istiod has changed the webhooks to refuse invalid resources. In the manifest they accept all, until
     * istiod can validate: applying that would undo the change.
     */
    private static boolean refusesInvalid(GenericKubernetesResource existing) {
        return existing != null && webhooks(existing).stream().anyMatch(webhook -> "Fail".equals(webhook.get(POLICY)));
    }

    private static List<Map<String, Object>> webhooks(GenericKubernetesResource webhooks) {
        return webhooks.get("webhooks");
    }

    private static boolean isZtunnel(HasMetadata resource) {
        return name(resource).equals("DaemonSet " + InstalledIstio.ZTUNNEL);
    }

    /**
     * Starts ztunnel on each node, and waits until it is ready. It needs the root certificate, which istiod writes, and
     * istio-cni: started without them it would try again only after a while.
     */
    public Action ztunnel(Kube kube) {
        return new Action("# started by istioctl install, above", progress -> {
            Deployments workloads = new Deployments(kube, Mesh.NAMESPACE);
            workloads.awaitDaemonSet(InstalledIstio.CNI, LIMIT, progress);
            kube.await("the config map " + ROOT, LIMIT, kube.client().configMaps().inNamespace(Mesh.NAMESPACE)
                    .withField("metadata.name", ROOT), all -> all.isEmpty() ? "absent" : "", progress);
            kube.apply(part(kube, IstioInstaller::isZtunnel));
            workloads.awaitDaemonSet(InstalledIstio.ZTUNNEL, LIMIT, progress);
        });
    }

    /**
     * Waits until istiod is ready and, unless the mesh is ambient, its webhook answers: gateways and applications need
     * both.
     */
    public Action istiod(Kube kube) {
        String toShell = "%s -n %s rollout status deployment/istiod --timeout 300s";
        return new Action(toShell.formatted(kube.kubectl(), Mesh.NAMESPACE), progress -> {
            new Deployments(kube, Mesh.NAMESPACE).await(part(kube, r -> !InstalledIstio.isGateway(r)), LIMIT, progress);
            if (isAmbient()) return;
            Await.until(kube.cluster() + ": the injection webhook", LIMIT, Duration.ofMillis(200), progress,
                    () -> injectionFailure(kube));
        });
    }

    /**
     * Creates a pod with a proxy, as a dry run, and returns why that failed; empty when it did not. Istiod is ready a
     * moment before its webhook can be reached, and a deployment whose first pod is refused retries only much later.
     */
    private static String injectionFailure(Kube kube) {
        Pod probe = new PodBuilder().withNewMetadata().withName("injection-probe")
                .addToLabels("sidecar.istio.io/inject", "true").endMetadata()
                .withNewSpec().addNewContainer().withName("probe").withImage("probe").endContainer().endSpec().build();
        try {
            Pod created = kube.client().pods().inNamespace("default").resource(probe).dryRun().create();
            return created.toString().contains("istio-proxy") ? "" : "it does not inject proxies yet";
        } catch (KubernetesClientException e) {
            return Kube.reason(e);
        }
    }

    /**
     * Applies the gateways of the manifest, and in an ambient mesh those of the Gateway API. Removes components that
     * the manifest no longer has, and waits until each gateway is ready.
     */
    public Action gateways(Kube kube) {
        Optional<Action> ofGatewayApi = isAmbient() ? Optional.of(gatewayApi.gateways(kube)) : Optional.empty();
        String toShell = ofGatewayApi.map(Action::toShell).orElse("%s -n %s rollout status deployment --timeout 300s"
                .formatted(kube.kubectl(), Mesh.NAMESPACE));
        return new Action(toShell, progress -> {
            List<GenericKubernetesResource> gateways = part(kube, InstalledIstio::isGateway);
            kube.apply(gateways);
            removeObsolete(kube);
            if (ofGatewayApi.isPresent()) ofGatewayApi.get().task().run(progress);
            new Deployments(kube, Mesh.NAMESPACE).await(gateways, LIMIT, progress);
        });
    }

    /** Removes workloads and services of components that the manifest no longer has. */
    private void removeObsolete(Kube kube) {
        Set<String> wanted = part(kube, _ -> true).stream().map(IstioInstaller::name).collect(Collectors.toSet());
        var apps = kube.client().apps();
        Stream.of(apps.deployments(), apps.daemonSets(), kube.client().services())
                .flatMap(kind -> kind.inNamespace(Mesh.NAMESPACE).withLabel(InstalledIstio.COMPONENT).list().getItems()
                        .stream())
                .filter(r -> !wanted.contains(name(r))).forEach(kube::removeOwn);
    }

    private static String name(HasMetadata resource) {
        return resource.getKind() + " " + resource.getMetadata().getName();
    }

    private List<GenericKubernetesResource> part(Kube kube, Predicate<GenericKubernetesResource> filter) {
        return rendered.get(kube.cluster()).resources().stream().filter(filter).toList();
    }

    /** Waits until every gateway of type LoadBalancer has an address. */
    public Action addresses(Kube kube) {
        if (isAmbient()) return gatewayApi.addresses(kube);
        String toShell = "%s -n %s wait service %s --for=jsonpath='{.status.loadBalancer.ingress}' --timeout 120s";
        return new Action(toShell.formatted(kube.kubectl(), Mesh.NAMESPACE, InstalledIstio.EAST_WEST), progress ->
                kube.await("addresses of the gateways", Duration.ofMinutes(2),
                        kube.client().services().inNamespace(Mesh.NAMESPACE), IstioInstaller::withoutAddress,
                        progress));
    }

    private static String withoutAddress(List<Service> services) {
        List<String> names = services.stream()
                .filter(s -> "LoadBalancer".equals(s.getSpec().getType()) && Addresses.first(s).isEmpty())
                .map(s -> s.getMetadata().getName()).toList();
        return names.isEmpty() ? "" : "no address for " + String.join(", ", names);
    }

    /** Exposes the mesh's services to the other networks, on the east-west gateway. */
    public Action expose(Kube kube) {
        String yaml = manifests.read(EXPOSE);
        return new Action(Manifests.toShell(kube.kubectl(), yaml), _ -> kube.apply(yaml));
    }
}
