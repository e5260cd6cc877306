package lib.ca;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;

/** cert-manager requests and renews certificates. https://cert-manager.io/docs/installation/kubectl/ */
public final class CertManager {
    public static final String NAMESPACE = "cert-manager";
    static final String API = "cert-manager.io/v1";

    private final Downloads downloads;
    private final Manifests manifests;

    public CertManager(Downloads downloads, Manifests manifests) {
        this.downloads = downloads;
        this.manifests = manifests;
    }

    static List<String> images() {
        return Stream.of("controller", "cainjector", "webhook")
                .map(part -> "quay.io/jetstack/cert-manager-%s:%s".formatted(part, Versions.CERT_MANAGER)).toList();
    }

    /** Reports where upstream's manifest comes from; a {@link Problem} when it is not available or was changed. */
    public String checkManifest() { return downloads.describe(Versions.CERT_MANAGER_MANIFEST); }

    /** Applies upstream's manifest and waits until its deployments are available. */
    Action install(Kube kube) {
        String toShell = """
                %1$s apply -f %2$s
                %1$s -n %3$s rollout status deployment --timeout 180s""".formatted(kube.kubectl(),
                downloads.quotedUrl(Versions.CERT_MANAGER_MANIFEST), NAMESPACE);
        return new Action(toShell, progress -> {
            YamlDocuments upstream = YamlDocuments.of(downloads.read(Versions.CERT_MANAGER_MANIFEST));
            Manifests.patch(upstream.others(), manifests.read("cert-manager/probes.yaml"));
            new Crds(kube).apply("cert-manager", upstream.crds());
            kube.apply(upstream.others());
            new Deployments(kube, NAMESPACE).await(upstream.others(), Duration.ofMinutes(3), progress);
        });
    }
}
