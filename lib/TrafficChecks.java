package lib;

import module java.base;

/** The proof: the client in each cluster knows the instances of all clusters, and its requests are answered from where they should be. */
final class TrafficChecks {
    /** Enough requests to judge a spread by: with 8 instances, one is missed by chance less than once in a hundred. */
    private static final int REQUESTS = 40;

    private static final Pattern BETWEEN_NAMES = Pattern.compile("[^\\w.-]+");

    private final List<Kube> kubes;
    private final App app;

    TrafficChecks(List<Kube> kubes, App app) {
        this.kubes = kubes;
        this.app = app;
    }

    String appReady(Kube kube) {
        for (String label : List.of(app.client(), app.service())) kube.readyPod(app.namespace(), label);
        return new Deployments(kube, app.namespace()).ready();
    }

    /** README's proof: the client's proxy has this cluster's instances and one gateway of each other network, on 15443. */
    String endpoints(Kube kube) throws IOException {
        List<String> endpoints = new Client(kube, app).endpoints();
        int instances = kube.readyPods(app.namespace(), app.service()).size();
        long remote = endpoints.stream().filter(e -> e.contains(":15443 ")).count(), local = endpoints.size() - remote;
        String saw = "%d local, %d on 15443: %s".formatted(local, remote, String.join(", ", endpoints));
        if (local != instances || remote != kubes.size() - 1 || !endpoints.stream().allMatch(e -> e.endsWith(" HEALTHY")))
            throw Problem.failed("the client's proxy should have %d local endpoints of %s and %d on 15443; it has %s".formatted(instances,
                    app.service(), kubes.size() - 1, saw),
                            "istioctl --context %s proxy-config endpoints deploy/%s -n %s | grep %s".formatted(
                    kube.cluster().context(), app.client(), app.namespace(), app.service()));
        return saw;
    }

    /** Live requests: with the locality rule only this cluster's instances answer, without it those of every cluster. */
    String whoAnswers(Kube kube) {
        Client client = new Client(kube, app);
        boolean locality = kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule")
                .inNamespace(app.namespace()).withName(app.service()).get() != null;
        Map<String, Integer> answers = countAnswers(client.ask(REQUESTS), clusterOfInstance());
        String saw = "%s of %d requests, locality rule %s".formatted(answers, REQUESTS, locality ? "on" : "off");
        Set<String> expected = locality ? Set.of(kube.cluster().name()) : kubes.stream().map(k -> k.cluster().name())
                .collect(Collectors.toSet());
        if (!answers.keySet().equals(expected))
            throw Problem.failed("expected answers from %s; got %s".formatted(new TreeSet<>(expected), saw),
                    "%s exec -n %s deploy/%s -- curl -sS %s".formatted(kube.kubectl(), app.namespace(), app.client(), Tool.quoted(client.url())));
        return saw;
    }

    /** The name of each instance, and the cluster it runs in. */
    Map<String, String> clusterOfInstance() {
        Map<String, String> clusterOf = new HashMap<>();
        for (Kube kube : kubes) kube.client().pods().inNamespace(app.namespace()).withLabel("app", app.service()).list().getItems()
                .forEach(pod -> clusterOf.put(pod.getMetadata().getName(), kube.cluster().name()));
        return clusterOf;
    }

    /** How many replies came from each cluster: one line each. */
    static Map<String, Integer> countAnswers(String replies, Map<String, String> clusterOf) {
        Map<String, Integer> counts = new TreeMap<>();
        replies.lines().filter(line -> !line.isBlank()).forEach(line -> counts.merge(whichCluster(line, clusterOf), 1, Integer::sum));
        return counts;
    }

    /** The cluster of the instance that a reply names; "unknown" when it names none. */
    static String whichCluster(String reply, Map<String, String> clusterOf) {
        return BETWEEN_NAMES.splitAsStream(reply).map(clusterOf::get).filter(Objects::nonNull).findFirst().orElse("unknown");
    }
}
