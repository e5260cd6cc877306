package lib.ca;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/**
 * Workload certificates signed by Vault: a proxy sends its request to istio-csr, which passes it to cert-manager, which
 * passes it to Vault. Istiod signs nothing, and gets its serving certificate the same way.
 * https://cert-manager.io/docs/usage/istio-csr/, https://cert-manager.io/docs/installation/kubectl/
 */
public final class IstioCsr implements CertificateAuthority {
    /** The secret with istiod's serving certificate. */
    public static final String SECRET = "istiod-tls";
    /** cert-manager's namespace. */
    public static final String CERT_MANAGER = "cert-manager";
    private static final String NAME = "cert-manager-istio-csr", CERTIFICATE = "istiod", TOKEN = "vault-token",
            ROOT = "istio-csr-root";
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private final Manifests manifests;
    private final Vault vault;
    private final Downloads downloads;

    public IstioCsr(Vault vault, Downloads downloads, Manifests manifests) {
        this.vault = vault;
        this.downloads = downloads;
        this.manifests = manifests;
    }

    @Override public String check() { return checkManifest() + ", " + vault.check(); }

    /** Reports where cert-manager's manifest comes from; a {@link Problem} when it is not available or was changed. */
    public String checkManifest() { return downloads.describe(Versions.CERT_MANAGER_MANIFEST); }

    @Override public List<String> images() {
        List<String> images = new ArrayList<>();
        for (String part : List.of("controller", "cainjector", "webhook"))
            images.add("quay.io/jetstack/cert-manager-%s:%s".formatted(part, Versions.CERT_MANAGER));
        images.add("quay.io/jetstack/%s:%s".formatted(NAME, Versions.ISTIO_CSR));
        return images;
    }

    @Override public List<String> hostImages() { return vault.hostImages(); }

    @Override public List<Release> upstream() { return List.of(Versions.CERT_MANAGER_MANIFEST); }

    @Override public String address() { return "%s.%s.svc:443".formatted(NAME, Mesh.NAMESPACE); }

    @Override public List<String> containers() { return vault.containers(); }

    @Override public Map<String, String> workloads() {
        return Map.of(NAME, Mesh.NAMESPACE, "cert-manager", CERT_MANAGER);
    }

    @Override public Action root() { return vault.root(); }

    @Override public String installTitle() { return "istio-csr"; }

    /** Installs cert-manager, which {@link #install} needs, and waits until its deployments are available. */
    public Action certManager(Kube kube) {
        String toShell = """
                %1$s apply -f %2$s
                %1$s -n %3$s rollout status deployment --timeout 180s""".formatted(kube.kubectl(),
                downloads.quotedUrl(Versions.CERT_MANAGER_MANIFEST), CERT_MANAGER);
        return new Action(toShell, progress -> {
            YamlDocuments upstream = YamlDocuments.of(downloads.read(Versions.CERT_MANAGER_MANIFEST));
            Manifests.patch(upstream.others(), manifests.read("cert-manager/probes.yaml"));
            new Crds(kube).apply("cert-manager", upstream.crds());
            kube.apply(upstream.others());
            new Deployments(kube, CERT_MANAGER).await(upstream.others(), LIMIT, progress);
        });
    }

    /** Gives cert-manager the cluster's Vault token, and waits until istio-csr and istiod have their certificates. */
    @Override public Action install(Kube kube) {
        Map<String, String> values = new HashMap<>(kube.cluster().placeholders());
        values.put("VAULT_PATH", VaultPki.signPath(kube.cluster()));
        values.put("ISTIO_CSR_VERSION", Versions.ISTIO_CSR);
        return new Action(toShell(kube.cluster(), values), progress -> {
            VaultPki pki = vault.pki();
            String rootPem = Certificates.pem(pki.root());
            pki.intermediate(kube.cluster());
            String token = Certificates.encode(Files.readString(pki.token(kube.cluster())));
            kube.apply(manifests.filled("istio/namespace.yaml", values));
            kube.apply(List.of(
                    new SecretBuilder().withNewMetadata().withName(TOKEN).withNamespace(Mesh.NAMESPACE).endMetadata()
                            .addToData("token", token).build(),
                    new ConfigMapBuilder().withNewMetadata().withName(ROOT).withNamespace(Mesh.NAMESPACE).endMetadata()
                            .addToData("root-cert.pem", rootPem).build()));
            values.put("VAULT_ADDRESS", vault.addressForClusters());
            kube.applyPastWebhook(manifests.filled("istio-csr/vault.yaml", values), progress);
            var istioCsr = YamlDocuments.parse(manifests.filled("istio-csr/istio-csr.yaml", values));
            kube.apply(istioCsr);
            String istiod = manifests.filled("istio-csr/istiod.yaml", values);
            kube.apply(istiod);
            new Deployments(kube, Mesh.NAMESPACE).await(istioCsr, LIMIT, progress);
            Await.until(kube.cluster() + ": istiod's certificate", LIMIT, Duration.ofMillis(300), progress,
                    () -> missing(kube, istiod));
        });
    }

    private String toShell(Cluster cluster, Map<String, String> values) {
        String kubectl = cluster.kubectl(), inNamespace = kubectl + " -n " + Mesh.NAMESPACE;
        Map<String, String> withVariable = new HashMap<>(values);
        withVariable.put("VAULT_ADDRESS", "$VAULT_ADDRESS");
        return String.join("\n", VaultPki.intermediateToShell(cluster).strip(),
                Manifests.toShell(kubectl, manifests.filled("istio/namespace.yaml", values)),
                "%s create secret generic %s --from-file=token=%s-token".formatted(inNamespace, TOKEN, cluster),
                "%s create configmap %s --from-file=root-cert.pem".formatted(inNamespace, ROOT),
                "VAULT_ADDRESS=$(%s)".formatted(vault.addressToShell()),
                "# cert-manager's webhook may refuse the issuer for a few more seconds",
                Manifests.retriedAsShell(kubectl, manifests.filled("istio-csr/vault.yaml", withVariable),
                        "$VAULT_ADDRESS"),
                Manifests.toShell(kubectl, manifests.filled("istio-csr/istio-csr.yaml", values)),
                Manifests.toShell(kubectl, manifests.filled("istio-csr/istiod.yaml", values)),
                "%s rollout status deployment/%s --timeout 180s".formatted(inNamespace, NAME),
                "%s wait certificate %s --for=condition=Ready --timeout 180s".formatted(inNamespace, CERTIFICATE));
    }

    /**
     * What istiod lacks before it can start; empty when it has all. It reads its certificate and the root once.
     *
     * @param istiod the Certificate, as YAML
     */
    private String missing(Kube kube, String istiod) {
        GenericKubernetesResource certificate = kube.client().genericKubernetesResources("cert-manager.io/v1",
                "Certificate").inNamespace(Mesh.NAMESPACE).withName(CERTIFICATE).get();
        if (certificate == null) return "there is no Certificate " + CERTIFICATE;
        // after a failure, as of a sealed Vault, cert-manager waits an hour; for a new Certificate it does not
        if (certificate.get("status", "lastFailureTime") != null) {
            kube.remove(certificate);
            kube.apply(istiod);
            return "its request failed and is sent again";
        }
        List<Map<String, String>> conditions = certificate.get("status", "conditions");
        if (conditions == null) return "cert-manager has not processed it";
        if (conditions.stream().noneMatch(c -> c.get("type").equals("Ready") && c.get("status").equals("True")))
            return conditions.stream().map(c -> c.get("message")).collect(Collectors.joining("; "));
        var root = kube.client().configMaps().inNamespace(Mesh.NAMESPACE).withName("istio-ca-root-cert").get();
        return root == null ? "istio-csr has not written the root" : "";
    }
}
