package lib.kube;

import module java.base;
import lib.fetch.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.Informable;

/** One cluster's API server: what kubectl would do. */
public final class Kube implements AutoCloseable {
    /** The field manager of everything that is applied, seen in {@code kubectl get --show-managed-fields}. */
    public static final String MANAGER = "kind-demo";

    /** The label of everything that the demo creates in a cluster that is not its own. */
    static final String LABEL = "kind-demo", CREATED = "made";

    /** Resource versions are decimals, of any length. */
    private static final Comparator<String> NEWER = Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder());

    private final Cluster cluster;
    private final Console console;
    private final Set<String> changed = Collections.synchronizedSet(new LinkedHashSet<>());
    private KubernetesClient client;
    private String before;

    public Kube(Cluster cluster, Console console) {
        this.cluster = cluster;
        this.console = console;
    }

    /** One that is connected already. */
    public Kube(Cluster cluster, Console console, KubernetesClient client) {
        this(cluster, console);
        this.client = client;
    }

    public Cluster cluster() { return cluster; }

    public Console console() { return console; }

    public DemoCommands commands() { return console.commands(); }

    /** How the same is typed: kubectl, and the cluster's context. */
    public String kubectl() { return cluster.kubectl(); }

    /** The client, connected when first asked for: the cluster may not exist before. */
    public synchronized KubernetesClient client() {
        if (client == null) {
            if (!Kubeconfig.ofUser().has(cluster.context()))
                throw Problem.failed("%s: the kubeconfig has no context %s".formatted(cluster, cluster.context()),
                        "%s (or: kind export kubeconfig --name %s)".formatted(commands().kindDemo(), cluster));
            client = ClientConfig.connect(cluster.context(), Kubeconfig.ofUser(), System.getenv(), console);
        }
        return client;
    }

    /**
     * Begins to connect, in the background: the first time that takes a second, in which other things can be done. A cluster that
     * is not there, or does not answer, is told of where it is needed.
     */
    public void connectEarly() {
        // loading classes would keep a virtual thread's carrier from all others
        Thread.ofPlatform().daemon().start(() -> {
            try {
                client().getKubernetesVersion();
            } catch (RuntimeException | Error e) {
                console.detail("%s does not answer yet: %s".formatted(cluster, e.getMessage()));
            }
        });
    }

    /** The API server as other clusters can reach it: as the kubeconfig has it, unless only this machine reaches that. */
    public String reachableServer() {
        URI known = URI.create(client().getMasterUrl().toString());
        return onlyFromHere(known.getHost()) ? ownServer() : known.toString();
    }

    /**
     * Whether a host means this machine, and so another one in a container: a loopback address in any spelling, the address of all
     * interfaces (https://k3d.io gives that), names that Docker and its like have for the host, or a name that resolves to such an address.
     */
    public static boolean onlyFromHere(String host) {
        if (host.matches("(?i).*\\.(docker|containers)\\.internal|host\\.[^.]+\\.internal|(.*\\.)?localhost\\.?")) return true;
        try {
            Optional<InetAddress> literal = HttpProxies.literal(host);
            List<InetAddress> addresses = literal.isPresent() ? List.of(literal.get()) : List.of(InetAddress.getAllByName(host));
            return addresses.stream().anyMatch(address -> address.isLoopbackAddress() || address.isAnyLocalAddress());
        } catch (UnknownHostException e) {
            return false; // a proxy may know it
        }
    }

    /** The API server as the cluster itself knows it; a {@link Problem} when it does not. */
    public String ownServer() {
        var endpoints = client().endpoints().inNamespace("default").withName("kubernetes").get();
        String command = "%s get endpoints kubernetes -n default".formatted(kubectl());
        var subset = Stream.ofNullable(endpoints).flatMap(e -> e.getSubsets().stream())
                .filter(s -> !s.getAddresses().isEmpty() && !s.getPorts().isEmpty()).findFirst().orElseThrow(() ->
                        Problem.failed("%s: the Service kubernetes in default has no endpoint".formatted(cluster), command));
        String ip = subset.getAddresses().getFirst().getIp();
        if (onlyFromHere(ip)) throw Problem.failed("%s: its API server is at %s, which other clusters cannot reach".formatted(cluster, ip),
                "name an address that they can reach: kubectl config set clusters.NAME.server https://ADDRESS:PORT");
        return "https://%s:%d".formatted(inUrl(ip), subset.getPorts().getFirst().getPort());
    }

    /** Server-side apply, https://kubernetes.io/docs/reference/using-api/server-side-apply/: the same text twice changes nothing. */
    public void apply(String yaml) { apply(YamlDocuments.parse(yaml)); }

    /**
     * The same for resources. Namespaces go first, as the others need them, and then the services that name their NodePorts: one
     * that does not could be given them.
     */
    public void apply(List<? extends HasMetadata> resources) {
        resources.stream().sorted(Comparator.comparing(r -> r.getKind().equals("Namespace") ? 0 : namesNodePorts(r) ? 1 : 2))
                .forEach(this::applyOne);
    }

    public static boolean namesNodePorts(HasMetadata resource) {
        return resource.getKind().equals("Service") && resource instanceof GenericKubernetesResource service
                && service.get("spec", "ports") instanceof List<?> ports // a Service may have none
                && ports.stream().anyMatch(port -> port instanceof Map<?, ?> map && map.containsKey("nodePort"));
    }

    /** The same for what a webhook may refuse because it has just started: again and again, until it takes it. */
    public void applyPastWebhook(String yaml, Consumer<String> progress) throws IOException {
        Await.until(cluster + ": a webhook that has just started", Duration.ofMinutes(2), Duration.ofMillis(500), progress, () -> {
            try {
                apply(yaml);
                return "";
            } catch (Problem p) {
                if (!p.getMessage().contains("webhook")) throw p;
                return p.getMessage();
            }
        });
    }

    private void applyOne(HasMetadata resource) {
        console.detail("$ %s apply --server-side\n(%s %s)".formatted(kubectl(), resource.getKind(), resource.getMetadata()
                .getName()));
        try {
            if (!cluster.isKind()) label(resource);
            String before = before();
            var applied = client().resource(resource).fieldManager(MANAGER).forceConflicts().serverSideApply();
            if (NEWER.compare(applied.getMetadata().getResourceVersion(), before) > 0) changed(resource);
        } catch (KubernetesClientException e) {
            throw Problem.failed("%s: %s %s was refused: %s".formatted(cluster, resource.getKind(), resource.getMetadata().getName(),
                    reason(e)), kubectl() + (e.getStatus() == null ? " get nodes"
                    : " get " + resource.getKind().toLowerCase(Locale.ROOT) + " -A"));
        }
    }

    /** Labels a resource that is about to be applied, unless it exists without the label. */
    private void label(HasMetadata resource) {
        HasMetadata existing = client().resource(resource).get();
        if (existing != null && !isManaged(existing)) return;
        Map<String, String> labels = new TreeMap<>(Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.of()));
        labels.put(LABEL, CREATED);
        resource.getMetadata().setLabels(labels);
    }

    /** Whether the demo created a resource in a cluster that is not its own. */
    public static boolean isManaged(HasMetadata resource) {
        return CREATED.equals(Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.<String, String>of()).get(LABEL));
    }

    /** Removes a resource if it exists. */
    public void remove(HasMetadata resource) { if (!client().resource(resource).delete().isEmpty()) changed(resource); }

    /**
     * The cluster's revision before anything was applied: what is applied and stays as it was keeps a resource version that is not newer.
     * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
     */
    private synchronized String before() {
        if (before == null) before = client().namespaces().list(new ListOptionsBuilder().withLimit(1L).build()).getMetadata()
                .getResourceVersion();
        return before;
    }

    void changed(HasMetadata resource) { changed("%s %s".formatted(resource.getKind(), resource.getMetadata().getName())); }

    void changed(String what) { changed.add("%s: %s".formatted(cluster, what)); }

    /** An address as a URL has it: an IPv6 one in brackets. */
    public static String inUrl(String address) { return address.contains(":") ? "[" + address + "]" : address; }

    /** What was made, changed or removed through these, in a line. */
    public static String changes(List<Kube> kubes) {
        List<String> all = kubes.stream().flatMap(kube -> kube.changed.stream()).toList();
        return all.isEmpty() ? "Nothing had to be changed." : all.size() > 9 ? "%d resources were made or changed.".formatted(all.size())
                : "Changed: " + String.join(", ", all);
    }

    /** A failure of the Kubernetes client in our words; any other failure as it is. */
    public static Throwable explain(Throwable failure, DemoCommands commands) {
        return failure instanceof KubernetesClientException e ? Problem.failed(reason(e),
                "%s reports which layer fails; then run this again".formatted(commands.verify())) : failure;
    }

    /** What the API server said, without the client's own words around it. */
    public static String reason(KubernetesClientException e) {
        if (e.getStatus() != null && e.getStatus().getMessage() != null) return e.getStatus().getMessage();
        Throwable root = Problem.rootCause(e);
        return root == e ? String.valueOf(e.getMessage())
                : "no answer from the API server (%s)".formatted(Objects.requireNonNullElse(root.getMessage(), root.getClass()
                .getSimpleName()));
    }

    /**
     * Watches resources until nothing is missing.
     *
     * @param missing tells from the whole list what is not there yet; an empty text when all is
     */
    public <T> void await(String what, Duration limit, Informable<T> resources, Function<List<T>, String> missing, Consumer<String> progress) {
        await(what, limit, resources, missing, progress, () -> false);
    }

    /** @param cannotRecover asked now and then whether waiting longer is no use: then it is given up */
    <T> void await(String what, Duration limit, Informable<T> resources, Function<List<T>, String> missing, Consumer<String> progress,
            BooleanSupplier cannotRecover) {
        long start = System.nanoTime();
        var last = new AtomicReference<>("no answer from the API server");
        CompletableFuture<List<T>> met = resources.informOnCondition(list -> {
            String now = missing.apply(list);
            last.set(now);
            progress.accept(now);
            return now.isEmpty();
        });
        try {
            while (true) {
                Duration passed = Duration.ofNanos(System.nanoTime() - start), left = limit.minus(passed);
                try {
                    met.get(Math.clamp(left.toMillis(), 0, 5_000), TimeUnit.MILLISECONDS);
                    return;
                } catch (TimeoutException e) {
                    if (!left.isPositive() || cannotRecover.getAsBoolean()) throw Await.timedOut(cluster + ": " + what, passed, last.get());
                }
            }
        } catch (ExecutionException | InterruptedException e) {
            throw Problem.failed("%s: lost the API server while waiting for %s: %s".formatted(cluster, what, e.getMessage()),
                    kubectl() + " get nodes");
        } finally {
            met.cancel(true);
        }
    }

    /** The first address that the load balancer gave a service; empty when it has none. */
    public static String address(Service service) { return addresses(service).stream().findFirst().orElse(""); }

    /** All addresses that the load balancer gave a service; some give host names. */
    public static List<String> addresses(Service service) {
        var status = service.getStatus();
        if (status == null || status.getLoadBalancer() == null) return List.of();
        return status.getLoadBalancer().getIngress().stream()
                .map(i -> Objects.requireNonNullElse(i.getIp(), Objects.requireNonNullElse(i.getHostname(), "")))
                .filter(address -> !address.isEmpty()).toList();
    }

    /** Ends the connection; the next use makes a new one, to where the kubeconfig says by then. */
    @Override public synchronized void close() {
        if (client != null) client.close();
        client = null;
    }
}
