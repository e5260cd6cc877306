package lib.observe;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import com.fasterxml.jackson.databind.JsonNode;

/**
 * The demo's Prometheus, asked through the API server of its cluster: its port is not open on this machine.
 * https://prometheus.io/docs/prometheus/latest/querying/api/
 */
public record Prometheus(Kube kube) {
    /** Its deployment and service. */
    public static final String NAME = "prometheus";
    /** The ConfigMap with the scrape jobs, and the Secret with the tokens and CA certificates that they use. */
    static final String CLUSTERS = "prometheus-clusters";

    /**
     * A pod whose metrics it reads.
     *
     * @param cluster the ID of the cluster that the pod was found in
     * @param pod     its namespace and name, as NAMESPACE/NAME
     * @param uid     the pod's UID
     * @param up      whether the last attempt succeeded
     * @param error   of the last attempt; empty if it succeeded
     */
    public record Target(String cluster, String pod, String uid, boolean up, String error) {}

    /** A time series and its value, or its last value of a period. */
    public record Sample(Map<String, String> labels, double value) {}

    /** A time series and its values of a period, by their times in seconds since 1970. */
    public record Series(Map<String, String> labels, SortedMap<Double, Double> values) {}

    /**
     * The counter that shows how many requests a mesh sends: HTTP requests by proxies, or TCP connections by ztunnel.
     * https://istio.io/latest/docs/reference/config/metrics/
     */
    public static String counter(DataPlane dataPlane) {
        return dataPlane == DataPlane.ambient ? "istio_tcp_connections_opened_total" : "istio_requests_total";
    }

    /** The pods that Prometheus discovered. */
    public List<Target> targets() {
        List<Target> targets = new ArrayList<>();
        for (JsonNode target : get("targets?state=active").at("/data/activeTargets")) {
            JsonNode labels = target.path("labels");
            targets.add(new Target(target.path("scrapePool").asText(), "%s/%s".formatted(
                    labels.path("namespace").asText(), labels.path("pod").asText()),
                    target.at("/discoveredLabels/__meta_kubernetes_pod_uid").asText(),
                    target.path("health").asText().equals("up"), target.path("lastError").asText()));
        }
        return targets;
    }

    /** The result of an instant query. https://prometheus.io/docs/prometheus/latest/querying/basics/ */
    public List<Sample> query(String expression) {
        List<Sample> samples = new ArrayList<>();
        for (JsonNode series : get("query?query=" + encoded(expression)).at("/data/result"))
            samples.add(new Sample(labels(series), series.at("/value/1").asDouble()));
        return samples;
    }

    /** The result of a query for each step of a period until now. */
    public List<Series> query(String expression, Instant since, Duration step) {
        List<Series> all = new ArrayList<>();
        String path = "query_range?query=%s&start=%s&end=%s&step=%d".formatted(encoded(expression), since,
                Instant.now(), step.toSeconds());
        for (JsonNode series : get(path).at("/data/result")) {
            SortedMap<Double, Double> values = new TreeMap<>();
            for (JsonNode value : series.path("values")) values.put(value.get(0).asDouble(), value.get(1).asDouble());
            all.add(new Series(labels(series), values));
        }
        return all;
    }

    private static String encoded(String text) { return URLEncoder.encode(text, StandardCharsets.UTF_8); }

    private static Map<String, String> labels(JsonNode series) {
        Map<String, String> labels = new TreeMap<>();
        series.path("metric").properties().forEach(label -> labels.put(label.getKey(), label.getValue().asText()));
        return labels;
    }

    private JsonNode get(String path) { return Workload.get(kube, "Prometheus", NAME, "/api/v1/" + path); }
}
