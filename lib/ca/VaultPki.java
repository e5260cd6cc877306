package lib.ca;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;

/**
 * The CAs in a Vault: a root, and for each cluster an intermediate CA, a role, a policy and a token. The keys of the
 * CAs never leave Vault. Each method reuses what exists. https://developer.hashicorp.com/vault/api-docs/secret/pki
 *
 * @param folder the folder for the clusters' tokens
 */
record VaultPki(VaultApi api, Path folder) {
    /** The mount of the root, and the common names of the CAs. */
    private static final String ROOT = "pki", ROOT_NAME = "sample.mesh",
            INTERMEDIATE_NAME = "sample.mesh Intermediate Authority", CACERTS_NAME = "istiod";
    private static final String ROOT_LIFE = "87600h", INTERMEDIATE_LIFE = "43800h", CACERTS_LIFE = "17520h",
            WORKLOAD_LIFE = "72h", TOKEN_LIFE = "8760h";

    /** The mount of a cluster's intermediate CA. */
    static String mount(Cluster cluster) { return "pki_int" + cluster.index(); }

    /** The role that issues a cluster's workload certificates. */
    static String role(Cluster cluster) { return "cluster%d-issuer".formatted(cluster.index()); }

    /** The API path that signs a cluster's workload certificates: the only one that the cluster's token may use. */
    static String signPath(Cluster cluster) { return "%s/sign/%s".formatted(mount(cluster), role(cluster)); }

    private static String policy(Cluster cluster) {
        return "path \"%s\" { capabilities = [\"update\"] }".formatted(signPath(cluster));
    }

    /** The file with the token of a cluster. */
    Path token(Cluster cluster) { return folder.resolve(cluster + "-token"); }

    X509Certificate root() throws IOException, CertificateException {
        enable(ROOT, ROOT_LIFE);
        Optional<X509Certificate> existing = certificate(ROOT);
        if (existing.isPresent()) return existing.get();
        return readCertificate(api.call("POST", ROOT + "/root/generate/internal", Map.of("common_name", ROOT_NAME,
                "exclude_cn_from_sans", true, "key_type", "ec", "ttl", ROOT_LIFE)));
    }

    static String rootToShell() {
        return """
                vault secrets enable -path=%1$s -max-lease-ttl=%2$s pki
                vault write -field=certificate %1$s/root/generate/internal common_name=%3$s exclude_cn_from_sans=true \\
                  key_type=ec ttl=%2$s > root-cert.pem""".formatted(ROOT, ROOT_LIFE, ROOT_NAME);
    }

    /** The certificate of a cluster's intermediate CA. Also creates its role, its policy and its token. */
    X509Certificate intermediate(Cluster cluster) throws IOException, CertificateException {
        String mount = mount(cluster), role = role(cluster);
        enable(mount, INTERMEDIATE_LIFE);
        Optional<X509Certificate> existing = certificate(mount);
        X509Certificate certificate = existing.isPresent() ? existing.get() : createIntermediate(cluster);
        api.call("POST", mount + "/roles/" + role, Map.of("allow_any_name", true, "enforce_hostnames", false,
                "require_cn", false, "allowed_uri_sans", "spiffe://*", "key_type", "any", "max_ttl", WORKLOAD_LIFE));
        api.call("PUT", "sys/policies/acl/" + role, Map.of("policy", policy(cluster)));
        if (!Files.exists(token(cluster))) {
            JsonNode created = api.call("POST", "auth/token/create-orphan", Map.of("policies", List.of(role),
                    "no_default_policy", true, "ttl", TOKEN_LIFE, "display_name", cluster.name()));
            writeSecret(token(cluster), created.at("/auth/client_token").asText());
        }
        return certificate;
    }

    private X509Certificate createIntermediate(Cluster cluster) throws IOException, CertificateException {
        String mount = mount(cluster);
        JsonNode request = api.call("POST", mount + "/intermediate/generate/internal",
                Map.of("common_name", INTERMEDIATE_NAME, "key_type", "ec"));
        X509Certificate signed = sign(ROOT, request.at("/data/csr").asText(), INTERMEDIATE_NAME, cluster, 1,
                INTERMEDIATE_LIFE);
        api.call("POST", mount + "/intermediate/set-signed", Map.of("certificate", Certificates.pem(signed)));
        return signed;
    }

    static String intermediateToShell(Cluster cluster) {
        return """
                vault secrets enable -path=%1$s -max-lease-ttl=%4$s pki
                vault write -field=csr %1$s/intermediate/generate/internal common_name='%5$s' key_type=ec > %1$s.csr
                vault write -field=certificate %6$s/root/sign-intermediate csr=@%1$s.csr common_name='%5$s' \\
                  locality=%7$s exclude_cn_from_sans=true max_path_length=1 ttl=%4$s > %1$s.pem
                vault write %1$s/intermediate/set-signed certificate=@%1$s.pem > /dev/null
                vault write %1$s/roles/%2$s allow_any_name=true enforce_hostnames=false require_cn=false \\
                  allowed_uri_sans='spiffe://*' key_type=any max_ttl=%8$s > /dev/null
                echo '%9$s' | vault policy write %2$s -
                vault token create -field=token -orphan -no-default-policy -policy=%2$s -ttl=%10$s > %3$s-token
                """.formatted(mount(cluster), role(cluster), cluster, INTERMEDIATE_LIFE, INTERMEDIATE_NAME, ROOT,
                cluster.id(), WORKLOAD_LIFE, policy(cluster), TOKEN_LIFE);
    }

    /** Creates the CA that istiod signs with. Its key is created here and goes nowhere but into the cluster. */
    Cacerts cacerts(Cluster cluster, X509Certificate intermediate, X509Certificate root)
            throws IOException, CertificateException {
        KeyPair keys = Certificates.newKeys();
        X509Certificate certificate = sign(mount(cluster), Certificates.request(keys), CACERTS_NAME, cluster, 0,
                CACERTS_LIFE);
        return new Cacerts(keys.getPrivate(), List.of(certificate, intermediate, root));
    }

    static String cacertsToShell(Cluster cluster) {
        return """
                openssl ecparam -name prime256v1 -genkey -noout -out %1$s-key.pem
                openssl req -new -key %1$s-key.pem -subj / -out %1$s.csr
                vault write -field=certificate %2$s/root/sign-intermediate csr=@%1$s.csr common_name=%3$s \\
                  locality=%4$s exclude_cn_from_sans=true max_path_length=0 ttl=%5$s > %1$s-cert.pem
                for file in %1$s-cert.pem %2$s.pem root-cert.pem; do cat $file; echo; done > %1$s-chain.pem
                """.formatted(cluster.filePrefix(), mount(cluster), CACERTS_NAME, cluster.id(), CACERTS_LIFE);
    }

    /**
     * Signs the certificate of a CA below the CA at a mount.
     *
     * @param below how many CAs may follow below the signed one
     */
    private X509Certificate sign(String mount, String request, String name, Cluster cluster, int below, String life)
            throws IOException, CertificateException {
        return readCertificate(api.call("POST", mount + "/root/sign-intermediate", Map.of("csr", request,
                "common_name", name, "locality", cluster.id(), "exclude_cn_from_sans", true,
                "max_path_length", below, "ttl", life)));
    }

    private void enable(String mount, String maxLease) throws IOException {
        if (api.call("GET", "sys/mounts", null).has(mount + "/")) return;
        api.call("POST", "sys/mounts/" + mount, Map.of("type", "pki", "config", Map.of("max_lease_ttl", maxLease)));
    }

    /** The certificate of the CA at a mount, if it has one. */
    private Optional<X509Certificate> certificate(String mount) throws IOException, CertificateException {
        if (api.call("GET", mount + "/config/issuers", null).at("/data/default").asText().isEmpty())
            return Optional.empty();
        return Optional.of(readCertificate(api.call("GET", mount + "/cert/ca", null)));
    }

    private static X509Certificate readCertificate(JsonNode answer) throws CertificateException {
        return Certificates.readCertificate(answer.at("/data/certificate").asText());
    }

    static void writeSecret(Path file, String secret) throws IOException {
        AppDirs.writePrivate(file, secret.getBytes(StandardCharsets.US_ASCII));
    }
}
