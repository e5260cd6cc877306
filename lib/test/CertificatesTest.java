package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The JDK's own validator, and openssl where there is one, are the judges. */
@Tag("unit")
class CertificatesTest {
    private final Certificates.Authority root = Certificates.makeRoot();
    private final Certificates.Authority first = Certificates.makeIntermediate(root, new Cluster(1, "so1"));

    @Test void theChainIsValid() throws GeneralSecurityException {
        var path = CertificateFactory.getInstance("X.509").generateCertPath(List.of(first.certificate()));
        var parameters = new PKIXParameters(Set.of(new TrustAnchor(root.certificate(), null)));
        parameters.setRevocationEnabled(false);
        assertNotNull(CertPathValidator.getInstance("PKIX").validate(path, parameters));
    }

    @Test void anotherRootIsNotTrusted() throws GeneralSecurityException {
        var path = CertificateFactory.getInstance("X.509").generateCertPath(List.of(first.certificate()));
        var parameters = new PKIXParameters(Set.of(new TrustAnchor(Certificates.makeRoot().certificate(), null)));
        parameters.setRevocationEnabled(false);
        assertThrows(CertPathValidatorException.class, () -> CertPathValidator.getInstance("PKIX").validate(path, parameters));
    }

    @Test void usagesAndLifetimesAreThoseOfAnAuthority() throws GeneralSecurityException {
        assertEquals(Integer.MAX_VALUE, root.certificate().getBasicConstraints());
        assertEquals(0, first.certificate().getBasicConstraints(), "an intermediate signs workloads, no further authorities");
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
        org.junit.jupiter.api.Assumptions.assumeTrue(Shell.run("command -v openssl").exitCode() == 0, "openssl is not installed");
        Shell.succeeds("cd '%s' && openssl verify -x509_strict -CAfile root.pem ca.pem".formatted(folder)
                + " && diff <(openssl pkey -in key.pem -pubout) <(openssl x509 -in ca.pem -noout -pubkey)");
    }

    @Test void privateFilesAreForTheirOwnerAlone(@TempDir Path folder) throws IOException {
        Home.writePrivate(folder.resolve("key.pem"), "secret".getBytes(StandardCharsets.UTF_8));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("key.pem"))));
    }
}
