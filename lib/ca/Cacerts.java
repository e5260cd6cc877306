package lib.ca;

import module java.base;
import lib.kube.*;
import lib.run.*;
import java.security.cert.X509Certificate;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/**
 * What istiod signs with, when it finds it at its first start: the secret {@code cacerts}.
 * https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
 *
 * @param key   the key of the first certificate
 * @param chain the certificate that istiod signs with, those above it, and the root
 */
public record Cacerts(PrivateKey key, List<X509Certificate> chain) {
    public static final String SECRET = "cacerts";
    /** Where the shell commands keep keys and certificates: in files for the user alone. */
    static final String FILES_AS_SHELL = "umask 077\nmkdir -p kind-demo-files\ncd kind-demo-files\n";

    /** Makes Istio's namespace and puts the secret into it; one that is there and has this root stays. */
    public static void install(Kube kube, Manifests manifests, X509Certificate root, Callable<Cacerts> maker) throws Exception {
        kube.apply(manifests.filled("istio/namespace.yaml", kube.cluster().placeholders()));
        var there = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(SECRET).get();
        String rootPem = Certificates.pem(root);
        if (there != null) {
            if (rootPem.equals(Certificates.decode(there.getData().get("root-cert.pem")))) return;
            throw Problem.failed("%s: the secret %s in %s has another root than this demo's; workloads would not trust one another"
                    .formatted(kube.cluster(), SECRET, Mesh.NAMESPACE), kube.commands().fromScratch());
        }
        Cacerts made = maker.call();
        StringBuilder chain = new StringBuilder();
        for (X509Certificate certificate : made.chain) chain.append(Certificates.pem(certificate));
        kube.apply(List.of(new SecretBuilder().withNewMetadata().withName(SECRET).withNamespace(Mesh.NAMESPACE).endMetadata()
                .withType("Opaque")
                .addToData("ca-cert.pem", Certificates.encode(Certificates.pem(made.chain.getFirst())))
                .addToData("ca-key.pem", Certificates.encode(Certificates.pem(made.key)))
                .addToData("root-cert.pem", Certificates.encode(rootPem))
                .addToData("cert-chain.pem", Certificates.encode(chain.toString())).build()));
    }

    /** The same as shell commands, which take ID-key.pem, ID-cert.pem, ID-chain.pem and root-cert.pem. */
    static String toShell(Cluster cluster, Manifests manifests) {
        String kubectl = cluster.kubectl();
        return """
                %3$s
                %2$s -n %4$s create secret generic %5$s \\
                  --from-file=ca-cert.pem=%1$s-cert.pem --from-file=ca-key.pem=%1$s-key.pem \\
                  --from-file=cert-chain.pem=%1$s-chain.pem --from-file=root-cert.pem""".formatted(cluster.filePrefix(), kubectl,
                Manifests.toShell(kubectl, manifests.filled("istio/namespace.yaml", cluster.placeholders())), Mesh.NAMESPACE, SECRET);
    }
}
