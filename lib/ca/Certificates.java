package lib.ca;

import module java.base;
import lib.kube.*;
import lib.run.*;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.*;
import org.bouncycastle.cert.jcajce.*;
import org.bouncycastle.openssl.jcajce.*;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.io.pem.PemReader;

/** Creates, reads and validates X.509 certificates and keys in this process. */
public final class Certificates {
    private static final Duration ROOT_LIFE = Duration.ofDays(3650), INTERMEDIATE_LIFE = Duration.ofDays(730);
    /** Certificates are valid from some time ago, as the clocks of two machines differ. */
    private static final Duration CLOCK_SKEW = Duration.ofMinutes(10);
    private static final Pattern CERTIFICATE =
            Pattern.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", Pattern.DOTALL);

    /** A certificate and its private key. */
    public record Authority(X509Certificate certificate, PrivateKey key) {}

    private Certificates() {}

    public static Authority createRoot() {
        return create("O=Istio,CN=Root CA", newKeys(), null, ROOT_LIFE, new BasicConstraints(true),
                KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    }

    /** The intermediate CA of a cluster: it signs workload certificates, but no further CA. */
    public static Authority createIntermediate(Authority root, Cluster cluster) {
        return create("O=Istio,CN=Intermediate CA,L=" + cluster.id(), newKeys(), root, INTERMEDIATE_LIFE,
                new BasicConstraints(0), KeyUsage.digitalSignature | KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    }

    /**
     * Creates a server certificate with its own CA for a webhook. Returns the data of a secret in the format of
     * cert-controller, which MetalLB uses. cert-controller reads the CA's key as PKCS #1, so that key is RSA.
     */
    public static Map<String, String> webhookCertificate(String caName, String dnsName) throws IOException {
        KeyPair caKeys = newKeys("RSA", new RSAKeyGenParameterSpec(2048, RSAKeyGenParameterSpec.F4));
        Authority ca = create("CN=" + caName, caKeys, null, ROOT_LIFE, new BasicConstraints(true),
                KeyUsage.keyCertSign, caName);
        Authority server = create("CN=" + dnsName, newKeys(), ca, ROOT_LIFE, new BasicConstraints(false),
                KeyUsage.digitalSignature, dnsName);
        return Map.of("ca.crt", encode(pem(ca.certificate)), "ca.key", encode(writePem(ca.key)),
                "tls.crt", encode(pem(server.certificate)), "tls.key", encode(pem(server.key)));
    }

    /** A certificate signing request (PKCS #10) as PEM. Its subject is empty: the CA that signs it sets one. */
    static String request(KeyPair keys) throws IOException {
        try {
            var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
            return writePem(new JcaPKCS10CertificationRequestBuilder(new X500Name(""), keys.getPublic()).build(signer));
        } catch (OperatorCreationException e) {
            throw new IllegalStateException("this JDK cannot sign requests", e);
        }
    }

    /**
     * @param issuer  the CA that signs the certificate; null for a self-signed certificate
     * @param usage   flags of {@link KeyUsage}
     * @param dnsName the subject alternative name, or null
     */
    private static Authority create(String subject, KeyPair keys, Authority issuer, Duration life,
            BasicConstraints constraints, int usage, String dnsName) {
        X500Name name = new X500Name(subject);
        X500Name issuerName = issuer == null ? name
                : X500Name.getInstance(issuer.certificate.getSubjectX500Principal().getEncoded());
        PublicKey issuerPublicKey = issuer == null ? keys.getPublic() : issuer.certificate.getPublicKey();
        PrivateKey issuerKey = issuer == null ? keys.getPrivate() : issuer.key;
        BigInteger serial = new BigInteger(127, new SecureRandom()).setBit(126);
        Instant now = Instant.now();
        try {
            var ids = new JcaX509ExtensionUtils();
            var builder = new JcaX509v3CertificateBuilder(issuerName, serial, Date.from(now.minus(CLOCK_SKEW)),
                    Date.from(now.plus(life)), name, keys.getPublic());
            builder.addExtension(Extension.basicConstraints, true, constraints)
                    .addExtension(Extension.keyUsage, true, new KeyUsage(usage))
                    .addExtension(Extension.subjectKeyIdentifier, false,
                            ids.createSubjectKeyIdentifier(keys.getPublic()))
                    .addExtension(Extension.authorityKeyIdentifier, false,
                            ids.createAuthorityKeyIdentifier(issuerPublicKey));
            if (dnsName != null) builder.addExtension(Extension.subjectAlternativeName, false,
                    new GeneralNames(new GeneralName(GeneralName.dNSName, dnsName)));
            String algorithm = "SHA256with" + issuerKey.getAlgorithm().replace("EC", "ECDSA");
            var signed = builder.build(new JcaContentSignerBuilder(algorithm).build(issuerKey));
            return new Authority(new JcaX509CertificateConverter().getCertificate(signed), keys.getPrivate());
        } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
            throw new IllegalStateException("this JDK cannot sign certificates", e);
        }
    }

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

    public static String pem(X509Certificate certificate) throws IOException { return writePem(certificate); }

    /** PKCS #8, which istiod reads whatever the algorithm. */
    public static String pem(PrivateKey key) throws IOException { return writePem(new JcaPKCS8Generator(key, null)); }

    /** Writes a key by its algorithm: RSA as PKCS #1. */
    private static String writePem(Object content) throws IOException {
        StringWriter text = new StringWriter();
        try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
            writer.writeObject(content);
        }
        return text.toString();
    }

    public static X509Certificate readCertificate(String pem) throws CertificateException {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
    }

    /** All certificates in a text, in their order; there may be other text around them. */
    public static List<X509Certificate> readChain(String text) throws CertificateException {
        List<X509Certificate> chain = new ArrayList<>();
        for (Matcher matcher = CERTIFICATE.matcher(text); matcher.find();) chain.add(readCertificate(matcher.group()));
        return chain;
    }

    static PrivateKey readKey(String pem) throws IOException, GeneralSecurityException {
        try (PemReader reader = new PemReader(new StringReader(pem))) {
            var content = new PKCS8EncodedKeySpec(reader.readPemObject().getContent());
            return KeyFactory.getInstance("EC").generatePrivate(content);
        }
    }

    /** The URIs among the subject alternative names, such as the SPIFFE identity of a workload. */
    public static Set<String> uris(X509Certificate certificate) throws CertificateException {
        Collection<List<?>> names = certificate.getSubjectAlternativeNames();
        if (names == null) return Set.of();
        return names.stream().filter(name -> name.getFirst().equals(GeneralName.uniformResourceIdentifier))
                .map(name -> name.get(1).toString()).collect(Collectors.toSet());
    }

    /**
     * Validates a certificate chain.
     *
     * @param owner whose chain it is, for the message
     * @param chain the leaf first
     * @param hint  the command to run when the chain is invalid
     * @throws Problem when the chain does not lead to this root, or is not valid now
     */
    public static void validate(String owner, List<X509Certificate> chain, X509Certificate root, String hint)
            throws GeneralSecurityException {
        var parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setRevocationEnabled(false);
        List<X509Certificate> belowRoot = chain.stream().filter(c -> !c.equals(root)).toList();
        try {
            var path = CertificateFactory.getInstance("X.509").generateCertPath(belowRoot);
            CertPathValidator.getInstance("PKIX").validate(path, parameters);
        } catch (CertPathValidatorException e) {
            throw Problem.failed("%s does not chain to %s: %s".formatted(owner,
                    root.getSubjectX500Principal().getName(), e.getMessage()), hint);
        }
    }

    /** Base64, as Kubernetes keeps the data of secrets. */
    public static String encode(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Decodes {@link #encode}; empty for null. */
    public static String decode(String data) {
        return data == null ? "" : new String(Base64.getDecoder().decode(data), StandardCharsets.UTF_8);
    }
}
