package lib.experiments;

import module java.base;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.sample.*;
import lib.report.ExperimentResult.Reply;
import com.fasterxml.jackson.databind.JsonNode;

/** What each experiment does: it changes something, watches which clusters answer, and restores it. */
final class Scenarios {
    private static final String BROKEN_APP = "experiments/broken-app.yaml", EGRESS = "experiments/egress.yaml",
            QUICK_EJECTION = "experiments/quick-ejection.yaml", REGISTRY_ONLY = "experiments/registry-only.yaml";
    private static final String INGRESS_GATEWAY = "istio-ingressgateway", EGRESS_GATEWAY = "istio-egressgateway";
    /** So many requests in a row show that traffic is steady again: two seconds of them. */
    static final int STEADY = 2 * Traffic.PER_SECOND;
    /** So many show that traffic was not disturbed: five seconds of them. */
    static final int UNDISTURBED = 5 * Traffic.PER_SECOND;
    /** Seconds within which requests must have moved to another cluster, from the first error. */
    static final int MOVED = 3;

    private Scenarios() {}

    static void failover(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, STEADY);
        double down = scaleServiceToZero(context, traffic);
        traffic.awaitAnswersFrom(context.others(), down, STEADY);
        context.awaitMetrics(traffic, true, down);
        double restored = traffic.event(service(context) + " is restored");
        observeMove(context, traffic, "away", context.others(), down, restored, 1);
        context.restore(context.first(), context.app().service());
        traffic.awaitAnswersFrom(first(context), restored, STEADY);
        observeMove(context, traffic, "home", first(context), restored, traffic.now(), 1);
        context.awaitMetrics(traffic, false, restored);
    }

    static Set<String> first(ExperimentContext context) { return Set.of(context.first().cluster().name()); }

    private static String service(ExperimentContext context) {
        return "%s of %s".formatted(context.app().service(), context.first().cluster());
    }

    /** Returns the time when it began. */
    private static double scaleServiceToZero(ExperimentContext context, Traffic traffic) throws Exception {
        double down = traffic.event(service(context) + " is scaled to zero");
        context.scaleToZero(context.first(), context.app().namespace(), context.app().service());
        return down;
    }

    /** Observes how requests moved to other clusters, and expects that few were lost on the way. */
    static void observeMove(ExperimentContext context, Traffic traffic, String name, Set<String> to,
            double from, double until, int mostLost) {
        List<Reply> replies = traffic.replies(from, until), lost = replies.stream().filter(Reply::lost).toList();
        double answered = replies.stream().filter(reply -> to.contains(reply.cluster())).mapToDouble(Reply::at).min()
                .orElse(until) - from;
        double errors = lost.isEmpty() ? 0 : lost.getLast().at() - lost.getFirst().at() + 1.0 / Traffic.PER_SECOND;
        context.metric(name + "Lost", lost.size());
        context.metric(name + "FirstAnswerSeconds", Traffic.round(answered));
        context.metric(name + "ErrorSeconds", Traffic.round(errors));
        context.expect(lost.size() <= mostLost, "%s: %d requests were lost, expected at most %d"
                .formatted(name, lost.size(), mostLost));
        context.expect(errors < MOVED, "%s: errors lasted %.1f s, expected less than %d s"
                .formatted(name, errors, MOVED));
        context.observe("%s: %s; %d of %d lost%s; first answer after %.1f s".formatted(name, Traffic.count(replies),
                lost.size(), replies.size(), lost.isEmpty() ? "" : " within %.1f s".formatted(errors), answered));
    }

    static void brokenApp(ExperimentContext context) throws Exception {
        context.apply(QUICK_EJECTION, Map.of());
        await("the client's proxy to receive the rule", 30, () ->
                context.client().ejectsAll() ? "" : "it may not eject all endpoints yet");
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, STEADY);
        double broken = traffic.event(service(context) + " starts to answer 503");
        context.apply(BROKEN_APP, Map.of());
        await("the ejection", 30, () -> ejected(context).isEmpty() ? "no endpoint of the proxy is ejected" : "");
        context.observe("ejected by the client's proxy: " + String.join(", ", ejected(context)));
        traffic.awaitAnswersFrom(context.others(), broken, STEADY);
        double repaired = traffic.event(service(context) + " is repaired");
        // since 1.24 Istio does not retry a 503, and Envoy combines ejections within a second (update_merge_window)
        observeMove(context, traffic, "away", context.others(), broken, repaired, MOVED * Traffic.PER_SECOND);
        context.restore(BROKEN_APP);
        traffic.awaitAnswersFrom(first(context), repaired, STEADY);
        context.observe("requests returned %.1f s after the repair".formatted(traffic.now() - repaired));
    }

    private static void await(String condition, int seconds, Await.Missing missing) throws IOException {
        Await.until(condition, Duration.ofSeconds(seconds), Duration.ofMillis(300), _ -> {}, missing);
    }

    private static List<String> ejected(ExperimentContext context) throws IOException {
        return context.client().endpoints().stream().filter(endpoint -> endpoint.endsWith(" EJECTED")).toList();
    }

    static void gatewayDown(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, STEADY);
        expectUndisturbed(context, traffic, context.last(), InstalledIstio.EAST_WEST, first(context));
    }

    /** Scales a deployment of istio-system to zero and back, and expects that these clusters answer all requests. */
    private static void expectUndisturbed(ExperimentContext context, Traffic traffic, Kube kube, String deployment,
            Set<String> clusters) throws Exception {
        double down = traffic.event("%s of %s is scaled to zero".formatted(deployment, kube.cluster()));
        context.scaleToZero(kube, Mesh.NAMESPACE, deployment);
        traffic.awaitAnswersFrom(clusters, traffic.now(), UNDISTURBED);
        traffic.event("%s of %s is restored".formatted(deployment, kube.cluster()));
        context.restore(kube, deployment);
        traffic.awaitAnswersFrom(clusters, traffic.now(), STEADY);
        expectNoneLost(context, traffic, down);
    }

    private static void expectNoneLost(ExperimentContext context, Traffic traffic, double since) {
        Map<String, Integer> counts = Traffic.count(traffic.replies(since, traffic.now()));
        int lost = counts.getOrDefault("lost", 0);
        context.metric("lost", lost);
        context.observe("%s meanwhile, %d lost".formatted(counts, lost));
        context.expect(lost == 0, lost + " requests were lost, expected none");
    }

    static void controlPlaneDown(ExperimentContext context) throws Exception {
        context.locality(false);
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(context.all(), 0, STEADY);
        expectUndisturbed(context, traffic, context.first(), "istiod", context.all());
        double applied = traffic.event("the locality rule is applied");
        context.restoreLocality();
        traffic.awaitAnswersFrom(first(context), applied, STEADY);
        double steady = STEADY / (double) Traffic.PER_SECOND;
        context.metric("caughtUpSeconds", Traffic.round(traffic.now() - applied - steady));
        context.observe("proxies follow the rule %.1f s after it was applied".formatted(traffic.now() - applied));
    }

    static void locality(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, UNDISTURBED);
        double removed = traffic.event("the locality rule is removed");
        context.observe("with the rule:    " + Traffic.count(traffic.replies(0, removed)));
        context.locality(false);
        traffic.awaitAnswersFrom(context.all(), removed, STEADY);
        double spread = traffic.now();
        traffic.awaitAnswersFrom(context.all(), spread, UNDISTURBED);
        double restored = traffic.event("the locality rule is restored");
        context.observe("without the rule: " + Traffic.count(traffic.replies(spread, restored)));
        context.restoreLocality();
        traffic.awaitAnswersFrom(first(context), restored, STEADY);
        expectNoneLost(context, traffic, 0);
    }

    static void ingress(ExperimentContext context) throws Exception {
        Cluster cluster = context.first().cluster();
        String gateway = context.docker().published(cluster, cluster.httpPort()).orElseThrow(() -> Problem.failed(
                "%s: no node publishes its port %d on this machine".formatted(cluster, cluster.httpPort()),
                "see extraPortMappings in manifests/kind/cluster.yaml"));
        context.locality(false);
        Traffic traffic = context.traffic(URI.create("http://%s%s".formatted(gateway, context.app().path())));
        traffic.awaitAnswersFrom(context.all(), 0, UNDISTURBED);
        context.observe("with %s: %s".formatted(service(context), Traffic.count(traffic.replies())));
        double down = scaleServiceToZero(context, traffic);
        traffic.awaitAnswersFrom(context.others(), down, UNDISTURBED);
        observeMove(context, traffic, "away", context.others(), down, traffic.now(), 1);
    }

    static void egress(ExperimentContext context) throws Exception {
        String path = context.app().path(), token = UUID.randomUUID().toString();
        String helloworld = context.manifests().read("apps/helloworld.yaml");
        String server = startServer(context, Manifests.images(helloworld).iterator().next());
        String byAddress = "http://%s:5000%s".formatted(server, path);
        String byName = "http://outside.kind-demo.test%s?%s".formatted(path, token);
        awaitStatus(context, byAddress, 200);
        context.observe("by address, while all hosts are allowed: 200");
        context.apply(EGRESS, Map.of("SERVER", server));
        context.apply(REGISTRY_ONLY, Map.of());
        awaitStatus(context, byName, 200);
        await("the egress gateway's access log", 20, () ->
                gatewayLog(context.first()).contains(token) ? "" : "no line with the request");
        context.observe("by name: 200, and the egress gateway's access log has the request");
        awaitStatus(context, byAddress, 502);
        context.observe("by address, when only registered hosts are allowed: refused with 502");
        awaitStatus(context, byName, 200);
    }

    /** Starts a server outside the mesh, on the Docker network of the nodes; returns its address. */
    private static String startServer(ExperimentContext context, String image) throws Exception {
        // the name is known before the start: Ctrl-C may end `docker run` before it prints an ID
        String name = "kind-demo-outside-" + UUID.randomUUID();
        Docker docker = context.docker();
        context.change("outside", () -> docker.runServer(name, image), () -> {
            docker.remove(name);
            await("Docker to remove " + name, 10, () -> docker.container(name).isEmpty() ? "" : "it still exists");
        }, () -> {});
        return docker.addressOf(name);
    }

    private static void awaitStatus(ExperimentContext context, String url, int expected) throws IOException {
        await(expected + " from " + url, 30, () -> {
            String status = context.client().status(url);
            return status.equals("" + expected) ? "" : "HTTP status " + status;
        });
    }

    private static String gatewayLog(Kube kube) {
        var pod = new Pods(kube, Mesh.NAMESPACE).anyReady(EGRESS_GATEWAY);
        return kube.client().pods().resource(pod).tailingLines(50).getLog();
    }

    /** Why the settings of the mesh rule an experiment out; empty if they do not. */
    static String ruledOut(String experiment, ExperimentContext context) {
        return switch (experiment) {
            case "egress" -> egressRuledOut(replicas(context.first(), EGRESS_GATEWAY), context.client().blocksUnknown(),
                    new InstalledIstio(context.first()).meshConfig());
            case "waypoint-down" -> Locality.waypoint(context.first(), context.app()).isPresent() ? ""
                    : "the service uses no waypoint: --waypoints";
            case "ingress" -> replicas(context.first(), INGRESS_GATEWAY) == 0 ? "there is no " + INGRESS_GATEWAY : "";
            default -> "";
        };
    }

    static String egressRuledOut(int gateways, boolean blocksUnknown, JsonNode meshConfig) {
        if (gateways == 0) return "there is no " + EGRESS_GATEWAY;
        if (blocksUnknown) return "the mesh's outboundTrafficPolicy is REGISTRY_ONLY already";
        if (!meshConfig.at("/defaultConfig/proxyMetadata/ISTIO_META_DNS_CAPTURE").asBoolean())
            return "the proxies answer no DNS queries: ISTIO_META_DNS_CAPTURE is not true";
        boolean log = !meshConfig.path("accessLogFile").asText().isEmpty();
        return log ? "" : "gateways write no access log: meshConfig.accessLogFile is empty";
    }

    private static int replicas(Kube kube, String gateway) {
        var deployments = kube.client().apps().deployments().inNamespace(Mesh.NAMESPACE).withLabel("app", gateway);
        return deployments.list().getItems().stream().mapToInt(d -> d.getSpec().getReplicas()).sum();
    }
}
