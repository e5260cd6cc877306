package lib.ca;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import java.security.cert.X509Certificate;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/**
 * The secret {@code cacerts} with the CA that istiod signs with. It must exist before istiod starts for the first time.
 * https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
 *
 * @param key   the key of the first certificate
 * @param chain the certificate of istiod's CA, those above it, and the root
 */
public record Cacerts(PrivateKey key, List<X509Certificate> chain) {
    public static final String SECRET = "cacerts";
    /** The shell commands keep keys and certificates in files that only the user can read. */
    static final String SHELL_FOLDER = "umask 077\nmkdir -p kind-demo-files\ncd kind-demo-files\n";

    /**
     * Creates Istio's namespace and the secret. An existing secret with this root stays unchanged.
     *
     * @param maker creates the key and its chain when the secret does not exist
     * @throws Problem when the existing secret has another root
     */
    public static void install(Kube kube, Manifests manifests, X509Certificate root, Callable<Cacerts> maker)
            throws Exception {
        kube.apply(manifests.filled("istio/namespace.yaml", kube.cluster().placeholders()));
        var existing = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(SECRET).get();
        String rootPem = Certificates.pem(root);
        if (existing == null) {
            kube.apply(List.of(maker.call().secret(rootPem)));
        } else if (!rootPem.equals(Certificates.decode(existing.getData().get("root-cert.pem")))) {
            throw Problem.failed(
                    "%s: the secret %s in %s has another root than this demo, so workloads would not trust each other"
                            .formatted(kube.cluster(), SECRET, Mesh.NAMESPACE), kube.commands().fromScratch());
        }
    }

    private Secret secret(String rootPem) throws IOException {
        StringBuilder chainPem = new StringBuilder();
        for (X509Certificate certificate : chain) chainPem.append(Certificates.pem(certificate));
        return new SecretBuilder().withNewMetadata().withName(SECRET).withNamespace(Mesh.NAMESPACE).endMetadata()
                .withType("Opaque")
                .addToData("ca-cert.pem", Certificates.encode(Certificates.pem(chain.getFirst())))
                .addToData("ca-key.pem", Certificates.encode(Certificates.pem(key)))
                .addToData("root-cert.pem", Certificates.encode(rootPem))
                .addToData("cert-chain.pem", Certificates.encode(chainPem.toString())).build();
    }

    /** The same as shell commands; they read PREFIX-key.pem, PREFIX-cert.pem, PREFIX-chain.pem and root-cert.pem. */
    static String toShell(Cluster cluster, Manifests manifests) {
        String kubectl = cluster.kubectl();
        String namespace = manifests.filled("istio/namespace.yaml", cluster.placeholders());
        return """
                %3$s
                %2$s -n %4$s create secret generic %5$s \\
                  --from-file=ca-cert.pem=%1$s-cert.pem --from-file=ca-key.pem=%1$s-key.pem \\
                  --from-file=cert-chain.pem=%1$s-chain.pem --from-file=root-cert.pem""".formatted(
                cluster.filePrefix(), kubectl, Manifests.toShell(kubectl, namespace), Mesh.NAMESPACE, SECRET);
    }
}
