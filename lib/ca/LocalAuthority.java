package lib.ca;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.ca.Certificates.Authority;

/** A root whose key is a private file on this machine. The key of an intermediate CA is only in its cluster. */
public final class LocalAuthority implements CertificateAuthority {
    private final Path state;
    private final Manifests manifests;
    private volatile Authority root;

    /** @param state the folder for the root's key and certificate */
    public LocalAuthority(Path state, Manifests manifests) {
        this.state = state;
        this.manifests = manifests;
    }

    @Override public String check() { return "local: KindDemo creates the root"; }

    @Override public Action root() {
        return new Action(Cacerts.SHELL_FOLDER + """
                openssl ecparam -name prime256v1 -genkey -noout -out root-key.pem
                openssl req -new -key root-key.pem -subj '/O=Istio/CN=Root CA' -out root.csr
                openssl x509 -req -in root.csr -out root-cert.pem -days 3650 -signkey root-key.pem \\
                  -extfile <(printf '%s\\n' basicConstraints=critical,CA:true \\
                    keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash)""",
                _ -> root = loadOrCreateRoot());
    }

    private Authority loadOrCreateRoot() throws IOException, GeneralSecurityException {
        Path certificate = state.resolve("root-cert.pem"), key = state.resolve("root-key.pem");
        if (Files.exists(certificate) && Files.exists(key))
            return new Authority(Certificates.readCertificate(Files.readString(certificate)),
                    Certificates.readKey(Files.readString(key)));
        Authority created = Certificates.createRoot();
        AppDirs.writePrivate(key, Certificates.pem(created.key()).getBytes(StandardCharsets.US_ASCII));
        AppDirs.writePrivate(certificate, Certificates.pem(created.certificate()).getBytes(StandardCharsets.US_ASCII));
        return created;
    }

    @Override public Action install(Kube kube) {
        Cluster cluster = kube.cluster();
        String toShell = """
                openssl ecparam -name prime256v1 -genkey -noout -out %1$s-key.pem
                openssl req -new -key %1$s-key.pem -subj '/O=Istio/CN=Intermediate CA/L=%2$s' -out %1$s.csr
                openssl x509 -req -in %1$s.csr -out %1$s-cert.pem -days 730 \\
                  -CA root-cert.pem -CAkey root-key.pem -CAcreateserial \\
                  -extfile <(printf '%%s\\n' basicConstraints=critical,CA:true,pathlen:0 \\
                    keyUsage=critical,digitalSignature,keyCertSign,cRLSign \\
                    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid)
                cat %1$s-cert.pem root-cert.pem > %1$s-chain.pem
                """.formatted(cluster.filePrefix(), cluster.id());
        return new Action(toShell + Cacerts.toShell(cluster, manifests), _ ->
                Cacerts.install(kube, manifests, root.certificate(), () -> {
                    Authority own = Certificates.createIntermediate(root, cluster);
                    return new Cacerts(own.key(), List.of(own.certificate(), root.certificate()));
                }));
    }
}
