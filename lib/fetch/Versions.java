package lib.fetch;

import module java.base;
import lib.run.*;

/**
 * The pinned versions; CONTRIBUTING.md describes how to change one. The images of the sample application are pinned in
 * manifests/apps, those of Prometheus and Kiali in manifests/observability.
 */
public final class Versions {
    /** The version of this demo. */
    public static final String DEMO = "1.0.0";

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

    /** The CRDs of the Gateway API that this Istio reads. https://github.com/kubernetes-sigs/gateway-api/releases */
    public static final String GATEWAY_API = "v1.6.0";
    public static final List<Release> GATEWAY_API_CRDS = List.of(
            gatewayApi("backendtlspolicies", "05dd20abea3eb1b5108b9a842a8482d5099db24bd9047bfd3965c7f27a047db7"),
            gatewayApi("gatewayclasses", "a09b320e69257056e34f268160f883e98d4da9b8786fff3463484ba5fda719df"),
            gatewayApi("gateways", "7dcaf56db92b197207bc149f049c1be0208bedc8608a56905900d3bfc71b8632"),
            gatewayApi("grpcroutes", "a97b717e425979726039c813f308f8ab9686e5478ee5072eec5f94ec61db3bf5"),
            gatewayApi("httproutes", "8c05f321e53b5df6aa4bdbf622a01db9c331f26d7b9723b0fc47001c1341858a"),
            gatewayApi("listenersets", "2dc80892f2bf636bd678e504bca04f52856f21eef2202091ea842ef39b52339f"),
            gatewayApi("referencegrants", "37ab52cd8db78fb1fe14140aba96b64f6012a1fb6eb9b98daa321adb57b42f17"),
            gatewayApi("tcproutes", "a4659f3e1fd7cdd21c44757d9f0febef930dac4fe5f0430c857d5eb853d6e686"),
            gatewayApi("tlsroutes", "b3f7a900cb767b7be07fec6d277afe43a9b1db36053fef95beacccb1190fa6ca"));

    /** Vault, for --ca vault and istio-csr. https://hub.docker.com/r/hashicorp/vault/tags */
    public static final String VAULT = "1.21.0";

    /**
     * For --ca istio-csr. https://github.com/cert-manager/cert-manager/releases,
     * https://github.com/cert-manager/istio-csr/releases
     */
    public static final String CERT_MANAGER = "v1.21.2", ISTIO_CSR = "v0.17.0";
    public static final Release CERT_MANAGER_MANIFEST = Release.onGitHub("cert-manager-%s.yaml".formatted(CERT_MANAGER),
            "cert-manager/cert-manager", CERT_MANAGER, "cert-manager.yaml");

    /** Upstream's manifests; cert-manager's is only for --ca istio-csr, the Gateway API only for an ambient mesh. */
    static final List<Release> MANIFESTS = Stream.concat(Stream.of(METALLB_MANIFEST, CERT_MANAGER_MANIFEST),
            GATEWAY_API_CRDS.stream()).toList();

    private Versions() {}

    private static Release gatewayApi(String plural, String sha256) {
        String file = "gateway.networking.k8s.io_%s.yaml".formatted(plural);
        return Release.pinned("gateway-api-%s/%s".formatted(GATEWAY_API, file),
                "https://raw.githubusercontent.com/kubernetes-sigs/gateway-api/%s/config/crd/standard/%s"
                        .formatted(GATEWAY_API, file), sha256);
    }

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
