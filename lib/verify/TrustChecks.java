package lib.verify;

import module java.base;
import lib.ca.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.Pod;
import java.security.cert.X509Certificate;

/** Checks of certificates: as secrets and config maps have them, as proxies have them, and as they are presented. */
public record TrustChecks(List<Kube> kubes, SampleTarget app) {
    private static final String ROOT = "root-cert.pem";

    /** The root that workloads trust, as PEM. */
    private String root(Kube kube) {
        var trusted = kube.client().configMaps().inNamespace(app.namespace()).withName("istio-ca-root-cert").get();
        String root = trusted == null ? null : trusted.getData().get(ROOT);
        if (root == null || root.isBlank())
            throw Problem.failed("workloads of %s trust no root: the config map istio-ca-root-cert is %s"
                    .formatted(app.namespace(), trusted == null ? "missing" : "empty"),
                    "%s get configmaps -n %s".formatted(kube.kubectl(), app.namespace()));
        return root.strip();
    }

    X509Certificate rootCertificate(Kube kube) throws GeneralSecurityException {
        return Certificates.readCertificate(root(kube));
    }

    /** Checks that in all clusters workloads trust, and the control plane signs under, the same root. */
    public String sameRoot() throws Exception {
        Map<String, Set<String>> roots = new TreeMap<>();
        String subject = "";
        for (Kube kube : kubes) {
            String trusted = root(kube);
            subject = Certificates.readCertificate(trusted).getSubjectX500Principal().getName();
            Set<String> own = roots.computeIfAbsent(kube.cluster().name(), _ -> new TreeSet<>());
            own.add(fingerprint(trusted));
            var secret = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(Cacerts.SECRET).get();
            // a secret may lack this key: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
            if (secret != null && secret.getData().containsKey(ROOT))
                own.add(fingerprint(Certificates.decode(secret.getData().get(ROOT))));
        }
        Set<String> all = roots.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (all.size() > 1) throw Problem.failed("the clusters have different roots (SHA-256): " + roots,
                kubes.getFirst().commands().fromScratch() + ": a running mesh cannot change its root");
        return "%s, SHA-256 %s… in every cluster".formatted(subject, all.iterator().next());
    }

    private static String fingerprint(String pem) throws GeneralSecurityException {
        byte[] der = Certificates.readCertificate(pem).getEncoded();
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der)).substring(0, 16);
    }

    public String intermediate(Kube kube) throws GeneralSecurityException {
        X509Certificate root = Certificates.readCertificate(root(kube));
        String fromScratch = kube.commands().fromScratch();
        List<X509Certificate> istiod = chain(kube, IstioCsr.SECRET, "tls.crt"), intermediates;
        if (!istiod.isEmpty()) {
            checkIstioCsr(kube, istiod, root);
            intermediates = istiod.subList(1, istiod.size());
        } else {
            intermediates = chain(kube, Cacerts.SECRET, "ca-cert.pem", "cert-chain.pem");
            String missing = "there is no secret %s: ".formatted(Cacerts.SECRET);
            if (intermediates.isEmpty()) {
                if (!kube.cluster().isKind()) return missing + "another certificate authority signs";
                throw Problem.failed(missing + "istiod signs with its own root", fromScratch);
            }
            Certificates.validate("the secret " + Cacerts.SECRET, intermediates, root, fromScratch);
        }
        List<X509Certificate> authorities = Stream.concat(intermediates.stream(), Stream.of(root)).distinct().toList();
        Date tomorrow = Date.from(Instant.now().plus(Duration.ofDays(1)));
        for (X509Certificate authority : authorities) if (authority.getNotAfter().before(tomorrow))
            throw Problem.failed(authority.getSubjectX500Principal().getName() + " expires within a day", fromScratch);
        X509Certificate lowest = authorities.getFirst();
        return "%s, issued by %s, valid until %tF".formatted(lowest.getSubjectX500Principal().getName(),
                lowest.getIssuerX500Principal().getName(), lowest.getNotAfter());
    }

    /** The certificates under some keys of a secret in istio-system; none if there is no such secret. */
    private static List<X509Certificate> chain(Kube kube, String name, String... keys) throws GeneralSecurityException {
        var secret = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(name).get();
        var chain = new LinkedHashSet<X509Certificate>();
        if (secret != null) for (String key : keys)
            chain.addAll(Certificates.readChain(Certificates.decode(secret.getData().get(key))));
        return List.copyOf(chain);
    }

    /** With istio-csr no CA key is in the cluster, but istiod's own certificate shows its issuer and its renewal. */
    private static void checkIstioCsr(Kube kube, List<X509Certificate> istiod, X509Certificate root)
            throws GeneralSecurityException {
        if (kube.cluster().isKind()) new Deployments(kube, IstioCsr.CERT_MANAGER).ready();
        Date end = istiod.getFirst().getNotAfter();
        if (end.before(new Date()))
            throw Problem.failed("istiod's certificate expired on %1$tF at %1$tT and was not renewed".formatted(end),
                    "%s (it unseals Vault and repairs its address); see %s".formatted(kube.commands().kindDemo(),
                            kube.kubectl() + " -n istio-system describe certificate,issuer"));
        Certificates.validate("the secret " + IstioCsr.SECRET, istiod, root, kube.commands().fromScratch());
    }

    /** Checks the certificate of the client's proxy, and the root that it trusts. */
    String identity(Kube kube) throws Exception {
        ClientPod client = new ClientPod(kube, app);
        if (!client.hasProxy()) return "not checked: the client has no proxy";
        JsonNode certificates = new ObjectMapper().readTree(client.envoy("certs")).path("certificates");
        String expected = spiffeId(kube, app.client());
        BigInteger root = Certificates.readCertificate(root(kube)).getSerialNumber();
        Set<String> identities = new TreeSet<>();
        certificates.findValues("uri").forEach(uri -> identities.add(uri.asText()));
        Set<BigInteger> roots = rootSerials(certificates);
        if (!identities.contains(expected) || !roots.contains(root))
            throw Problem.failed("the client's proxy is %s and trusts the root %s; expected %s and %s"
                    .formatted(identities, roots.stream().map(serial -> serial.toString(16)).toList(), expected,
                            root.toString(16)), proxyCertificates(kube));
        return expected;
    }

    private String proxyCertificates(Kube kube) {
        return MeshChecks.command(kube, "proxy-config secret deploy/%s -n %s".formatted(app.client(), app.namespace()));
    }

    /** The serial numbers of a proxy's roots; Envoy writes them in hexadecimal, with two digits per byte. */
    static Set<BigInteger> rootSerials(JsonNode certificates) {
        return certificates.findValues("ca_cert").stream()
                .flatMap(roots -> roots.findValuesAsText("serial_number").stream())
                .map(serial -> new BigInteger(serial, 16)).collect(Collectors.toSet());
    }

    /** A ztunnel expects the trust domain of its own cluster from the others; only requests between them show it. */
    void requireOneDomain(Kube kube) {
        String own = new InstalledIstio(kube).trustDomain(), first = new InstalledIstio(kubes.getFirst()).trustDomain();
        if (!own.equals(first)) throw Problem.failed("the trust domain is %s, but %s has %s: requests between them fail"
                .formatted(own, kubes.getFirst().cluster(), first),
                "%s -n %s edit configmap istio (meshConfig.trustDomain)".formatted(kube.kubectl(), Mesh.NAMESPACE));
    }

    /** The SPIFFE ID of the pods with this label {@code app}: trust domain, namespace and service account. */
    String spiffeId(Kube kube, String label) {
        String account = new Pods(kube, app.namespace()).anyReady(label).getSpec().getServiceAccountName();
        return "spiffe://%s/ns/%s/sa/%s".formatted(new InstalledIstio(kube).trustDomain(), app.namespace(), account);
    }

    /** Checks that a pod rejects plaintext from outside the mesh and answers the same request through the mesh. */
    String strict(Kube kube) {
        ClientPod client = new ClientPod(kube, app);
        String url = podUrl(client, "http");
        Optional<ExternalCommand.Result> plain = client.curlOutsideMesh(url);
        if (plain.isEmpty()) return MeshChecks.NO_CURL;
        String printed = plain.get().lastLines();
        if (plain.get().ok()) throw Problem.failed("%s answered a request in plaintext: %s".formatted(url, printed),
                kube.kubectl() + " apply -f manifests/apps/strict.yaml");
        if (MeshChecks.CANNOT_CONNECT.contains(plain.get().exitCode()))
            throw Problem.failed("cannot connect to %s: %s".formatted(url, printed),
                    "%s get pods -o wide -n %s".formatted(kube.kubectl(), app.namespace()));
        client.ask(1);
        return "%s rejects plaintext (%s) and answers through the mesh".formatted(url, printed);
    }

    /** Calls a pod with TLS but without a client certificate: it must present its own and close the connection. */
    String peerIdentity(Kube kube) throws Exception {
        return peerIdentity(kube, podUrl(new ClientPod(kube, app), "https"), proxyCertificates(kube));
    }

    /** The same at port 15008 of the pod, where its ztunnel accepts HBONE. */
    String hboneIdentity(Kube kube) throws Exception {
        Pod pod = new Pods(kube, app.namespace()).anyReady(app.service());
        return peerIdentity(kube, "https://%s:15008/".formatted(Addresses.inUrl(pod.getStatus().getPodIP())),
                MeshChecks.command(kube, "ztunnel-config certificates"));
    }

    private String peerIdentity(Kube kube, String url, String hint) throws Exception {
        ClientPod client = new ClientPod(kube, app);
        String expected = spiffeId(kube, app.service());
        Optional<ExternalCommand.Result> tls = client.curlOutsideMesh(url);
        if (tls.isEmpty()) return MeshChecks.NO_CURL;
        List<X509Certificate> chain = Certificates.readChain(tls.get().out());
        if (tls.get().ok()) throw Problem.failed(url + " answered a request without a client certificate", hint);
        if (chain.isEmpty())
            throw Problem.failed("%s presented no certificate: %s".formatted(url, tls.get().lastLines()), hint);
        Set<String> identities = Certificates.uris(chain.getFirst());
        if (!identities.equals(Set.of(expected)))
            throw Problem.failed("%s presents %s; expected %s".formatted(url, identities, expected), hint);
        Certificates.validate(expected, chain, Certificates.readCertificate(root(kube)), kube.commands().fromScratch());
        return "%s presents %s (issued by %s) and requires a client certificate".formatted(url, expected,
                chain.getFirst().getIssuerX500Principal().getName());
    }

    /** The URL of a pod of the service itself: requests to it bypass the proxy of the caller. */
    private String podUrl(ClientPod client, String scheme) {
        Pod pod = new Pods(client.kube(), app.namespace()).anyReady(app.service());
        var target = client.port().getTargetPort();
        int port = target.getIntVal() != null ? target.getIntVal() : namedPort(client.kube(), pod, target.getStrVal());
        return "%s://%s:%d%s".formatted(scheme, Addresses.inUrl(pod.getStatus().getPodIP()), port, app.path());
    }

    private int namedPort(Kube kube, Pod pod, String name) {
        return pod.getSpec().getContainers().stream().flatMap(container -> container.getPorts().stream())
                .filter(port -> name.equals(port.getName())).findFirst().map(ContainerPort::getContainerPort)
                .orElseThrow(() -> Problem.failed("no container of the pod %s has the port %s of the service %s"
                        .formatted(pod.getMetadata().getName(), name, app.service()),
                        "%s describe service %s -n %s".formatted(kube.kubectl(), app.service(), app.namespace())));
    }
}
