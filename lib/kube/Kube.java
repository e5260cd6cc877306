package lib.kube;

import module java.base;
import lib.kubeconfig.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.Informable;

/** One cluster's API server: what kubectl would do. */
public final class Kube implements AutoCloseable {
    /** The field manager of all applied resources, shown by {@code kubectl get --show-managed-fields}. */
    public static final String MANAGER = "kind-demo";

    /** The label of everything that the demo creates in an existing cluster. */
    static final String LABEL = "kind-demo", CREATED = "made";

    /** Resource versions are decimal numbers of any length. */
    private static final Comparator<String> NEWER =
            Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder());

    private final Cluster cluster;
    private final Console console;
    private final Set<String> changed = Collections.synchronizedSet(new LinkedHashSet<>());
    private KubernetesClient client;
    private String initialVersion;

    public Kube(Cluster cluster, Console console) {
        this.cluster = cluster;
        this.console = console;
    }

    /** @param client an open connection to the cluster */
    public Kube(Cluster cluster, Console console, KubernetesClient client) {
        this(cluster, console);
        this.client = client;
    }

    public Cluster cluster() { return cluster; }

    public Console console() { return console; }

    public DemoCommands commands() { return console.commands(); }

    /** The start of a kubectl command for this cluster. */
    public String kubectl() { return cluster.kubectl(); }

    /** The client. The first call connects, because the cluster may not exist earlier. */
    public synchronized KubernetesClient client() {
        if (client != null) return client;
        Kubeconfig kubeconfig = Kubeconfig.ofUser();
        if (!kubeconfig.has(cluster.context()))
            throw Problem.failed("%s: the kubeconfig has no context %s".formatted(cluster, cluster.context()),
                    "%s (or: kind export kubeconfig --name %s)".formatted(commands().kindDemo(), cluster));
        client = ClientConfig.connect(cluster.context(), kubeconfig, System.getenv(), console);
        return client;
    }

    /** Connects in the background: the first connection takes a second. Failures are reported at the first use. */
    public void connectEarly() {
        // loading classes would block the carrier of a virtual thread
        Thread.ofPlatform().daemon().start(() -> {
            try {
                client().getKubernetesVersion();
            } catch (RuntimeException | Error e) {
                console.detail("%s does not answer yet: %s".formatted(cluster, e.getMessage()));
            }
        });
    }

    /** Applies every document server-side: https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
    public void apply(String yaml) { apply(YamlDocuments.parse(yaml)); }

    /**
     * Applies resources server-side: first namespaces, then services with fixed NodePorts, because another service
     * could be assigned their ports.
     */
    public void apply(List<? extends HasMetadata> resources) {
        Comparator<HasMetadata> order = Comparator.comparing(r -> !r.getKind().equals("Namespace"));
        resources.stream().sorted(order.thenComparing(r -> !Manifests.namesNodePorts(r))).forEach(this::applyOne);
    }

    /** Whether the demo applied a resource, in any cluster; {@link #isManaged} only knows existing ones. */
    public static boolean isApplied(HasMetadata resource) {
        return resource.getMetadata().getManagedFields().stream().anyMatch(f -> MANAGER.equals(f.getManager()));
    }

    /** Applies every document, and repeats it for two minutes while a webhook that has just started rejects one. */
    public void applyPastWebhook(String yaml, Consumer<String> progress) throws IOException {
        String what = cluster + ": the webhook to accept the resources";
        Await.until(what, Duration.ofMinutes(2), Duration.ofMillis(500), progress, () -> {
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
        String kind = resource.getKind(), name = resource.getMetadata().getName();
        console.detail(applyAsShell(kind, name));
        try {
            if (!cluster.isKind()) label(resource);
            String before = initialVersion();
            var applied = client().resource(resource).fieldManager(MANAGER).forceConflicts().serverSideApply();
            if (NEWER.compare(applied.getMetadata().getResourceVersion(), before) > 0) changed(kind + " " + name);
        } catch (KubernetesClientException e) {
            String hint = e.getStatus() == null ? "nodes" : kind.toLowerCase(Locale.ROOT) + " -A";
            throw Problem.failed("%s: %s %s was rejected: %s".formatted(cluster, kind, name, reason(e)),
                    kubectl() + " get " + hint);
        }
    }

    String applyAsShell(String kind, String name) {
        return "$ %s apply --server-side\n(%s %s)".formatted(kubectl(), kind, name);
    }

    /** Labels a resource before it is applied, unless the cluster already has it without the label. */
    private void label(HasMetadata resource) {
        HasMetadata existing = client().resource(resource).get();
        if (existing != null && !isManaged(existing)) return;
        Map<String, String> labels = new TreeMap<>(labels(resource));
        labels.put(LABEL, CREATED);
        resource.getMetadata().setLabels(labels);
    }

    /** Whether the demo created a resource in an existing cluster. */
    public static boolean isManaged(HasMetadata resource) { return CREATED.equals(labels(resource).get(LABEL)); }

    private static Map<String, String> labels(HasMetadata resource) {
        return Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.of());
    }

    /** Removes a resource if it exists. */
    public void remove(HasMetadata resource) {
        boolean removed = !client().resource(resource).delete().isEmpty();
        if (removed) changed(resource.getKind() + " " + resource.getMetadata().getName());
    }

    /** The same, but in an existing cluster only what the demo created: a resource of that name may be the user's. */
    public void removeOwn(HasMetadata resource) {
        HasMetadata existing = client().resource(resource).get();
        if (existing != null && (cluster.isKind() || isManaged(existing))) remove(existing);
    }

    /**
     * The cluster's resource version before the first change. Unchanged resources keep an older version.
     * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
     */
    private synchronized String initialVersion() {
        if (initialVersion == null) {
            var one = new ListOptionsBuilder().withLimit(1L).build();
            initialVersion = client().namespaces().list(one).getMetadata().getResourceVersion();
        }
        return initialVersion;
    }

    void changed(String resource) { changed.add("%s: %s".formatted(cluster, resource)); }

    /** A sentence that names the resources which were created, changed or removed. */
    public static String changes(List<Kube> kubes) {
        List<String> all = kubes.stream().flatMap(kube -> kube.changed.stream()).toList();
        if (all.isEmpty()) return "Nothing had to be changed.";
        if (all.size() > 9) return "%d resources were created, changed or removed.".formatted(all.size());
        return "Changed: " + String.join(", ", all);
    }

    /** Converts a failure of the Kubernetes client to a {@link Problem}; returns any other failure unchanged. */
    public static Throwable explain(Throwable failure, DemoCommands commands) {
        return failure instanceof KubernetesClientException e ? Problem.failed(reason(e),
                "%s reports which layer fails; then run this again".formatted(commands.verify())) : failure;
    }

    /** The message of the API server, without the text that the client adds. */
    public static String reason(KubernetesClientException e) {
        if (e.getStatus() != null && e.getStatus().getMessage() != null) return e.getStatus().getMessage();
        Throwable root = Problem.rootCause(e);
        if (root == e) return String.valueOf(e.getMessage());
        return "no answer from the API server (%s)".formatted(message(root));
    }

    static String message(Throwable e) {
        return Objects.requireNonNullElse(e.getMessage(), e.getClass().getSimpleName());
    }

    /**
     * Watches resources until nothing is missing.
     *
     * @param missing what the list of resources still lacks; empty when the wait is over
     * @throws Problem when the limit is over
     */
    public <T> void await(String what, Duration limit, Informable<T> resources, Function<List<T>, String> missing,
            Consumer<String> progress) {
        await(what, limit, resources, missing, progress, () -> false);
    }

    /** @param cannotRecover checked every five seconds; true ends the wait early */
    <T> void await(String what, Duration limit, Informable<T> resources, Function<List<T>, String> missing,
            Consumer<String> progress, BooleanSupplier cannotRecover) {
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
                Duration left = limit.minus(Duration.ofNanos(System.nanoTime() - start));
                try {
                    met.get(Math.clamp(left.toMillis(), 0, 5_000), TimeUnit.MILLISECONDS);
                    return;
                } catch (TimeoutException e) {
                    if (!left.isPositive() || cannotRecover.getAsBoolean())
                        throw Await.timedOut(cluster + ": " + what, Duration.ofNanos(System.nanoTime() - start),
                                last.get());
                }
            }
        } catch (ExecutionException | InterruptedException e) {
            throw Problem.failed("%s: lost the API server while waiting for %s: %s".formatted(cluster, what,
                    e.getMessage()), kubectl() + " get nodes");
        } finally {
            met.cancel(true);
        }
    }

    /** Closes the connection. The next use reads the kubeconfig again and reconnects. */
    @Override public synchronized void close() {
        if (client != null) client.close();
        client = null;
    }
}
