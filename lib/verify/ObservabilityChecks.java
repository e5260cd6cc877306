package lib.verify;

import module java.base;
import module java.net.http;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.observe.*;
import lib.run.*;
import lib.observe.Prometheus.Sample;
import lib.observe.Prometheus.Target;
import io.fabric8.kubernetes.api.model.Pod;

/** Checks of Prometheus and Kiali, which run in the first cluster and read all of them. */
public record ObservabilityChecks(List<Kube> kubes, DataPlane dataPlane, RemoteSecrets remoteSecrets,
        Docker docker) {
    private static final String SCRAPE = "prometheus.io/scrape";
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private Kube first() { return Observability.home(kubes); }

    private Prometheus prometheus() { return new Prometheus(first()); }

    String prometheusReady(Kube kube) { return ready(kube, Prometheus.NAME); }

    String kialiReady(Kube kube) { return ready(kube, Kiali.NAME); }

    private static String ready(Kube kube, String deployment) {
        if (new Pods(kube, Mesh.NAMESPACE).ready(deployment).isEmpty()) throw Problem.failed(
                "%s is not ready".formatted(deployment),
                "%s; see %s -n %s get deployments,pods -l app=%s".formatted(kube.commands().kindDemo(), kube.kubectl(),
                        Mesh.NAMESPACE, deployment));
        return deployment + " ready";
    }

    /** Checks that Kiali's page opens on this machine, where kind maps its port. */
    String page(Kube kube) throws IOException, InterruptedException {
        String dashboard = Kiali.dashboard(kube.cluster());
        Optional<String> address = kube.cluster().isKind()
                ? docker.published(kube.cluster(), kube.cluster().freePort()) : Optional.empty();
        if (address.isEmpty()) return "not checked: no port of this machine is mapped; " + dashboard;
        URI url = URI.create("http://%s/".formatted(address.get()));
        try (HttpClient http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY)
                .followRedirects(HttpClient.Redirect.NORMAL).connectTimeout(LIMIT).build()) {
            HttpRequest request = HttpRequest.newBuilder(url).timeout(LIMIT).build();
            int status = http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
            if (status == 200) return url + " answers";
            throw Problem.failed("%s answers with HTTP status %d".formatted(url, status), dashboard);
        } catch (IOException e) {
            throw Problem.failed("%s does not answer: %s".formatted(url, Problem.rootCause(e)),
                    "%s -n %s get service,endpointslices -l app=%s".formatted(kube.kubectl(), Mesh.NAMESPACE,
                            Kiali.NAME));
        }
    }

    /** Checks that the account's token is valid, and that both programs have it with the current address. */
    String observerAccess(Kube kube) {
        String expected = remoteSecrets.apiServer(kube);
        check("Prometheus", ClusterAccess.ofPrometheus(first(), kube.cluster()), kube, expected);
        // it reads its own cluster by its service account
        if (kube != first()) check("Kiali", ClusterAccess.ofKiali(first(), kube.cluster()), kube, expected);
        return expected;
    }

    private static void check(String who, Optional<ClusterAccess> access, Kube kube, String expected) {
        String hint = kube.commands().kindDemo() + " (it renews the tokens and addresses)";
        if (access.isEmpty()) throw Problem.failed("%s has no access to %s".formatted(who, kube.cluster()), hint);
        if (!access.get().apiServer().equals(expected))
            throw Problem.failed("%s has the API server %s; the correct one is %s".formatted(who,
                    access.get().apiServer(), expected), hint);
        String refusal = access.get().refusal(kube);
        if (!refusal.isEmpty()) throw Problem.failed("%s cannot read %s: %s".formatted(who, kube.cluster(), refusal),
                hint);
    }

    /** Checks that Prometheus reads every pod that offers metrics, by the API server's own list. */
    String scraped(Kube kube) {
        Set<String> pods = kube.client().pods().inAnyNamespace().list().getItems().stream()
                .filter(ObservabilityChecks::offersMetrics).map(ObservabilityChecks::name)
                .collect(Collectors.toCollection(TreeSet::new));
        List<Target> targets = prometheus().targets().stream()
                .filter(target -> target.cluster().equals(kube.cluster().id())).toList();
        List<String> failures = new ArrayList<>();
        for (String pod : pods) {
            Optional<Target> target = targets.stream().filter(t -> t.pod().equals(pod)).findFirst();
            if (target.isEmpty()) failures.add(pod + ": not found");
            else if (!target.get().up()) failures.add("%s: %s".formatted(pod, target.get().error().isEmpty()
                    ? "not read yet" : target.get().error()));
        }
        if (!failures.isEmpty())
            throw Problem.failed("Prometheus reads %d of %d pods; %s".formatted(pods.size() - failures.size(),
                    pods.size(), String.join("\n", failures)),
                    "%s; see %s -n %s logs deploy/%s".formatted(kube.commands().kindDemo(), first().kubectl(),
                            Mesh.NAMESPACE, Prometheus.NAME));
        return "%d of %d pods".formatted(pods.size(), pods.size());
    }

    private static boolean offersMetrics(Pod pod) {
        var annotations = Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.<String, String>of());
        return Pods.isLive(pod) && "Running".equals(pod.getStatus().getPhase())
                && "true".equals(annotations.get(SCRAPE)) && annotations.containsKey("prometheus.io/port");
    }

    private static String name(Pod pod) {
        return pod.getMetadata().getNamespace() + "/" + pod.getMetadata().getName();
    }

    /** Checks that no pod is counted for two clusters: a job that reads the wrong API server would do that. */
    String once(Kube kube) {
        Map<String, List<Target>> pods =
                prometheus().targets().stream().collect(Collectors.groupingBy(Target::uid, TreeMap::new,
                        Collectors.toList()));
        List<String> twice = pods.values().stream().filter(targets -> targets.size() > 1)
                .map(targets -> "%s for %s".formatted(targets.getFirst().pod(),
                        targets.stream().map(Target::cluster).sorted().toList())).toList();
        if (!twice.isEmpty()) throw Problem.failed("pods are read for more than one cluster: "
                + String.join(", ", twice), kube.commands().kindDemo() + " (it renews the addresses)");
        return "%d pods, each for one cluster".formatted(pods.size());
    }

    /** Checks that the metrics and Kiali know the clusters by their IDs in the mesh. */
    String kialiClusters(Kube kube) {
        Set<String> mesh = kubes.stream().map(k -> k.cluster().id()).collect(Collectors.toCollection(TreeSet::new));
        Set<String> metrics = prometheus().query("count by (cluster) (up == 1)").stream()
                .map(sample -> sample.labels().get("cluster")).collect(Collectors.toCollection(TreeSet::new));
        Set<String> kiali = new Kiali(kube).clusters();
        if (mesh.equals(metrics) && mesh.equals(kiali)) return String.join(", ", mesh);
        throw Problem.failed("the mesh has the clusters %s, the metrics %s, Kiali %s".formatted(mesh, metrics, kiali),
                kube.commands().kindDemo());
    }

    /**
     * Checks that both ends of the requests between two clusters report them. A client's end alone would mean that the
     * other cluster is not read. Only recent requests count: the proxies forget old ones at different times.
     */
    String bothReporters(Kube kube) {
        Map<String, Set<String>> recent = reporters("increase"), all = reporters("last_over_time");
        // Prometheus knows an increase when it has read a pod twice
        Set<String> edges = (recent.isEmpty() ? all : recent).keySet();
        List<String> silent = kubes.stream().map(k -> k.cluster().id())
                .filter(id -> edges.stream().noneMatch(edge -> edge.startsWith(id + " "))).toList();
        if (!silent.isEmpty()) throw Problem.failed("Prometheus has no recent requests of the clients in %s (%s)"
                .formatted(String.join(", ", silent), Prometheus.counter(dataPlane)),
                "%s get telemetries -A".formatted(kube.kubectl()));
        List<String> oneSided = edges.stream()
                .filter(edge -> !all.getOrDefault(edge, Set.of()).containsAll(Set.of("source", "destination")))
                .map(edge -> "%s only by %s".formatted(edge, all.getOrDefault(edge, Set.of()))).toList();
        if (!oneSided.isEmpty()) throw Problem.failed("requests are reported on one side only: "
                + String.join(", ", oneSided), kube.commands().kindDemo());
        return String.join(", ", edges);
    }

    /** Which ends report requests between two clusters, by a function over the values of the last two minutes. */
    private Map<String, Set<String>> reporters(String function) {
        Map<String, Set<String>> reporters = new TreeMap<>();
        for (Sample sample : prometheus().query(("sum by (reporter, source_cluster, destination_cluster) "
                + "(%s(%s{source_cluster!=\"unknown\", destination_cluster!=\"unknown\"}[2m])) > 0").formatted(function,
                Prometheus.counter(dataPlane)))) {
            String edge = "%s → %s".formatted(sample.labels().getOrDefault("source_cluster", "?"),
                    sample.labels().getOrDefault("destination_cluster", "?"));
            reporters.computeIfAbsent(edge, _ -> new TreeSet<>()).add(sample.labels().getOrDefault("reporter", ""));
        }
        return reporters;
    }

    /** Checks that the source of recent requests is known: it is unknown without mutual TLS. */
    String unknownSource(Kube kube) {
        return none(kube, "reporter=\"destination\", source_workload=\"unknown\"",
                "requests from an unknown source in the last two minutes");
    }

    /** Checks for recent requests to hosts that the mesh does not know. */
    String passthrough(Kube kube) {
        return none(kube, "reporter=\"source\", destination_service_name=~\"PassthroughCluster|unknown\"",
                "requests to hosts that the mesh does not know in the last two minutes");
    }

    private String none(Kube kube, String labels, String what) {
        String query = "sum(increase(istio_requests_total{%s}[2m]))".formatted(labels);
        long count = prometheus().query(query).stream().mapToLong(sample -> Math.round(sample.value())).sum();
        if (count > 0)
            throw Problem.failed("%d %s".formatted(count, what), Kiali.dashboard(kube.cluster()));
        return "no " + what;
    }
}
