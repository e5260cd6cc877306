package lib.experiments;

import module java.base;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.verify.*;
import com.fasterxml.jackson.databind.JsonNode;

/** What the mesh promises, tried on the running one: each experiment breaks or changes something, watches, and puts it back. */
public final class Experiments {
    private static final String BROKEN_APP = "experiments/broken-app.yaml", QUICK_EJECTION = "experiments/quick-ejection.yaml",
            EGRESS = "experiments/egress.yaml", REGISTRY_ONLY = "experiments/registry-only.yaml";
    private static final String INGRESS_GATEWAY = "istio-ingressgateway", EGRESS_GATEWAY = "istio-egressgateway";
    /** So many requests in a row tell that traffic is steady again: two seconds of them. */
    private static final int STEADY = 2 * Traffic.PER_SECOND;
    /** So many are watched to say that nothing was noticed: five seconds of them. */
    private static final int UNDISTURBED = 5 * Traffic.PER_SECOND;
    /** Seconds within which requests must have moved to another cluster, from the first error. */
    private static final int MOVED = 3;

    private interface Scenario {
        void run(Experiments on, ExperimentContext context) throws Exception;
    }

    /** @param title what is to be seen; HOME and AWAY stand for the first cluster and the last, SERVICE for the app's */
    private record Experiment(String name, String title, Scenario scenario) {}

    private static final List<Experiment> ALL = List.of(
            new Experiment("failover", "HOME loses its SERVICE, the others answer, requests come home again", Experiments::failover),
            new Experiment("broken-app", "SERVICE of HOME answers 503, is ejected, the others answer", Experiments::brokenApp),
            new Experiment("gateway-down", "AWAY loses its east-west gateway, local traffic does not notice", Experiments::gatewayDown),
            new Experiment("control-plane-down", "HOME loses istiod, traffic does not notice, istiod catches up",
                    Experiments::controlPlaneDown),
            new Experiment("locality", "with the locality rule requests stay home, without it they spread", Experiments::locality),
            new Experiment("ingress", "from this machine through the ingress gateway of HOME, with and without its own SERVICE",
                    Experiments::ingress),
            new Experiment("egress", "a server outside the mesh, through the egress gateway only", Experiments::egress));

    private final List<Kube> kubes;
    private final SampleTarget app;
    private final Checks checks;
    private final Docker docker;
    private final Manifests manifests;
    private final Console console;
    private final Kube home, away;
    private volatile ExperimentContext current;
    private final Set<String> atHome, elsewhere, everywhere;

    public Experiments(List<Kube> kubes, SampleTarget app, Checks checks, Docker docker, Manifests manifests, Console console) {
        this.kubes = kubes;
        this.app = app;
        this.checks = checks;
        this.docker = docker;
        this.manifests = manifests;
        this.console = console;
        home = kubes.getFirst();
        away = kubes.getLast();
        atHome = Set.of(home.cluster().name());
        everywhere = kubes.stream().map(k -> k.cluster().name()).collect(Collectors.toSet());
        elsewhere = everywhere.stream().filter(c -> !atHome.contains(c)).collect(Collectors.toSet());
    }

    /** The experiments that are asked for, in an order that is good to read; a {@link Problem} when there is none of a name. */
    public static List<String> named(Collection<String> asked) {
        List<String> names = ALL.stream().map(Experiment::name).toList();
        for (String name : asked) if (!name.equals("all") && !names.contains(name))
            throw Problem.usage("there is no experiment '%s'".formatted(name), "there are: " + String.join(", ", names));
        return names.stream().filter(n -> asked.contains(n) || asked.contains("all")).toList();
    }

    private void failover(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(atHome, 0, STEADY);
        double gone = traffic.event("%s of %s is scaled to zero".formatted(app.service(), home.cluster()));
        context.scaleToZero(home, app.namespace(), app.service());
        traffic.awaitAnswersFrom(elsewhere, gone, STEADY);
        double back = traffic.event("it comes back");
        context.observe("away: " + moved(context, traffic, "away", elsewhere, gone, back, 1));
        context.restore(home, app.service());
        traffic.awaitAnswersFrom(atHome, back, STEADY);
        context.observe("home: " + moved(context, traffic, "home", atHome, back, traffic.now(), 1));
    }

    /** Tells how requests moved to other clusters between two moments, and expects that few were lost on the way. */
    private static String moved(ExperimentContext context, Traffic traffic, String name, Set<String> to, double from, double until, int mostLost) {
        List<ExperimentResult.Reply> replies = traffic.replies(from, until), lost = replies.stream().filter(ExperimentResult.Reply::lost).toList();
        double first = replies.stream().filter(r -> to.contains(r.cluster())).mapToDouble(ExperimentResult.Reply::at).min().orElse(until);
        double errors = lost.isEmpty() ? 0 : lost.getLast().at() - lost.getFirst().at() + 1.0 / Traffic.PER_SECOND;
        context.metric(name + "Lost", lost.size());
        context.metric(name + "FirstAnswerSeconds", round(first - from));
        context.metric(name + "ErrorSeconds", round(errors));
        context.expect(lost.size() <= mostLost, "%s: %d requests were lost, at most %d were expected".formatted(name, lost.size(), mostLost));
        context.expect(errors < MOVED, "%s: errors went on for %.1f s, less than %d s were expected".formatted(name, errors, MOVED));
        return "%s; %d lost of %d%s; first answer from there after %.1f s".formatted(Traffic.count(replies), lost.size(), replies.size(),
                lost.isEmpty() ? "" : " within %.1f s".formatted(errors), first - from);
    }

    private static double round(double seconds) { return Math.round(seconds * 100) / 100.0; }

    private void brokenApp(ExperimentContext context) throws Exception {
        context.apply(QUICK_EJECTION, Map.of());
        Await.until("the client's proxy to be told", Duration.ofSeconds(30), Duration.ofMillis(200), _ -> {},
                () -> context.home().ejectsAll() ? "" : "it still ejects a few instances at most");
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(atHome, 0, STEADY);
        double broken = traffic.event("%s of %s begins to answer 503".formatted(app.service(), home.cluster()));
        context.apply(BROKEN_APP, Map.of());
        Await.until("the ejection", Duration.ofSeconds(30), Duration.ofMillis(200), _ -> {},
                () -> ejected(context).isEmpty() ? "no endpoint of the client's proxy is ejected" : "");
        context.observe("ejected by the client's proxy: " + String.join(", ", ejected(context)));
        traffic.awaitAnswersFrom(elsewhere, broken, STEADY);
        double mended = traffic.event("it is mended");
        // Istio tries no 503 again since 1.24, and Envoy merges ejections that come within a second (update_merge_window)
        context.observe(moved(context, traffic, "away", elsewhere, broken, mended, MOVED * Traffic.PER_SECOND));
        context.restore(BROKEN_APP);
        traffic.awaitAnswersFrom(atHome, mended, STEADY);
        context.observe("home again %.1f s after it was mended".formatted(traffic.now() - mended));
    }

    private static List<String> ejected(ExperimentContext context) throws IOException {
        return context.home().endpoints().stream().filter(e -> e.endsWith(" EJECTED")).toList();
    }

    private void gatewayDown(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(atHome, 0, STEADY);
        double down = traffic.event("the east-west gateway of %s is scaled to zero".formatted(away.cluster()));
        context.scaleToZero(away, Mesh.NAMESPACE, InstalledIstio.EAST_WEST);
        traffic.awaitAnswersFrom(atHome, traffic.now(), UNDISTURBED);
        traffic.event("it comes back");
        context.restore(away, InstalledIstio.EAST_WEST);
        traffic.awaitAnswersFrom(atHome, traffic.now(), STEADY);
        undisturbed(context, traffic, down);
    }

    private static void undisturbed(ExperimentContext context, Traffic traffic, double since) {
        Map<String, Integer> counts = Traffic.count(traffic.replies(since, traffic.now()));
        int lost = counts.getOrDefault("lost", 0);
        context.metric("lost", lost);
        context.observe("%s meanwhile, %d lost".formatted(counts, lost));
        context.expect(lost == 0, lost + " requests were lost, none was expected");
    }

    private void controlPlaneDown(ExperimentContext context) throws Exception {
        context.remove(SampleApp.LOCALITY);
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(everywhere, 0, STEADY);
        double down = traffic.event("istiod of %s is scaled to zero".formatted(home.cluster()));
        context.scaleToZero(home, Mesh.NAMESPACE, "istiod");
        traffic.awaitAnswersFrom(everywhere, traffic.now(), UNDISTURBED);
        traffic.event("istiod comes back");
        context.restore(home, "istiod");
        undisturbed(context, traffic, down);
        double told = traffic.event("it is given the locality rule again");
        context.restore(SampleApp.LOCALITY);
        traffic.awaitAnswersFrom(atHome, told, STEADY);
        context.metric("caughtUpSeconds", round(traffic.now() - told - STEADY / (double) Traffic.PER_SECOND));
        context.observe("istiod caught up: its proxies follow the rule %.1f s after it was given".formatted(traffic.now() - told));
    }

    private void locality(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(atHome, 0, UNDISTURBED);
        double removed = traffic.event("the locality rule is removed");
        context.observe("with the rule:    " + Traffic.count(traffic.replies(0, removed)));
        context.remove(SampleApp.LOCALITY);
        traffic.awaitAnswersFrom(everywhere, removed, STEADY);
        double spread = traffic.now();
        traffic.awaitAnswersFrom(everywhere, spread, UNDISTURBED);
        double back = traffic.event("it is put back");
        context.observe("without the rule: " + Traffic.count(traffic.replies(spread, back)));
        context.restore(SampleApp.LOCALITY);
        traffic.awaitAnswersFrom(atHome, back, STEADY);
        undisturbed(context, traffic, 0);
    }

    private void ingress(ExperimentContext context) throws Exception {
        int port = home.cluster().httpPort();
        String gateway = docker.published(home.cluster(), port).orElseThrow(() -> Problem.failed(
                "%s: no node publishes its port %d on this machine".formatted(home.cluster(), port),
                "see extraPortMappings in manifests/kind/cluster.yaml"));
        context.remove(SampleApp.LOCALITY);
        Traffic traffic = context.traffic(URI.create("http://%s%s".formatted(gateway, app.path())));
        traffic.awaitAnswersFrom(everywhere, 0, UNDISTURBED);
        double gone = traffic.event("%s of %s is scaled to zero".formatted(app.service(), home.cluster()));
        context.observe("with it: " + Traffic.count(traffic.replies(0, gone)));
        context.scaleToZero(home, app.namespace(), app.service());
        traffic.awaitAnswersFrom(elsewhere, gone, UNDISTURBED);
        context.observe("without: " + moved(context, traffic, "away", elsewhere, gone, traffic.now(), 1));
    }

    private void egress(ExperimentContext context) throws Exception {
        String server = context.serverOutside(Manifests.images(manifests.read("apps/helloworld.yaml")).iterator().next());
        String direct = "http://%s:5000%s".formatted(server, app.path()), token = UUID.randomUUID().toString(),
                named = "http://outside.kind-demo.test%s?%s".formatted(app.path(), token);
        awaitStatus(context, direct, 200);
        context.observe("directly, while anything outside may be reached: 200");
        context.apply(EGRESS, Map.of("SERVER", server));
        context.apply(REGISTRY_ONLY, Map.of());
        awaitStatus(context, named, 200);
        Await.until("the egress gateway's access log", Duration.ofSeconds(20), Duration.ofMillis(300), _ -> {},
                () -> gatewayLog().contains(token) ? "" : "no line with the request");
        context.observe("by its name: 200, and the egress gateway's access log has the request");
        awaitStatus(context, direct, 502);
        context.observe("directly, when only what the mesh knows may be reached: refused with 502");
        awaitStatus(context, named, 200);
    }

    private static void awaitStatus(ExperimentContext context, String url, int status) throws IOException {
        Await.until("%d from %s".formatted(status, url), Duration.ofSeconds(30), Duration.ofMillis(500), _ -> {}, () -> {
            String got = context.home().status(url);
            return got.equals("" + status) ? "" : "HTTP status " + got;
        });
    }

    private String gatewayLog() {
        var pod = new Pods(home, Mesh.NAMESPACE).anyReady(EGRESS_GATEWAY).getMetadata();
        return home.client().pods().inNamespace(pod.getNamespace()).withName(pod.getName()).tailingLines(50).getLog();
    }

    /** Why the mesh's settings rule an experiment out; empty when they do not. */
    private String ruledOut(String experiment) {
        boolean alone = kubes.size() == 1 && !Set.of("control-plane-down", "egress").contains(experiment);
        if (alone) return "there is no other cluster";
        return switch (experiment) {
            case "egress" -> egressRuledOut(replicas(EGRESS_GATEWAY), new ClientPod(home, app).blocksUnknown(),
                    new InstalledIstio(home).meshConfig());
            case "ingress" -> replicas(INGRESS_GATEWAY) == 0 ? "there is no " + INGRESS_GATEWAY : "";
            default -> "";
        };
    }

    public static String egressRuledOut(int gateways, boolean blocksUnknown, JsonNode meshConfig) {
        JsonNode dns = meshConfig.at("/defaultConfig/proxyMetadata/ISTIO_META_DNS_CAPTURE");
        if (gateways == 0) return "there is no " + EGRESS_GATEWAY;
        if (blocksUnknown) return "the mesh's outboundTrafficPolicy is REGISTRY_ONLY already";
        if (!dns.asBoolean()) return "the proxies answer no DNS queries: ISTIO_META_DNS_CAPTURE is not true";
        boolean log = !meshConfig.path("accessLogFile").asText().isEmpty();
        return log ? "" : "gateways write no access log: meshConfig.accessLogFile is empty";
    }

    private int replicas(String gateway) {
        return home.client().apps().deployments().inNamespace(Mesh.NAMESPACE).withLabel("app", gateway).list()
                .getItems().stream().mapToInt(d -> d.getSpec().getReplicas()).sum();
    }

    /**
     * Runs experiments one after the other, and skips those that the mesh's settings rule out. One that fails does not
     * stop the next; what it changed is put back first.
     *
     * @param listener told of each when it has ended
     */
    public List<ExperimentResult> run(List<String> names, Consumer<ExperimentResult> listener) throws Exception {
        List<ExperimentResult> results = new ArrayList<>();
        for (Experiment experiment : ALL) {
            if (!names.contains(experiment.name)) continue;
            String title = experiment.title.replace("HOME", home.cluster().name()).replace("AWAY", away.cluster().name())
                    .replace("SERVICE", app.service());
            console.info("\n%s: %s".formatted(experiment.name, title));
            ExperimentContext context = new ExperimentContext(kubes, app, manifests, docker, console);
            current = context;
            try (context) {
                String reason = ruledOut(experiment.name);
                if (reason.isEmpty()) {
                    context.ensure(SampleApp.LOCALITY); // which a demo made with --no-locality has not
                    experiment.scenario.run(this, context);
                } else {
                    context.skip(reason);
                }
            } catch (Throwable e) { // it fails, and the next one runs
                context.expect(false, Check.message(e));
            }
            try {
                for (Kube kube : kubes) checks.awaitEndpoints(kube).task().run(_ -> {});
            } catch (Problem p) {
                context.expect(false, "afterwards: " + p.getMessage());
            }
            results.add(context.result(experiment.name, title));
            listener.accept(results.getLast());
        }
        return results;
    }

    /** On Ctrl-C: restores what the running experiment changed, and lets it change nothing more; whether everything is restored. */
    public boolean restore() { return current == null || current.restoreAll(); }
}
