package lib.ca;

import module java.base;
import lib.kube.*;
import lib.run.*;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;

/** Certificates and keys as X.509 and PEM have them: made, read and judged in this process. */
public final class Certificates {
    private static final Duration ROOT_LIFE = Duration.ofDays(3650), INTERMEDIATE_LIFE = Duration.ofDays(730),
            CLOCKS_DIFFER = Duration.ofMinutes(10);

    /** A certificate and its key. */
    public record Authority(X509Certificate certificate, PrivateKey key) {}

    private Certificates() {}

    public static Authority createRoot() {
        KeyPair keys = newKeys();
        X500Name name = new X500Name("O=Istio,CN=Root CA");
        var builder = new JcaX509v3CertificateBuilder(name, serial(), start(), end(ROOT_LIFE), name, keys.getPublic());
        return sign(builder, keys, keys, new BasicConstraints(true), KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    }

    /**
     * A certificate for a server outside the mesh, from an authority of its own: the data of a secret as cert-controller, which
     * MetalLB uses, keeps it. It reads the authority's key as PKCS #1, so that is RSA.
     */
    public static Map<String, String> webhookCertificate(String authorityName, String dnsName) throws IOException, CertificateException {
        KeyPair signer = newKeys("RSA", new RSAKeyGenParameterSpec(2048, RSAKeyGenParameterSpec.F4)), keys = newKeys();
        X500Name issuer = new X500Name("CN=" + authorityName);
        Authority authority = sign(new JcaX509v3CertificateBuilder(issuer, serial(), start(), end(ROOT_LIFE), issuer, signer.getPublic()),
                signer, signer, new BasicConstraints(true), KeyUsage.keyCertSign, authorityName);
        Authority server = sign(new JcaX509v3CertificateBuilder(authority.certificate, serial(), start(), end(ROOT_LIFE),
                new X500Name("CN=" + dnsName), keys.getPublic()),
                keys, signer, new BasicConstraints(false), KeyUsage.digitalSignature, dnsName);
        return Map.of("ca.crt", encode(pem(authority.certificate)), "ca.key",
                encode(pem("RSA PRIVATE KEY", PrivateKeyInfo.getInstance(authority.key.getEncoded()).parsePrivateKey().toASN1Primitive()
                .getEncoded())), "tls.crt", encode(pem(server.certificate)), "tls.key", encode(pem(server.key)));
    }

    public static Authority createIntermediate(Authority root, Cluster cluster) {
        KeyPair keys = newKeys();
        X500Name name = new X500Name("O=Istio,CN=Intermediate CA,L=" + cluster.id());
        var builder = new JcaX509v3CertificateBuilder(root.certificate, serial(), start(), end(INTERMEDIATE_LIFE), name, keys.getPublic());
        return sign(builder, keys, new KeyPair(root.certificate.getPublicKey(), root.key), new BasicConstraints(0),
                KeyUsage.digitalSignature | KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    }

    /** A certificate signing request without a name: whoever signs it gives one. PKCS #10, as PEM. */
    static String request(KeyPair keys) throws IOException {
        try {
            var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
            var request = new JcaPKCS10CertificationRequestBuilder(new X500Name(new RDN[0]), keys.getPublic()).build(signer);
            return pem("CERTIFICATE REQUEST", request.getEncoded());
        } catch (OperatorCreationException e) {
            throw new IllegalStateException("this JDK cannot sign requests", e);
        }
    }

    private static Authority sign(X509v3CertificateBuilder builder, KeyPair own, KeyPair signer, BasicConstraints constraints, int usage,
            String dnsName) {
        try {
            var ids = new JcaX509ExtensionUtils();
            builder.addExtension(Extension.basicConstraints, true, constraints)
                    .addExtension(Extension.keyUsage, true, new KeyUsage(usage))
                    .addExtension(Extension.subjectKeyIdentifier, false, ids.createSubjectKeyIdentifier(own.getPublic()))
                    .addExtension(Extension.authorityKeyIdentifier, false, ids.createAuthorityKeyIdentifier(signer.getPublic()));
            if (dnsName != null) builder.addExtension(Extension.subjectAlternativeName, false,
                    new GeneralNames(new GeneralName(GeneralName.dNSName, dnsName)));
            var signed = builder.build(new JcaContentSignerBuilder("SHA256with" + signer.getPrivate().getAlgorithm().replace("EC", "ECDSA"))
                    .build(signer.getPrivate()));
            return new Authority(new JcaX509CertificateConverter().getCertificate(signed), own.getPrivate());
        } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
            throw new IllegalStateException("this JDK cannot sign certificates", e);
        }
    }

    private static Date start() { return Date.from(Instant.now().minus(CLOCKS_DIFFER)); }

    private static Date end(Duration life) { return Date.from(Instant.now().plus(life)); }

    public static KeyPair newKeys() { return newKeys("EC", new ECGenParameterSpec("secp256r1")); }

    private static KeyPair newKeys(String algorithm, AlgorithmParameterSpec parameters) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
            generator.initialize(parameters);
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JDK has no " + algorithm, e);
        }
    }

    private static BigInteger serial() { return new BigInteger(127, new SecureRandom()).setBit(126); }

    public static String pem(X509Certificate certificate) throws IOException, CertificateException {
        return pem("CERTIFICATE", certificate.getEncoded());
    }

    /** PKCS #8, which istiod reads whatever the algorithm. */
    public static String pem(PrivateKey key) throws IOException { return pem("PRIVATE KEY", key.getEncoded()); }

    private static String pem(String type, byte[] content) throws IOException {
        StringWriter text = new StringWriter();
        try (PemWriter writer = new PemWriter(text)) {
            writer.writeObject(new PemObject(type, content));
        }
        return text.toString();
    }

    public static X509Certificate readCertificate(String pem) throws CertificateException {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
    }

    /** The certificates in a text, in their order. */
    public static List<X509Certificate> readChain(String text) throws CertificateException {
        List<X509Certificate> chain = new ArrayList<>();
        for (MatchResult found : Pattern.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", Pattern.DOTALL).matcher(text)
                .results().toList()) chain.add(readCertificate(found.group()));
        return chain;
    }

    /** The URIs that a certificate is for, such as a workload's SPIFFE identity. */
    public static Set<String> uris(X509Certificate certificate) throws CertificateException {
        int uri = GeneralName.uniformResourceIdentifier;
        return Objects.requireNonNullElse(certificate.getSubjectAlternativeNames(), List.<List<?>>of()).stream()
                .filter(name -> name.getFirst().equals(uri)).map(name -> name.get(1).toString()).collect(Collectors.toSet());
    }

    /**
     * A {@link Problem} when a chain does not lead to this root, or is not valid now.
     *
     * @param who   whose chain it is
     * @param chain the leaf first
     * @param hint  what to type when it does not
     */
    public static void validate(String who, List<X509Certificate> chain, X509Certificate root, String hint)
            throws GeneralSecurityException {
        var parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setRevocationEnabled(false);
        List<X509Certificate> below = chain.stream().filter(c -> !c.equals(root)).toList();
        try {
            CertPathValidator.getInstance("PKIX").validate(CertificateFactory.getInstance("X.509").generateCertPath(below), parameters);
        } catch (CertPathValidatorException e) {
            throw Problem.failed("%s does not chain to %s: %s".formatted(who, root.getSubjectX500Principal().getName(),
                    e.getMessage()), hint);
        }
    }

    static PrivateKey readKey(String pem) throws IOException, GeneralSecurityException {
        try (PemReader reader = new PemReader(new StringReader(pem))) {
            return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(reader.readPemObject().getContent()));
        }
    }

    public static String encode(String text) { return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8)); }

    public static String decode(String data) { return data == null ? "" : new String(Base64.getDecoder().decode(data), StandardCharsets.UTF_8); }
}
