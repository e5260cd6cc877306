package lib.verify;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;

/** The proof: the client in each cluster knows the instances of all clusters, and its requests are answered from where they should be. */
public final class TrafficChecks {
    /** Enough requests to judge a spread by: with 8 instances, one is missed by chance less than once in a hundred. */
    private static final int REQUESTS = 40;

    private static final Pattern BETWEEN_NAMES = Pattern.compile("[^\\w.-]+");

    private final List<Kube> kubes;
    private final SampleTarget app;

    public TrafficChecks(List<Kube> kubes, SampleTarget app) {
        this.kubes = kubes;
        this.app = app;
    }

    String appReady(Kube kube) {
        List<String> meant = List.of(app.client(), app.service());
        for (String label : meant) new Pods(kube, app.namespace()).anyReady(label);
        return new Deployments(kube, app.namespace()).ready(d -> meant.contains(Pods.app(d.getSpec().getTemplate())));
    }

    /**
     * README's proof: the client's proxy has the instances on its own network, and at least one address of every other
     * network's gateway; all are healthy, and there is nothing else.
     */
    String endpoints(Kube kube) throws IOException {
        List<String> endpoints = new ClientPod(kube, app).endpoints();
        Set<String> own = new TreeSet<>();
        Map<String, Set<String>> gateways = new TreeMap<>();
        for (Kube other : kubes) {
            String network = other.cluster().network();
            if (network.equals(kube.cluster().network()))
                new Pods(other, app.namespace()).ready(app.service()).forEach(pod -> own.add(pod.getStatus().getPodIP()));
            else gateways.computeIfAbsent(network, _ -> new TreeSet<>())
                    .addAll(new InstalledIstio(other).gatewayAddresses(network));
        }
        long local = endpoints.stream().filter(e -> own.contains(address(e))).count();
        long remote = endpoints.stream().filter(e -> e.contains(":15443 ")).count();
        String saw = "%d local, %d on 15443: %s".formatted(local, remote, String.join(", ", endpoints));
        List<String> wrong = wrong(endpoints, own, gateways);
        if (!wrong.isEmpty())
            throw Problem.failed("the client's proxy has for %s: %s; in all %s".formatted(app.service(),
                    String.join(", ", wrong), saw),
                    "istioctl --context %s proxy-config endpoints deploy/%s -n %s | grep %s".formatted(
                            kube.cluster().quotedContext(), app.client(), app.namespace(), app.service()));
        return saw;
    }

    /**
     * What is wrong with a proxy's endpoints.
     *
     * @param own      the addresses of the instances on its own network
     * @param gateways the addresses of each other network's gateways, or host names, which istiod resolves by itself
     */
    static List<String> wrong(List<String> endpoints, Set<String> own, Map<String, Set<String>> gateways) {
        List<String> wrong = new ArrayList<>(), unknown = new ArrayList<>(endpoints);
        Set<String> missing = new TreeSet<>(own);
        for (String endpoint : endpoints) {
            if (!endpoint.endsWith(" HEALTHY")) wrong.add(endpoint);
            missing.remove(address(endpoint));
        }
        missing.forEach(instance -> wrong.add("no endpoint for the instance " + instance));
        Set<String> known = new HashSet<>(own);
        gateways.values().forEach(known::addAll);
        unknown.removeIf(e -> known.contains(address(e)));
        List<String> through = unknown.stream().filter(e -> e.contains(":15443 ")).toList();
        gateways.forEach((network, addresses) -> {
            if (endpoints.stream().anyMatch(e -> addresses.contains(address(e)))) return;
            // a gateway that istiod knows by a host name, or from meshNetworks, has addresses that are not known here
            boolean elsewhere = addresses.isEmpty() || addresses.stream().anyMatch(a -> !a.matches("[0-9.]+|.*:.*"));
            if (elsewhere && !through.isEmpty()) unknown.removeAll(through);
            else wrong.add("no gateway of %s %s".formatted(network, addresses));
        });
        unknown.forEach(e -> wrong.add("unknown endpoint " + e));
        return wrong;
    }

    private static String address(String endpoint) { return endpoint.substring(0, endpoint.lastIndexOf(':')); }

    /** Live requests: with the locality rule only this cluster's instances answer, without it those of every cluster. */
    String whoAnswers(Kube kube) {
        ClientPod client = new ClientPod(kube, app);
        boolean locality = kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule")
                .inNamespace(app.namespace()).withName(app.service()).get() != null;
        Map<String, Integer> answers = countAnswers(client.ask(REQUESTS), clusterOfInstance());
        String saw = "%s of %d requests, locality rule %s".formatted(answers, REQUESTS, locality ? "on" : "off");
        Set<String> expected = locality ? Set.of(kube.cluster().name()) : kubes.stream().map(k -> k.cluster().name())
                .collect(Collectors.toSet());
        if (!answers.keySet().equals(expected))
            throw Problem.failed("expected answers from %s; got %s".formatted(new TreeSet<>(expected), saw),
                    "%s exec -n %s deploy/%s -- curl -sS %s".formatted(kube.kubectl(), app.namespace(), app.client(), DemoCommands.quoted(client.url())));
        return saw;
    }

    /** The name of each instance, and the cluster it runs in. */
    public Map<String, String> clusterOfInstance() {
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
    public static String whichCluster(String reply, Map<String, String> clusterOf) {
        return BETWEEN_NAMES.splitAsStream(reply).map(clusterOf::get).filter(Objects::nonNull).findFirst().orElse("unknown");
    }
}
