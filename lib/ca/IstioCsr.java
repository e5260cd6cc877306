package lib.ca;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import java.security.cert.X509Certificate;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/**
 * Every workload's certificate signed in Vault, by its cluster's intermediate: proxies ask istio-csr, which asks cert-manager, which
 * asks Vault. Istiod signs nothing, and has its own serving certificate the same way. https://cert-manager.io/docs/usage/istio-csr/
 */
public final class IstioCsr implements CertificateAuthority {
    public static final String NAME = "cert-manager-istio-csr", ADDRESS = NAME + "." + Mesh.NAMESPACE + ".svc:443";
    /** Where istiod's serving certificate is requested, and where it is put. */
    public static final String CERTIFICATE = "istiod", SECRET = "istiod-tls";
    private static final String TOKEN = "vault-token", ROOT = "istio-csr-root";
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private final Manifests manifests;
    private final Vault vault;
    private final CertManager certManager;

    public IstioCsr(Vault vault, CertManager certManager, Manifests manifests) {
        this.vault = vault;
        this.certManager = certManager;
        this.manifests = manifests;
    }

    @Override public String check() { return certManager.checkManifest() + ", " + vault.check(); }

    @Override public List<String> images() {
        return Stream.concat(CertManager.images().stream(), Stream.of("quay.io/jetstack/%s:%s".formatted(NAME, Versions.ISTIO_CSR)))
                .toList();
    }

    @Override public List<String> hostImages() { return vault.hostImages(); }

    @Override public List<Release> upstream() { return List.of(Versions.CERT_MANAGER_MANIFEST); }

    @Override public String address() { return ADDRESS; }

    @Override public List<String> containers() { return vault.containers(); }

    @Override public Map<String, String> workloads() { return Map.of(NAME, Mesh.NAMESPACE, "cert-manager", CertManager.NAMESPACE); }

    @Override public Action root() { return vault.root(); }

    @Override public String installs() { return "istio-csr"; }

    /** What {@link #install} needs in the cluster before. */
    public Action certManager(Kube kube) { return certManager.install(kube); }

    /** Lets cert-manager in the cluster sign by the cluster's token, and waits until istio-csr and istiod have their certificates. */
    @Override public Action install(Kube kube) {
        Cluster cluster = kube.cluster();
        String kubectl = cluster.kubectl(), create = kubectl + " -n %s create".formatted(Mesh.NAMESPACE);
        Map<String, String> values = new HashMap<>(cluster.placeholders());
        values.putAll(Map.of("VAULT_PATH", Vault.signPath(cluster), "ISTIO_CSR_VERSION", Versions.ISTIO_CSR));
        Map<String, String> typed = new HashMap<>(values);
        typed.put("VAULT_ADDRESS", "$VAULT_ADDRESS");
        String toShell = String.join("\n", Vault.intermediateAsShell(cluster).strip(),
                Manifests.toShell(kubectl, manifests.filled("istio/namespace.yaml", values)),
                "%s secret generic %s --from-file=token=%s-token".formatted(create, TOKEN, cluster),
                "%s configmap %s --from-file=root-cert.pem".formatted(create, ROOT),
                "VAULT_ADDRESS=$(%s)".formatted(vault.addressAsShell()),
                "# cert-manager's webhook may refuse the issuer for some seconds more",
                Manifests.retriedAsShell(kubectl, manifests.filled("istio-csr/vault.yaml", typed), "$VAULT_ADDRESS"),
                Manifests.toShell(kubectl, manifests.filled("istio-csr/istio-csr.yaml", values)),
                Manifests.toShell(kubectl, manifests.filled("istio-csr/istiod.yaml", values)),
                "%s -n %s rollout status deployment/%s --timeout 180s".formatted(kubectl, Mesh.NAMESPACE, NAME),
                "%s -n %s wait certificate %s --for=condition=Ready --timeout 180s".formatted(kubectl, Mesh.NAMESPACE, CERTIFICATE));
        return new Action(toShell, progress -> {
            X509Certificate root = vault.rootCertificate();
            vault.intermediate(cluster);
            kube.apply(manifests.filled("istio/namespace.yaml", values));
            kube.apply(List.of(new SecretBuilder().withNewMetadata().withName(TOKEN).withNamespace(Mesh.NAMESPACE).endMetadata()
                            .addToData("token", Certificates.encode(Files.readString(vault.token(cluster)))).build(),
                    new ConfigMapBuilder().withNewMetadata().withName(ROOT).withNamespace(Mesh.NAMESPACE).endMetadata()
                            .addToData("root-cert.pem", Certificates.pem(root)).build()));
            values.put("VAULT_ADDRESS", vault.nodesAddress());
            kube.applyPastWebhook(manifests.filled("istio-csr/vault.yaml", values), progress);
            List<GenericKubernetesResource> istioCsr = YamlDocuments.parse(manifests.filled("istio-csr/istio-csr.yaml", values));
            kube.apply(istioCsr);
            kube.apply(manifests.filled("istio-csr/istiod.yaml", values));
            new Deployments(kube, Mesh.NAMESPACE).await(istioCsr, LIMIT, progress);
            Await.until(cluster + ": istiod's certificate", LIMIT, Duration.ofMillis(300), progress, () -> istiodLacks(kube));
        });
    }

    /** What istiod needs before it starts, and lacks: it looks for its certificate and for the root just once. */
    private String istiodLacks(Kube kube) {
        var certificate = kube.client().genericKubernetesResources(CertManager.API, "Certificate").inNamespace(Mesh.NAMESPACE)
                .withName(CERTIFICATE).get();
        if (certificate == null) return "the Certificate %s is absent".formatted(CERTIFICATE);
        // after a failure, as when Vault was sealed, cert-manager waits an hour or more; a new one is tried at once
        if (certificate.get("status", "lastFailureTime") != null) {
            kube.remove(certificate);
            kube.apply(manifests.read("istio-csr/istiod.yaml"));
            return "its request had failed, and is made anew";
        }
        List<Map<String, String>> conditions = certificate.get("status", "conditions");
        if (conditions == null) return "cert-manager has not looked at it";
        if (conditions.stream().noneMatch(c -> c.get("type").equals("Ready") && c.get("status").equals("True")))
            return conditions.stream().map(c -> c.get("message")).collect(Collectors.joining("; "));
        var root = kube.client().configMaps().inNamespace(Mesh.NAMESPACE).withName("istio-ca-root-cert").get();
        return root == null ? "istio-csr has not written the root" : "";
    }
}
