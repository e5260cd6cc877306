package lib.ca;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import java.security.cert.X509Certificate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Creates, reads and validates certificates; openssl validates them, too, if it is installed. */
@Tag("unit")
class CertificatesTest {
    private final Certificates.Authority root = Certificates.createRoot();
    private final Certificates.Authority first = Certificates.createIntermediate(root, new Cluster(1, "so1"));

    @Test void acceptsOnlyAChainToTheSameRoot() throws GeneralSecurityException {
        X509Certificate own = first.certificate(), top = root.certificate();
        Certificates.validate("so1", List.of(own), top, "");
        Certificates.validate("so1", List.of(own, top), top, "");
        refused("so1", List.of(own), Certificates.createRoot().certificate());
        Certificates.Authority below = Certificates.createIntermediate(first, new Cluster(2, "so2"));
        X509Certificate last = Certificates.createIntermediate(below, new Cluster(3, "so3")).certificate();
        refused("a chain with a CA below an intermediate", List.of(last, below.certificate(), own), top);
        refused("a chain with a gap", List.of(below.certificate()), top);
    }

    private static void refused(String who, List<X509Certificate> chain, X509Certificate root) {
        Problem problem = assertThrows(Problem.class, () -> Certificates.validate(who, chain, root, "hint"), who);
        assertTrue(problem.getMessage().startsWith(who + " does not chain to "), problem.getMessage());
    }

    @Test void readsItsOwnPem() throws Exception {
        String both = Certificates.pem(first.certificate()) + "and a word between\n"
                + Certificates.pem(root.certificate());
        assertEquals(List.of(first.certificate(), root.certificate()), Certificates.readChain(both));
        assertEquals(root.certificate(), Certificates.readCertificate(Certificates.pem(root.certificate())));
        assertEquals(first.key(), Certificates.readKey(Certificates.pem(first.key())));
    }

    @Test void webhookCertificateHasItsNameAndIsNoCa() throws Exception {
        Map<String, String> data = Certificates.webhookCertificate("cert", "webhook.metallb-system.svc");
        X509Certificate server = Certificates.readCertificate(Certificates.decode(data.get("tls.crt")));
        Certificates.validate("webhook", List.of(server),
                Certificates.readCertificate(Certificates.decode(data.get("ca.crt"))), "");
        assertEquals(List.of(List.of(2, "webhook.metallb-system.svc")),
                List.copyOf(server.getSubjectAlternativeNames()));
        assertEquals(-1, server.getBasicConstraints());
        assertTrue(Certificates.decode(data.get("ca.key")).startsWith("-----BEGIN RSA PRIVATE KEY-----"),
                "cert-controller reads PKCS #1");
    }

    @Test void setsUsagesAndLifetimesOfACa() throws GeneralSecurityException {
        assertEquals(Integer.MAX_VALUE, root.certificate().getBasicConstraints());
        assertEquals(0, first.certificate().getBasicConstraints(), "an intermediate CA may not issue CA certificates");
        for (var authority : List.of(root, first)) {
            assertTrue(authority.certificate().getKeyUsage()[5], "keyCertSign");
            authority.certificate().checkValidity(Date.from(Instant.now().minus(Duration.ofMinutes(5))));
            authority.certificate().checkValidity(Date.from(Instant.now().plus(Duration.ofDays(365))));
        }
        assertTrue(first.certificate().getNotAfter().before(root.certificate().getNotAfter()));
    }

    @Test void opensslAcceptsTheChainAndTheKey(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("root.pem"), Certificates.pem(root.certificate()));
        Files.writeString(folder.resolve("ca.pem"), Certificates.pem(first.certificate()));
        Files.writeString(folder.resolve("key.pem"), Certificates.pem(first.key()));
        Requirements.programs("openssl");
        Shell.succeeds("cd '%s' && openssl verify -x509_strict -CAfile root.pem ca.pem".formatted(folder)
                + " && diff <(openssl pkey -in key.pem -pubout) <(openssl x509 -in ca.pem -noout -pubkey)");
    }

    @Test void onlyTheOwnerReadsPrivateFiles(@TempDir Path folder) throws IOException {
        AppDirs.writePrivate(folder.resolve("key.pem"), "secret".getBytes(StandardCharsets.UTF_8));
        assertEquals(PosixFilePermissions.fromString("rw-------"),
                Files.getPosixFilePermissions(folder.resolve("key.pem")));
    }
}
