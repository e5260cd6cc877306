package lib.fetch;

import module java.base;
import lib.run.*;

/**
 * The pinned versions; CONTRIBUTING.md describes how to change one. The images of the sample application are pinned in
 * manifests/apps.
 */
public final class Versions {
    /** The version of this demo. */
    public static final String DEMO = "0.1.0";

    /** Istio: istioctl, istiod and proxies. https://github.com/istio/istio/releases */
    public static final String ISTIO = "1.31.4";
    /** Where Istio publishes its images since 1.30. */
    public static final String ISTIO_HUB = "registry.istio.io/release";

    /** The oldest kind that fits. https://github.com/kubernetes-sigs/kind/releases */
    public static final String KIND = "0.33.0";
    /** The node image, from kind's release page for {@link #KIND}; KIND_DEMO_NODE_IMAGE overrides it. */
    public static final String NODE_IMAGE =
            "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed";

    /** MetalLB's native manifest. https://metallb.io/installation/#installation-by-manifest */
    public static final String METALLB = "v0.15.2";
    public static final Release METALLB_MANIFEST = Release.pinned("metallb-native-%s.yaml".formatted(METALLB),
            "https://raw.githubusercontent.com/metallb/metallb/" + METALLB + "/config/manifests/metallb-native.yaml",
            "a1b04c376fb39c93265f551fe23716a3ae6e09b790edb3bf257d3fc784c35a18");

    /** Vault, for --ca vault and istio-csr. https://hub.docker.com/r/hashicorp/vault/tags */
    public static final String VAULT = "1.21.0";

    /**
     * For --ca istio-csr. https://github.com/cert-manager/cert-manager/releases,
     * https://github.com/cert-manager/istio-csr/releases
     */
    public static final String CERT_MANAGER = "v1.21.2", ISTIO_CSR = "v0.17.0";
    public static final Release CERT_MANAGER_MANIFEST = Release.onGitHub("cert-manager-%s.yaml".formatted(CERT_MANAGER),
            "cert-manager/cert-manager", CERT_MANAGER, "cert-manager.yaml");

    /** Upstream's manifests; cert-manager's is only for --ca istio-csr. */
    static final List<Release> MANIFESTS = List.of(METALLB_MANIFEST, CERT_MANAGER_MANIFEST);

    private Versions() {}

    /** The output of --version. */
    public static String summary() {
        return "kind-demo %s (Istio %s, kind v%s, MetalLB %s)".formatted(DEMO, ISTIO, KIND, METALLB);
    }

    /** The versions that a bundle and these scripts must share. */
    public static Map<String, String> all(String istio) {
        return new TreeMap<>(Map.of("kind-demo", DEMO, "istio", istio, "kind", KIND, "metallb", METALLB));
    }

    /**
     * kind for a platform: https://kind.sigs.k8s.io/docs/user/quick-start/#installing-from-release-binaries names the
     * files, hack/release/build/cross.sh of kind makes them.
     */
    public static Release kind(Platform platform) {
        String file = "kind-" + platform;
        String url = "https://github.com/kubernetes-sigs/kind/releases/download/v%s/%s".formatted(KIND, file);
        return new Release(file, url, null, url + ".sha256sum");
    }

    /**
     * istioctl for a platform: release/downloadIstioCtl.sh of Istio names the files, pkg/build/archive.go of
     * istio/release-builder makes them.
     */
    public static Release istioctl(String istio, Platform platform) {
        String file = "istioctl-%s-%s.tar.gz".formatted(istio, platform.toString().replace("darwin", "osx"));
        String url = "https://github.com/istio/istio/releases/download/%s/%s".formatted(istio, file);
        return new Release(file, url, null, url + ".sha256");
    }
}
