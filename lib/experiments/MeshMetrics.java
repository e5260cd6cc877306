package lib.experiments;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.observe.*;
import lib.observe.Prometheus.Series;
import lib.report.ExperimentResult.Edge;
import lib.report.ExperimentResult.Rate;

/** What Prometheus knows of the requests between the clusters. */
record MeshMetrics(Prometheus prometheus, List<Kube> kubes, DataPlane dataPlane) {
    /** Prometheus reads the counters every ten seconds, and a rate needs two values. */
    private static final String PERIOD = "25s";
    private static final Duration STEP = Duration.ofSeconds(5);

    private String rates(String labels) {
        return "sum by (source_cluster, destination_cluster) (rate(%s{reporter=\"source\"%s}[%s]))".formatted(
                Prometheus.counter(dataPlane), labels, PERIOD);
    }

    /** How many requests per second left a cluster in the last seconds. */
    double leaving(Cluster cluster) {
        String id = cluster.id();
        String labels = ", source_cluster=\"%1$s\", destination_cluster!~\"%1$s|unknown|\"".formatted(id);
        return prometheus.query(rates(labels)).stream().mapToDouble(Prometheus.Sample::value).sum();
    }

    /** The requests between all pairs of clusters since a time. */
    List<Edge> edges(Instant since) {
        Map<String, String> names = new HashMap<>();
        for (Kube kube : kubes) names.put(kube.cluster().id(), kube.cluster().name());
        List<Edge> edges = new ArrayList<>();
        for (Series series : prometheus.query(rates(""), since, STEP)) {
            String source = names.get(series.labels().get("source_cluster")),
                    destination = names.get(series.labels().get("destination_cluster"));
            if (source == null || destination == null) continue;
            double start = since.toEpochMilli() / 1e3;
            edges.add(new Edge(source, destination, series.values().entrySet().stream()
                    .map(value -> new Rate(Traffic.round(value.getKey() - start), Traffic.round(value.getValue())))
                    .toList()));
        }
        edges.sort(Comparator.comparing(Edge::source).thenComparing(Edge::destination));
        return edges;
    }
}
