package lib.verify;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;

/** Checks that the client in each cluster has the endpoints of all clusters, and that the expected ones answer it. */
public record TrafficChecks(List<Kube> kubes, SampleTarget app) {
    /** Enough to judge a spread: with 8 pods, the chance that one gets none of 40 requests is less than 1 in 100. */
    private static final int REQUESTS = 40;
    private static final Pattern BETWEEN_NAMES = Pattern.compile("[^\\w.-]+");

    String appReady(Kube kube) {
        List<String> labels = List.of(app.client(), app.service());
        for (String label : labels) new Pods(kube, app.namespace()).anyReady(label);
        return new Deployments(kube, app.namespace()).ready(d -> labels.contains(Pods.app(d.getSpec().getTemplate())));
    }

    /**
     * Checks that the client's proxy has all pods on its own network and at least one address of every other network's
     * gateway, all of them healthy, and no other endpoints.
     */
    String endpoints(Kube kube) throws IOException {
        List<String> endpoints = new ClientPod(kube, app).endpoints();
        Set<String> pods = new TreeSet<>();
        Map<String, Set<String>> gateways = new TreeMap<>();
        for (Kube other : kubes) {
            String network = other.cluster().network();
            if (network.equals(kube.cluster().network())) {
                new Pods(other, app.namespace()).ready(app.service())
                        .forEach(pod -> pods.add(pod.getStatus().getPodIP()));
            } else {
                gateways.computeIfAbsent(network, _ -> new TreeSet<>())
                        .addAll(new InstalledIstio(other).gatewayAddresses(network));
            }
        }
        long local = endpoints.stream().filter(e -> pods.contains(address(e))).count();
        long remote = endpoints.stream().filter(TrafficChecks::isRemote).count();
        String found = "%d local, %d on 15443: %s".formatted(local, remote, String.join(", ", endpoints));
        List<String> failures = failures(endpoints, pods, gateways);
        if (!failures.isEmpty()) throw Problem.failed("the client's proxy has wrong endpoints for %s: %s; in all %s"
                .formatted(app.service(), String.join(", ", failures), found),
                MeshChecks.command(kube, "proxy-config endpoints deploy/%s -n %s | grep %s".formatted(app.client(),
                        app.namespace(), app.service())));
        return found;
    }

    /**
     * What is wrong with a proxy's endpoints.
     *
     * @param pods     the addresses of the pods on its own network
     * @param gateways the addresses of each other network's gateways, or host names, which only istiod resolves
     */
    static List<String> failures(List<String> endpoints, Set<String> pods, Map<String, Set<String>> gateways) {
        List<String> failures = new ArrayList<>(endpoints.stream().filter(e -> !e.endsWith(" HEALTHY")).toList());
        Set<String> addresses = endpoints.stream().map(TrafficChecks::address).collect(Collectors.toSet());
        pods.stream().filter(pod -> !addresses.contains(pod)).sorted()
                .forEach(pod -> failures.add("no endpoint for the pod " + pod));
        Set<String> known = new HashSet<>(pods);
        gateways.values().forEach(known::addAll);
        List<String> unknown = new ArrayList<>(endpoints);
        unknown.removeIf(e -> known.contains(address(e)));
        List<String> unknownRemote = unknown.stream().filter(TrafficChecks::isRemote).toList();
        gateways.forEach((network, expected) -> {
            if (!Collections.disjoint(addresses, expected)) return;
            // istiod may know a gateway by a host name or from meshNetworks, and then its addresses are not known here
            boolean elsewhere = expected.isEmpty() || expected.stream().anyMatch(a -> !a.matches("[0-9.]+|.*:.*"));
            if (elsewhere && !unknownRemote.isEmpty()) unknown.removeAll(unknownRemote);
            else failures.add("no gateway of %s %s".formatted(network, expected));
        });
        unknown.forEach(e -> failures.add("unknown endpoint " + e));
        return failures;
    }

    private static boolean isRemote(String endpoint) { return endpoint.contains(":15443 "); }

    private static String address(String endpoint) { return endpoint.substring(0, endpoint.lastIndexOf(':')); }

    /** With the locality rule only the pods of this cluster may answer, without it those of every cluster must. */
    String respondingClusters(Kube kube, DataPlane dataPlane) {
        ClientPod client = new ClientPod(kube, app);
        boolean locality = Locality.isSet(kube, app, dataPlane);
        Set<String> expected = new TreeSet<>();
        for (Kube each : kubes) if (!locality || each == kube) expected.add(each.cluster().name());
        Map<String, Integer> answers = countAnswers(client.ask(REQUESTS), clusterOfPod());
        String found = "%s of %d requests, locality rule %s".formatted(answers, REQUESTS, locality ? "on" : "off");
        if (!answers.keySet().equals(expected))
            throw Problem.failed("expected answers from %s; got %s".formatted(expected, found),
                    "%s exec -n %s deploy/%s -- curl -sS %s".formatted(kube.kubectl(), app.namespace(), app.client(),
                            DemoCommands.quoted(client.url())));
        return found;
    }

    /** The cluster of each pod of the service, by the pod's name. */
    public Map<String, String> clusterOfPod() {
        Map<String, String> clusters = new HashMap<>();
        for (Kube kube : kubes) {
            var pods = kube.client().pods().inNamespace(app.namespace()).withLabel("app", app.service());
            pods.list().getItems().forEach(pod -> clusters.put(pod.getMetadata().getName(), kube.cluster().name()));
        }
        return clusters;
    }

    /** How many replies, a line each, came from each cluster. */
    static Map<String, Integer> countAnswers(String replies, Map<String, String> clusterOfPod) {
        Map<String, Integer> counts = new TreeMap<>();
        replies.lines().filter(line -> !line.isBlank())
                .forEach(line -> counts.merge(cluster(line, clusterOfPod), 1, Integer::sum));
        return counts;
    }

    /** The cluster of the pod whose name is in a reply; "unknown" if there is none. */
    public static String cluster(String reply, Map<String, String> clusterOfPod) {
        return BETWEEN_NAMES.splitAsStream(reply).map(clusterOfPod::get).filter(Objects::nonNull).findFirst()
                .orElse("unknown");
    }
}
