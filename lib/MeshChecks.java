package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.cert.X509Certificate;

/** The mesh itself: trust, control planes, east-west gateways, endpoints, traffic. */
final class MeshChecks {
    /** Envoy's name for the service, as a client's proxy has it. */
    private static final String ENVOY_CLUSTER = "outbound|5000||helloworld.sample.svc.cluster.local";
    private static final String IDENTITY = "spiffe://cluster.local/ns/%s/sa/%s";
    /** Enough requests to judge a spread by: with 8 instances, one is missed by chance less than once in a hundred. */
    private static final int REQUESTS = 40;
    /** curl's exit codes for a refused connection and for none in time, https://curl.se/docs/manpage.html#EXIT */
    private static final Set<Integer> CANNOT_CONNECT = Set.of(7, 28);
    private static final Duration EXEC = Duration.ofSeconds(20);

    private final List<Kube> kubes;
    private final Istioctl istioctl;
    private final ObjectMapper json = new ObjectMapper();

    MeshChecks(List<Kube> kubes, Istioctl istioctl) {
        this.kubes = kubes;
        this.istioctl = istioctl;
    }

    private static String rootOf(Kube kube) {
        var trusted = kube.client().configMaps().inNamespace(SampleApp.NAMESPACE).withName("istio-ca-root-cert").get();
        if (trusted == null) throw Problem.failed("workloads of %s have no root to trust: the configmap istio-ca-root-cert is missing".formatted(SampleApp.NAMESPACE), Kube.kubectl(kube.cluster()) + " get configmaps -n " + SampleApp.NAMESPACE);
        return trusted.getData().get("root-cert.pem").strip();
    }

    /** The root that workloads trust, and the one that the control plane signs under, are the same everywhere. */
    String sameRoot() throws Exception {
        Map<String, Set<String>> roots = new TreeMap<>();
        for (Kube kube : kubes) {
            Set<String> own = roots.computeIfAbsent(kube.cluster().name(), _ -> new TreeSet<>());
            own.add(fingerprint(rootOf(kube)));
            var secret = kube.client().secrets().inNamespace(Istioctl.NAMESPACE).withName(CertificateAuthority.SECRET).get();
            if (secret != null) own.add(fingerprint(CertificateAuthority.decode(secret.getData().get("root-cert.pem"))));
        }
        Set<String> all = roots.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (all.size() > 1)
            throw Problem.failed("the clusters have different roots (SHA-256): " + roots,
                    "jbang Teardown.java, then jbang KindDemo.java: a running mesh cannot change its root");
        return "SHA-256 %s… in every cluster".formatted(all.iterator().next());
    }

    private static String fingerprint(String pem) throws GeneralSecurityException {
        byte[] der = CertificateAuthority.readCertificate(pem).getEncoded();
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der)).substring(0, 16);
    }

    /** The cluster's intermediate is signed by the root that its workloads trust, and neither expires within a day. */
    String intermediate(Kube kube) throws GeneralSecurityException {
        var secret = kube.client().secrets().inNamespace(Istioctl.NAMESPACE).withName(CertificateAuthority.SECRET).get();
        if (secret == null) throw Problem.failed("there is no secret %s: istiod signs with a root of its own".formatted(CertificateAuthority.SECRET), "jbang Teardown.java, then jbang KindDemo.java");
        X509Certificate intermediate = CertificateAuthority.readCertificate(CertificateAuthority.decode(secret.getData()
                .get("ca-cert.pem")));
        X509Certificate root = CertificateAuthority.readCertificate(rootOf(kube));
        try {
            intermediate.verify(root.getPublicKey());
            for (X509Certificate certificate : List.of(intermediate, root)) certificate.checkValidity(Date.from(Instant.now()
                    .plus(Duration.ofDays(1))));
        } catch (GeneralSecurityException e) {
            throw Problem.failed("the intermediate in %s does not chain to the workloads' root, or expires within a day: %s".formatted(CertificateAuthority.SECRET, e.getMessage()), "jbang Teardown.java, then jbang KindDemo.java");
        }
        return "%s, until %tF".formatted(intermediate.getSubjectX500Principal().getName(), intermediate.getNotAfter());
    }

    /** The running proxy's own certificate: its identity, and the root that it checks others by. */
    String identity(Kube kube) throws Exception {
        if (!hasSidecar(kube)) return "the client has no proxy to look at";
        JsonNode certificates = json.readTree(envoy(kube, "certs")).path("certificates");
        String expected = IDENTITY.formatted(SampleApp.NAMESPACE, SampleApp.CLIENT),
                root = CertificateAuthority.readCertificate(rootOf(kube)).getSerialNumber().toString(16);
        Set<String> identities = new TreeSet<>(), roots = new TreeSet<>();
        certificates.findValues("uri").forEach(uri -> identities.add(uri.asText()));
        certificates.forEach(c -> c.path("ca_cert").forEach(ca -> roots.add(ca.path("serial_number").asText())));
        if (!identities.contains(expected) || roots.stream().noneMatch(root::equals))
            throw Problem.failed("the client's proxy is %s and trusts the root %s; expected %s and %s".formatted(identities, roots,
                    expected, root), "istioctl --context %s proxy-config secret deploy/sleep -n sample".formatted(kube.cluster()
                    .context()));
        return expected;
    }

    String istiodReady(Kube kube) {
        kube.deploymentsReady(Istioctl.NAMESPACE);
        if (kube.readyPods(Istioctl.NAMESPACE, "istiod") == 0) throw Problem.failed("istiod is not running",
                "%s -n %s scale deployment istiod --replicas 1".formatted(Kube.kubectl(kube.cluster()), Istioctl.NAMESPACE));
        return "istiod ready";
    }

    String webhooks(Kube kube) {
        boolean injects = kube.client().admissionRegistration().v1().mutatingWebhookConfigurations().list().getItems().stream()
                .filter(w -> w.getMetadata().getName().contains("istio"))
                .flatMap(w -> w.getWebhooks().stream()).anyMatch(h -> !Objects.requireNonNullElse(h.getClientConfig().getCaBundle(), "")
                        .isEmpty());
        if (!injects) throw Problem.failed("no injection webhook with a CA bundle: new pods get no proxy", Kube.kubectl(kube.cluster())
                + " get mutatingwebhookconfigurations");
        return "injection webhook has its CA bundle";
    }

    String networkLabel(Kube kube) {
        var labels = kube.client().namespaces().withName(Istioctl.NAMESPACE).get().getMetadata().getLabels();
        String network = labels == null ? null : labels.get("topology.istio.io/network");
        if (!kube.cluster().network().equals(network))
            throw Problem.failed("the namespace %s has %s: istiod does not know which network this cluster is on".formatted(Istioctl.NAMESPACE, network == null ? "no label topology.istio.io/network" : "the network " + network),
                    "%s label namespace %s topology.istio.io/network=%s --overwrite".formatted(Kube.kubectl(kube.cluster()),
                            Istioctl.NAMESPACE, kube.cluster().network()));
        return network;
    }

    String remoteClusters(Kube kube) {
        Map<String, String> states = istioctl.remoteClusters(kube.cluster());
        List<String> wrong = kubes.stream().map(k -> k.cluster().id()).filter(id -> !"synced".equals(states.get(id)))
                .map(id -> id + " " + states.getOrDefault(id, "absent")).toList();
        if (!wrong.isEmpty()) throw Problem.failed("istiod does not see every cluster: " + String.join(", ", wrong),
                "jbang KindDemo.java (it makes the remote secrets anew); see istioctl remote-clusters --context " + kube.cluster()
                .context());
        return "synced: " + String.join(", ", states.keySet());
    }

    /** The client has a proxy, istiod knows it, and no proxy's configuration is stale. */
    String proxies(Kube kube) throws IOException {
        String kubectl = Kube.kubectl(kube.cluster()), status = "istioctl --context %s proxy-status".formatted(kube.cluster().context());
        if (!hasSidecar(kube))
            throw Problem.failed("the pods of %s have no proxy".formatted(SampleApp.CLIENT),
                    "%1$s label namespace %2$s istio-injection=enabled --overwrite && %1$s rollout restart deployment -n %2$s"
                            .formatted(kubectl, SampleApp.NAMESPACE));
        Map<String, Set<String>> proxies = Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster()));
        List<String> stale = proxies.keySet().stream().filter(proxy -> proxies.get(proxy).contains("STALE")).toList();
        if (!stale.isEmpty()) throw Problem.failed("what these proxies have from istiod is stale: " + String.join(", ", stale), status);
        if (proxies.keySet().stream().noneMatch(proxy -> proxy.startsWith(SampleApp.CLIENT + "-")))
            throw Problem.failed("the client's proxy is not connected to istiod", status);
        return "%d connected to istiod, none stale".formatted(proxies.size());
    }

    private static boolean hasSidecar(Kube kube) {
        return kube.client().pods().inNamespace(SampleApp.NAMESPACE).withLabel("app", SampleApp.CLIENT).list().getItems().stream()
                .filter(p -> p.getMetadata().getDeletionTimestamp() == null)
                .anyMatch(p -> Stream.concat(p.getSpec().getContainers().stream(), p.getSpec().getInitContainers().stream())
                        .anyMatch(c -> c.getName().equals("istio-proxy")));
    }

    String eastWestReady(Kube kube) {
        if (kube.readyPods(Istioctl.NAMESPACE, Istioctl.EAST_WEST) == 0)
            throw Problem.failed("no pod of %s is ready: other networks cannot come in".formatted(Istioctl.EAST_WEST),
                    "%s -n %s scale deployment %s --replicas 1".formatted(Kube.kubectl(kube.cluster()), Istioctl.NAMESPACE,
                    Istioctl.EAST_WEST));
        return "%s ready at %s".formatted(Istioctl.EAST_WEST, eastWestAddress(kube));
    }

    private static String eastWestAddress(Kube kube) {
        return Istioctl.address(kube.client().services().inNamespace(Istioctl.NAMESPACE).withName(Istioctl.EAST_WEST).get());
    }

    /**
     * From every other cluster, port 15443 of this gateway takes connections. curl runs beside the client's proxy, whose own
     * traffic is not redirected; the gateway then hangs up in the handshake, as it speaks to proxies alone.
     */
    String eastWestReachable(Kube kube) {
        String url = "https://%s:15443/".formatted(eastWestAddress(kube));
        for (Kube other : kubes) {
            if (other == kube) continue;
            Tool.Result result = other.attempt(SampleApp.NAMESPACE, SampleApp.CLIENT, "istio-proxy", EXEC, "curl", "--silent",
                    "--show-error", "--insecure", "--max-time", "5", url);
            if (result.exitCode() > 120) return "the proxy's image has no curl to look with";
            if (CANNOT_CONNECT.contains(result.exitCode()))
                throw Problem.failed("%s cannot be reached from %s: %s".formatted(url, other.cluster(), result.lastLines()),
                        "%s get services,pods -n %s -l app=%s"
                                .formatted(Kube.kubectl(kube.cluster()), Istioctl.NAMESPACE, Istioctl.EAST_WEST));
        }
        String others = kubes.stream().filter(k -> k != kube).map(k -> k.cluster().name()).collect(Collectors.joining(", "));
        return others.isEmpty() ? "there is no other cluster" : "%s reached from %s".formatted(url, others);
    }

    /** README's proof: the client's proxy has this cluster's instances and one gateway of each other network, on 15443. */
    String endpoints(Kube kube) throws IOException {
        List<String> endpoints = parseEndpoints(envoy(kube, "clusters?format=json"));
        long instances = kube.client().apps().deployments().inNamespace(SampleApp.NAMESPACE).withLabel("app", SampleApp.SERVICE).list()
                .getItems().stream().mapToInt(d -> d.getSpec().getReplicas()).sum();
        long remote = endpoints.stream().filter(e -> e.contains(":15443 ")).count(), local = endpoints.size() - remote;
        String saw = "%d local, %d on 15443: %s".formatted(local, remote, String.join(", ", endpoints));
        if (local != instances || remote != kubes.size() - 1 || !endpoints.stream().allMatch(e -> e.endsWith(" HEALTHY")))
            throw Problem.failed("the client's proxy should have %d local endpoints of helloworld and %d on 15443; it has %s".formatted(instances, kubes.size() - 1, saw),
                    "istioctl --context %s proxy-config endpoints deploy/sleep -n sample | grep helloworld".formatted(kube.cluster()
                            .context()));
        return saw;
    }

    /** Reads Envoy's admin answer, https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto: address:port and health. */
    static List<String> parseEndpoints(String text) throws IOException {
        List<String> endpoints = new ArrayList<>();
        for (JsonNode cluster : new ObjectMapper().readTree(text).path("cluster_statuses")) {
            if (!cluster.path("name").asText().equals(ENVOY_CLUSTER)) continue;
            for (JsonNode host : cluster.path("host_statuses")) {
                JsonNode address = host.at("/address/socket_address"), health = host.path("health_status");
                boolean ejected = health.path("failed_outlier_check").asBoolean();
                endpoints.add("%s:%d %s".formatted(address.path("address").asText(), address.path("port_value").asInt(), ejected ? "EJECTED"
                        : health.path("eds_health_status").asText("HEALTHY")));
            }
        }
        return endpoints;
    }

    /** Live requests: with the locality rule only this cluster's instances answer, without it those of every cluster. */
    String whoAnswers(Kube kube) {
        Map<String, String> clusterOf = new HashMap<>();
        for (Kube k : kubes) k.client().pods().inNamespace(SampleApp.NAMESPACE).withLabel("app", SampleApp.SERVICE).list().getItems()
                .forEach(p -> clusterOf.put(p.getMetadata().getName(), k.cluster().name()));
        boolean locality = kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule")
                .inNamespace(SampleApp.NAMESPACE).withName(SampleApp.SERVICE).get() != null;
        String replies = kube.exec(SampleApp.NAMESPACE, SampleApp.CLIENT, SampleApp.CLIENT, EXEC, "curl", "--silent", "--show-error",
                "--fail", "--max-time", "5", "http://helloworld.sample:5000/hello?[1-%d]".formatted(REQUESTS));
        Map<String, Integer> answers = countAnswers(replies, clusterOf);
        String saw = "%s of %d requests, locality rule %s".formatted(answers, REQUESTS, locality ? "on" : "off");
        Set<String> expected = locality ? Set.of(kube.cluster().name()) : kubes.stream().map(k -> k.cluster().name())
                .collect(Collectors.toSet());
        if (!answers.keySet().equals(expected))
            throw Problem.failed("expected answers from %s; got %s".formatted(new TreeSet<>(expected), saw), Kube.kubectl(kube.cluster())
                    + " exec -n sample deploy/sleep -- curl -sS http://helloworld.sample:5000/hello");
        return saw;
    }

    /** How many replies came from each cluster; an instance that no cluster knows counts as "unknown". */
    static Map<String, Integer> countAnswers(String replies, Map<String, String> clusterOf) {
        Map<String, Integer> counts = new TreeMap<>();
        Pattern.compile("instance: (\\S+)").matcher(replies).results().forEach(m ->
                counts.merge(clusterOf.getOrDefault(m.group(1), "unknown"), 1, Integer::sum));
        return counts;
    }

    /** The admin interface of the client's proxy. */
    private static String envoy(Kube kube, String path) {
        return kube.exec(SampleApp.NAMESPACE, SampleApp.CLIENT, "istio-proxy", EXEC, "pilot-agent", "request", "GET", path);
    }
}
