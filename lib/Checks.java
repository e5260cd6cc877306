package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** The checks of a mesh, layer by layer: each layer stands on those before it. */
public final class Checks {
    /** Envoy's name for the service, as a client's proxy has it. */
    private static final String ENVOY_CLUSTER = "outbound|5000||helloworld.sample.svc.cluster.local";
    /** Enough requests to judge a spread by: with 8 instances, one is missed by chance less than once in a hundred. */
    private static final int REQUESTS = 40;
    private static final Duration EXEC = Duration.ofSeconds(60);

    private final List<Kube> kubes;
    private final Istioctl istioctl;

    public Checks(List<Kube> kubes, Istioctl istioctl) {
        this.kubes = kubes;
        this.istioctl = istioctl;
    }

    /** Every layer's name and its checks, in order. */
    public Map<String, List<Check>> layers() {
        Map<String, List<Check>> layers = new LinkedHashMap<>();
        layers.put("clusters", each("nodes-ready", this::nodesReady));
        layers.put("load balancer", each("metallb-ready", k -> deploymentsReady(k, MetalLb.NAMESPACE)));
        layers.put("trust", List.of(new Check("same-root", "", this::sameRoot)));
        layers.put("control plane", Stream.of(each("istio-ready", k -> deploymentsReady(k, Istioctl.NAMESPACE)), each("gateway-addresses", this::gatewayAddresses),
                each("remote-clusters-synced", this::remoteClustersSynced)).flatMap(List::stream).toList());
        layers.put("endpoints", Stream.of(each("app-ready", k -> deploymentsReady(k, SampleApp.NAMESPACE)), each("endpoints", this::endpoints)).flatMap(List::stream).toList());
        layers.put("traffic", each("who-answers", this::whoAnswers));
        return layers;
    }

    /**
     * Goes through the layers, each cluster's checks side by side, and tells what each saw. A layer that fails makes those
     * behind it skipped: they stand on it.
     *
     * @param limit how long a check may go on failing, while the mesh still converges
     * @return whether everything holds
     */
    public boolean run(Console console, Duration limit) throws InterruptedException {
        boolean holds = true;
        for (var layer : layers().entrySet()) {
            console.result("\n" + layer.getKey());
            if (!holds) {
                console.result("  - skipped: it stands on a layer that failed");
                continue;
            }
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (Future<Boolean> good : threads.invokeAll(layer.getValue().stream().<Callable<Boolean>>map(c -> () -> c.passes(console, limit)).toList())) holds &= good.resultNow();
            }
        }
        console.result(holds ? "\nThe mesh works." : "\nThe mesh does not work as it should.");
        return holds;
    }

    /** Waits until the endpoints of all clusters are seen from this one. */
    public Action awaitEndpoints(Kube kube) {
        String byHand = "istioctl --context %s proxy-config endpoints deploy/sleep -n sample | grep helloworld".formatted(kube.cluster().context());
        return new Action(byHand, seen -> Await.until(kube.cluster() + ": endpoints", Duration.ofMinutes(2), Duration.ofMillis(300), seen, () -> {
            try {
                endpoints(kube);
                return "";
            } catch (Problem p) {
                return p.getMessage();
            }
        }));
    }

    private interface Look {
        String at(Kube kube) throws Exception;
    }

    private List<Check> each(String id, Look look) { return kubes.stream().map(k -> new Check(id, k.cluster().name(), () -> look.at(k))).toList(); }

    private String nodesReady(Kube kube) {
        var nodes = kube.client().nodes().list().getItems();
        List<String> not = nodes.stream().filter(n -> n.getStatus().getConditions().stream().noneMatch(c -> c.getType().equals("Ready") && c.getStatus().equals("True"))).map(n -> n.getMetadata().getName()).toList();
        if (!not.isEmpty()) throw wrong(kube, "not Ready: " + String.join(", ", not), " describe node " + not.getFirst());
        return nodes.size() + (nodes.size() == 1 ? " node Ready" : " nodes Ready");
    }

    private String deploymentsReady(Kube kube, String namespace) {
        var all = kube.client().apps().deployments().inNamespace(namespace).list().getItems();
        if (all.isEmpty()) throw wrong(kube, "there is no deployment in " + namespace, " get all -n " + namespace);
        List<String> not = all.stream().filter(d -> !Kube.available(d)).map(d -> d.getMetadata().getName()).toList();
        if (!not.isEmpty()) throw wrong(kube, "not available in %s: %s\n%s".formatted(namespace, String.join(", ", not), String.join("\n", kube.podsNotReady(namespace))), " describe pods -n " + namespace);
        return "%s: %s".formatted(namespace, String.join(", ", all.stream().map(d -> d.getMetadata().getName()).toList()));
    }

    private String gatewayAddresses(Kube kube) {
        Map<String, String> addresses = new TreeMap<>();
        for (var service : kube.client().services().inNamespace(Istioctl.NAMESPACE).list().getItems()) {
            if ("LoadBalancer".equals(service.getSpec().getType())) addresses.put(service.getMetadata().getName(), Istioctl.address(service));
        }
        List<String> without = addresses.entrySet().stream().filter(e -> e.getValue().isEmpty()).map(Map.Entry::getKey).toList();
        if (!without.isEmpty() || !addresses.containsKey(Istioctl.EAST_WEST)) throw wrong(kube, "no address for " + (without.isEmpty() ? Istioctl.EAST_WEST : String.join(", ", without)), " get ipaddresspools,services -A");
        return addresses.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
    }

    private String sameRoot() throws Exception {
        Map<String, String> roots = new TreeMap<>();
        for (Kube kube : kubes) {
            var trusted = kube.client().configMaps().inNamespace(SampleApp.NAMESPACE).withName("istio-ca-root-cert").get();
            if (trusted == null) throw wrong(kube, "workloads of %s have no root to trust: the configmap istio-ca-root-cert is missing".formatted(SampleApp.NAMESPACE), " get configmaps -A");
            byte[] der = CertificateAuthority.readCertificate(trusted.getData().get("root-cert.pem")).getEncoded();
            roots.put(kube.cluster().name(), HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der)).substring(0, 16));
        }
        if (new HashSet<>(roots.values()).size() > 1) throw Problem.failed("the clusters trust different roots (SHA-256): " + roots, "jbang Teardown.java, then jbang KindDemo.java: a running mesh cannot change its root");
        return "SHA-256 %s… in every cluster".formatted(roots.values().iterator().next());
    }

    private String remoteClustersSynced(Kube kube) {
        Map<String, String> states = istioctl.remoteClusters(kube.cluster());
        List<String> wrong = kubes.stream().map(k -> k.cluster().id()).filter(id -> !"synced".equals(states.get(id))).map(id -> id + " " + states.getOrDefault(id, "absent")).toList();
        if (!wrong.isEmpty()) throw Problem.failed("%s: istiod does not see every cluster: %s".formatted(kube.cluster(), String.join(", ", wrong)), "istioctl remote-clusters --context " + kube.cluster().context());
        return "synced: " + String.join(", ", states.keySet());
    }

    /** README's proof: the client's proxy has this cluster's instances and one gateway of each other network, on 15443. */
    String endpoints(Kube kube) throws IOException {
        List<String> endpoints = parseEndpoints(kube.exec(SampleApp.NAMESPACE, "sleep", "istio-proxy", EXEC, "pilot-agent", "request", "GET", "clusters?format=json"));
        long instances = kube.client().apps().deployments().inNamespace(SampleApp.NAMESPACE).withLabel("app", SampleApp.SERVICE).list().getItems().stream().mapToInt(d -> d.getSpec().getReplicas()).sum();
        long remote = endpoints.stream().filter(e -> e.contains(":15443 ")).count(), local = endpoints.size() - remote;
        String saw = "%d local, %d on 15443: %s".formatted(local, remote, String.join(", ", endpoints));
        if (local != instances || remote != kubes.size() - 1 || !endpoints.stream().allMatch(e -> e.endsWith(" HEALTHY")))
            throw Problem.failed("%s: sleep's proxy should have %d local endpoints of helloworld and %d on 15443; it has %s".formatted(kube.cluster(), instances, kubes.size() - 1, saw),
                    "istioctl --context %s proxy-config endpoints deploy/sleep -n sample | grep helloworld".formatted(kube.cluster().context()));
        return saw;
    }

    /** Reads Envoy's admin answer, https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto: address:port and health. */
    static List<String> parseEndpoints(String json) throws IOException {
        List<String> endpoints = new ArrayList<>();
        for (JsonNode cluster : new ObjectMapper().readTree(json).path("cluster_statuses")) {
            if (!cluster.path("name").asText().equals(ENVOY_CLUSTER)) continue;
            for (JsonNode host : cluster.path("host_statuses")) {
                JsonNode address = host.at("/address/socket_address"), health = host.path("health_status");
                boolean ejected = health.path("failed_outlier_check").asBoolean();
                endpoints.add("%s:%d %s".formatted(address.path("address").asText(), address.path("port_value").asInt(), ejected ? "EJECTED" : health.path("eds_health_status").asText("HEALTHY")));
            }
        }
        return endpoints;
    }

    /** Live requests: with the locality rule only this cluster's instances answer, without it those of every cluster. */
    private String whoAnswers(Kube kube) {
        Map<String, String> clusterOf = new HashMap<>();
        for (Kube k : kubes) k.client().pods().inNamespace(SampleApp.NAMESPACE).withLabel("app", SampleApp.SERVICE).list().getItems().forEach(p -> clusterOf.put(p.getMetadata().getName(), k.cluster().name()));
        boolean locality = kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule").inNamespace(SampleApp.NAMESPACE).withName(SampleApp.SERVICE).get() != null;
        String replies = kube.exec(SampleApp.NAMESPACE, "sleep", "sleep", EXEC, "curl", "--silent", "--show-error", "--fail", "--max-time", "5", "http://helloworld.sample:5000/hello?[1-%d]".formatted(REQUESTS));
        Map<String, Integer> answers = countAnswers(replies, clusterOf);
        String saw = "%s of %d requests, locality rule %s".formatted(answers, REQUESTS, locality ? "on" : "off");
        Set<String> expected = locality ? Set.of(kube.cluster().name()) : kubes.stream().map(k -> k.cluster().name()).collect(Collectors.toSet());
        if (!answers.keySet().equals(expected)) throw wrong(kube, "expected answers from %s; got %s".formatted(new TreeSet<>(expected), saw), " exec -n sample deploy/sleep -- curl -sS http://helloworld.sample:5000/hello");
        return saw;
    }

    /** How many replies came from each cluster; an instance that no cluster knows counts as "unknown". */
    static Map<String, Integer> countAnswers(String replies, Map<String, String> clusterOf) {
        Map<String, Integer> counts = new TreeMap<>();
        Pattern.compile("instance: (\\S+)").matcher(replies).results().forEach(m -> counts.merge(clusterOf.getOrDefault(m.group(1), "unknown"), 1, Integer::sum));
        return counts;
    }

    private static Problem wrong(Kube kube, String message, String kubectlArguments) { return Problem.failed(kube.cluster() + ": " + message, Kube.kubectl(kube.cluster()) + kubectlArguments); }
}
