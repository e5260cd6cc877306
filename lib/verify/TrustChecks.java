package lib.verify;

import module java.base;
import lib.ca.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.Pod;
import java.security.cert.X509Certificate;

/** Who trusts whom: as it is written down, as the proxies hold it, and as it is seen on the wire. */
public final class TrustChecks {
    private final List<Kube> kubes;
    private final SampleTarget app;

    public TrustChecks(List<Kube> kubes, SampleTarget app) {
        this.kubes = kubes;
        this.app = app;
    }

    private String rootOf(Kube kube) {
        var trusted = kube.client().configMaps().inNamespace(app.namespace()).withName("istio-ca-root-cert").get();
        String root = trusted == null ? null : trusted.getData().get("root-cert.pem");
        if (root == null || root.isBlank())
            throw Problem.failed("workloads of %s have no root to trust: the configmap istio-ca-root-cert is %s".formatted(app.namespace(),
                    trusted == null ? "missing" : "empty"), "%s get configmaps -n %s".formatted(kube.kubectl(), app.namespace()));
        return root.strip();
    }

    /** The root that workloads trust, and the one that the control plane signs under, are the same everywhere. */
    public String sameRoot() throws Exception {
        Map<String, Set<String>> roots = new TreeMap<>();
        String subject = "";
        for (Kube kube : kubes) {
            subject = Certificates.readCertificate(rootOf(kube)).getSubjectX500Principal().getName();
            Set<String> own = roots.computeIfAbsent(kube.cluster().name(), _ -> new TreeSet<>());
            own.add(fingerprint(rootOf(kube)));
            var secret = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(Cacerts.SECRET).get();
            // istiod takes a secret of other keys too: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
            if (secret != null && secret.getData().containsKey("root-cert.pem")) own.add(fingerprint(Certificates.decode(secret.getData().get("root-cert.pem"))));
        }
        Set<String> all = roots.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (all.size() > 1)
            throw Problem.failed("the clusters have different roots (SHA-256): " + roots,
                    kubes.getFirst().commands().fromScratch() + ": a running mesh cannot change its root");
        return "%s, SHA-256 %s… in every cluster".formatted(subject, all.iterator().next());
    }

    private static String fingerprint(String pem) throws GeneralSecurityException {
        byte[] der = Certificates.readCertificate(pem).getEncoded();
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der)).substring(0, 16);
    }

    /** The cluster's intermediate is signed by the root that its workloads trust, and neither expires within a day. */
    public String intermediate(Kube kube) throws GeneralSecurityException {
        X509Certificate root = Certificates.readCertificate(rootOf(kube));
        List<X509Certificate> istiods = chain(kube, IstioCsr.SECRET, "tls.crt"),
                own = istiods.isEmpty() ? chain(kube, Cacerts.SECRET, "ca-cert.pem", "cert-chain.pem") : istiods.subList(1, istiods.size());
        if (!istiods.isEmpty()) byIstioCsr(kube, istiods, root);
        else if (own.isEmpty() && !kube.cluster().isKind())
            return "there is no secret %s: another authority signs".formatted(Cacerts.SECRET);
        else if (own.isEmpty()) throw Problem.failed("there is no secret %s: istiod signs with a root of its own".formatted(Cacerts.SECRET),
                kube.commands().fromScratch());
        else Certificates.validate("the secret " + Cacerts.SECRET, own, root, kube.commands().fromScratch());
        List<X509Certificate> authorities = Stream.concat(own.stream(), Stream.of(root)).distinct().toList();
        Date tomorrow = Date.from(Instant.now().plus(Duration.ofDays(1)));
        for (X509Certificate certificate : authorities) if (certificate.getNotAfter().before(tomorrow))
            throw Problem.failed("%s expires within a day".formatted(certificate.getSubjectX500Principal().getName()),
                    kube.commands().fromScratch());
        X509Certificate lowest = authorities.getFirst();
        return "%s, signed by %s, until %tF".formatted(lowest.getSubjectX500Principal().getName(),
                lowest.getIssuerX500Principal().getName(), lowest.getNotAfter());
    }

    private static List<X509Certificate> chain(Kube kube, String secret, String... parts) throws GeneralSecurityException {
        var there = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(secret).get();
        var chain = new LinkedHashSet<X509Certificate>();
        if (there != null) for (String part : parts) chain.addAll(Certificates.readChain(Certificates.decode(there.getData().get(part))));
        return List.copyOf(chain);
    }

    /** With istio-csr nobody in the cluster has a key to sign with; istiod's own certificate shows who has, and that it is renewed. */
    private static void byIstioCsr(Kube kube, List<X509Certificate> istiods, X509Certificate root) throws GeneralSecurityException {
        if (kube.cluster().isKind()) new Deployments(kube, CertManager.NAMESPACE).ready();
        Date end = istiods.getFirst().getNotAfter();
        if (end.before(new Date())) throw Problem.failed("istiod's certificate ended at %tT and was not renewed".formatted(end),
                "%s (it opens Vault and lets the cluster reach it); see %s -n %s describe certificate,issuer"
                        .formatted(kube.commands().kindDemo(), kube.kubectl(), Mesh.NAMESPACE));
        Certificates.validate("the secret " + IstioCsr.SECRET, istiods, root, kube.commands().fromScratch());
    }

    /** The running proxy's own certificate: its identity, and the root that it checks others by. */
    String identity(Kube kube) throws Exception {
        ClientPod client = new ClientPod(kube, app);
        if (!client.hasProxy()) return "the client has no proxy to look at";
        JsonNode certificates = new ObjectMapper().readTree(client.envoy("certs")).path("certificates");
        String expected = identityOf(kube, app.client());
        BigInteger root = Certificates.readCertificate(rootOf(kube)).getSerialNumber();
        Set<String> identities = new TreeSet<>();
        certificates.findValues("uri").forEach(uri -> identities.add(uri.asText()));
        Set<BigInteger> roots = rootSerials(certificates);
        if (!identities.contains(expected) || !roots.contains(root))
            throw Problem.failed("the client's proxy is %s and trusts the root %s; expected %s and %s".formatted(identities,
                    roots.stream().map(serial -> serial.toString(16)).toList(), expected, root.toString(16)),
                            "istioctl --context %s proxy-config secret deploy/%s -n %s".formatted(kube.cluster().quotedContext(),
                    app.client(), app.namespace()));
        return expected;
    }

    /** The serial numbers of the roots that a proxy has; Envoy writes them in hex, two digits a byte. */
    static Set<BigInteger> rootSerials(JsonNode certificates) {
        return certificates.findValues("ca_cert").stream().flatMap(roots -> roots.findValuesAsText("serial_number").stream())
                .map(serial -> new BigInteger(serial, 16)).collect(Collectors.toSet());
    }

    /** Who the pods with this label {@code app} should be, by their service account and the mesh's trust domain. */
    private String identityOf(Kube kube, String label) {
        String trustDomain = new InstalledIstio(kube).meshConfig().path("trustDomain").asText("cluster.local");
        return "spiffe://%s/ns/%s/sa/%s".formatted(trustDomain, app.namespace(), new Pods(kube, app.namespace()).anyReady(label).getSpec()
                .getServiceAccountName());
    }

    /** A request that does not come through a proxy gets no answer in plaintext, while the same one through the mesh is served. */
    String strict(Kube kube) {
        ClientPod client = new ClientPod(kube, app);
        String url = pastTheProxy(client, "http");
        Optional<ExternalCommand.Result> plain = client.curlOutsideMesh(url);
        if (plain.isEmpty()) return "the proxy's image has no curl to look with";
        String saw = plain.get().lastLines();
        if (plain.get().ok()) throw Problem.failed("%s answered a request in plaintext: %s".formatted(url, saw),
                "%s apply -f manifests/apps/strict.yaml".formatted(kube.kubectl()));
        if (MeshChecks.CANNOT_CONNECT.contains(plain.get().exitCode())) throw Problem.failed("cannot connect to %s: %s".formatted(url, saw),
                "%s get pods -o wide -n %s".formatted(kube.kubectl(), app.namespace()));
        client.ask(1);
        return "%s: %s; through the mesh: served".formatted(url, saw);
    }

    /**
     * What an instance shows to a caller that speaks TLS but has no certificate: its own identity, signed under the mesh's root. And
     * it hangs up, as it wants the caller's.
     */
    String peerIdentity(Kube kube) throws Exception {
        ClientPod client = new ClientPod(kube, app);
        String url = pastTheProxy(client, "https"), expected = identityOf(kube, app.service());
        Optional<ExternalCommand.Result> tls = client.curlOutsideMesh(url);
        if (tls.isEmpty()) return "the proxy's image has no curl to look with";
        List<X509Certificate> chain = Certificates.readChain(tls.get().out());
        String hint = "istioctl --context %s proxy-config secret deploy/%s -n %s".formatted(kube.cluster().quotedContext(), app.client(),
                app.namespace());
        if (tls.get().ok()) throw Problem.failed(url + " answered a caller without a certificate", hint);
        if (chain.isEmpty()) throw Problem.failed("%s showed no certificate: %s".formatted(url, tls.get().lastLines()), hint);
        Set<String> identities = Certificates.uris(chain.getFirst());
        if (!identities.equals(Set.of(expected))) throw Problem.failed("%s is %s; expected %s".formatted(url, identities, expected), hint);
        Certificates.validate(expected, chain, Certificates.readCertificate(rootOf(kube)),
                kube.commands().fromScratch());
        return "%s is %s by the word of %s, and wants to know who calls".formatted(url, expected,
                chain.getFirst().getIssuerX500Principal().getName());
    }

    /** An instance's own address, which no proxy of the caller's is asked for. */
    private String pastTheProxy(ClientPod client, String scheme) {
        Pod pod = new Pods(client.kube(), app.namespace()).anyReady(app.service());
        var target = client.port().getTargetPort();
        int port = target.getIntVal() != null ? target.getIntVal() : pod.getSpec().getContainers().stream()
                .flatMap(c -> c.getPorts().stream()).filter(p -> p.getName() != null && p.getName().equals(target.getStrVal())).findFirst()
                .map(ContainerPort::getContainerPort).orElseThrow(() -> Problem.failed(
                        "no container of the pod %s has the port %s of the service %s".formatted(pod.getMetadata().getName(),
                        target.getStrVal(), app.service()), "%s describe service %s -n %s".formatted(client.kube().kubectl(), app.service(),
                        app.namespace())));
        return "%s://%s:%d%s".formatted(scheme, Kube.inUrl(pod.getStatus().getPodIP()), port, app.path());
    }
}
