package lib;

import module java.base;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/** cert-manager: has an issuer sign what is requested, and renews it. https://cert-manager.io/docs/installation/kubectl/ */
final class CertManager {
    static final String NAMESPACE = "cert-manager", API = "cert-manager.io/v1";
    private static final List<String> DEPLOYMENTS = List.of("cert-manager", "cert-manager-cainjector", "cert-manager-webhook");

    private final Assets assets;
    private final Manifests manifests;

    CertManager(Settings settings) {
        this.assets = settings.assets();
        this.manifests = settings.manifests();
    }

    static List<String> images() {
        return Stream.of("controller", "cainjector", "webhook").map(part -> "quay.io/jetstack/cert-manager-%s:%s".formatted(part,
                Versions.CERT_MANAGER)).toList();
    }

    /** A {@link Problem} when upstream's manifest is not to be had, or is not the published one. */
    String checkUpstream() { return assets.look(Versions.CERT_MANAGER_MANIFEST); }

    /** Applies upstream's manifest, and waits until it works. */
    Action install(Kube kube) {
        String byHand = """
                %1$s apply -f %2$s
                %1$s -n %3$s rollout status deployment --timeout 180s""".formatted(Kube.kubectl(kube.cluster()),
                assets.local(Versions.CERT_MANAGER_MANIFEST).map(file -> Tool.quoted("" + file)).orElse(Versions.CERT_MANAGER_MANIFEST
                .url()), NAMESPACE);
        return new Action(byHand, seen -> {
            Map<Boolean, List<String>> documents = Kube.split(assets.read(Versions.CERT_MANAGER_MANIFEST)).stream()
                    .collect(Collectors.partitioningBy(Kube::isDefinition));
            List<GenericKubernetesResource> upstream = documents.get(false).stream().map(Kube::parseOne).toList();
            Manifests.patch(upstream, manifests.read("cert-manager/probes.yaml"));
            kube.applyDefinitions("cert-manager", documents.get(true));
            kube.apply(upstream);
            kube.awaitDeployments(NAMESPACE, DEPLOYMENTS, Duration.ofMinutes(3), seen);
        });
    }
}
