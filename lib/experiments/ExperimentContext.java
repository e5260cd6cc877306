package lib.experiments;

import module java.base;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.verify.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;

/**
 * What one experiment works with. Every change is noted with its way back before it is made, and all are put back, last first,
 * when the experiment ends: also when it fails, and on Ctrl-C ({@link #restore}).
 */
final class ExperimentContext implements AutoCloseable {
    interface Change {
        void make() throws Exception;
    }

    /**
     * A change that was made, or is about to be.
     *
     * @param back    undoes it; may be called twice
     * @param settled waits until the mesh is as it was before
     */
    private record Made(String key, Change back, Change settled) {}

    /** How long a request that is on its way may keep its undo waiting on Ctrl-C. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final List<Kube> kubes;
    private final ClientPod home;
    private final Manifests manifests;
    private final Docker docker;
    private final Console console;
    private final Deque<Made> changes = new ConcurrentLinkedDeque<>();
    private final List<Traffic> traffics = new CopyOnWriteArrayList<>();
    private final List<String> observations = new ArrayList<>(), failures = new CopyOnWriteArrayList<>();
    private final Map<String, Number> metrics = new LinkedHashMap<>();
    private final long start = System.nanoTime();
    /** Held for one change, or for undoing it, never while something is waited for. */
    private final ReentrantLock changing = new ReentrantLock();
    private volatile boolean closed;
    private boolean skipped;

    /** @param kubes the clusters; the first one is where the experiment's requests come from */
    ExperimentContext(List<Kube> kubes, SampleTarget app, Manifests manifests, Docker docker, Console console) {
        this.kubes = kubes;
        this.home = new ClientPod(kubes.getFirst(), app);
        this.manifests = manifests;
        this.docker = docker;
        this.console = console;
    }

    ClientPod home() { return home; }

    /** The steady requests of the first cluster's client. */
    Traffic traffic() { return watched(Traffic.fromClient(home, this::log, this::clusterOfInstance)); }

    /** Steady requests from this machine. */
    Traffic traffic(URI uri) { return watched(Traffic.fromHost(uri, this::log, this::clusterOfInstance)); }

    private Traffic watched(Traffic traffic) {
        traffics.add(traffic);
        return traffic;
    }

    private Map<String, String> clusterOfInstance() { return new TrafficChecks(kubes, home.app()).clusterOfInstance(); }

    /** Takes all pods of these deployments away; returns when they are gone or going. */
    void scaleToZero(Kube kube, String namespace, String label) throws Exception {
        for (Deployment deployment : kube.client().apps().deployments().inNamespace(namespace).withLabel("app", label).list().getItems()) {
            var resource = kube.client().resource(deployment);
            int replicas = deployment.getSpec().getReplicas();
            change(key(kube, label), () -> resource.scale(0), () -> resource.scale(replicas),
                    () -> new Deployments(kube, namespace).await(List.of(deployment), Duration.ofMinutes(2), _ -> {}));
        }
        kube.await(label + " to go", Duration.ofMinutes(1), kube.client().pods().inNamespace(namespace).withLabel("app", label),
                pods -> pods.stream().allMatch(p -> p.getMetadata().getDeletionTimestamp() != null) ? "" : pods.size() + " pods", _ -> {});
    }

    /** Applies a manifest in the first cluster; what was there before comes back later. */
    void apply(String path, Map<String, String> values) throws Exception {
        for (GenericKubernetesResource resource : YamlDocuments.parse(manifests.filled(path, values))) {
            Optional<GenericKubernetesResource> before = there(resource);
            change(key(home.kube(), path), () -> home.kube().apply(List.of(resource)), () -> {
                if (before.isPresent()) home.kube().apply(List.of(before.get()));
                else home.kube().remove(resource);
            });
        }
    }

    /** Applies a manifest in the first cluster for as long as the experiment lasts, where what it describes is not there. */
    void ensure(String path) throws Exception {
        for (GenericKubernetesResource resource : YamlDocuments.parse(manifests.read(path)))
            if (there(resource).isEmpty()) change(key(home.kube(), path + ", needed"), () -> home.kube().apply(List.of(resource)),
                    () -> home.kube().remove(resource));
    }

    /** Removes what a manifest describes from the first cluster, for a while. */
    void remove(String path) throws Exception {
        for (GenericKubernetesResource resource : YamlDocuments.parse(manifests.read(path))) {
            Optional<GenericKubernetesResource> before = there(resource);
            if (before.isPresent()) change(key(home.kube(), path), () -> home.kube().remove(resource),
                    () -> home.kube().apply(List.of(before.get())));
        }
    }

    /** The resource as it is in the first cluster now, without what the API server added. */
    private Optional<GenericKubernetesResource> there(GenericKubernetesResource resource) {
        return Optional.ofNullable(home.kube().client().resource(resource).get()).map(found -> {
            var meta = found.getMetadata();
            found.setMetadata(new ObjectMetaBuilder().withName(meta.getName()).withNamespace(meta.getNamespace())
                    .withLabels(meta.getLabels())
                    .withAnnotations(meta.getAnnotations()).build());
            found.getAdditionalProperties().remove("status");
            return found;
        });
    }

    /** Starts a server outside the mesh, beside the nodes; returns its address. */
    String serverOutside(String image) throws Exception {
        String name = "kind-demo-outside-" + UUID.randomUUID(); // known before: Ctrl-C may end `docker run` before it prints the ID
        change("outside", () -> docker.runServer(name, image), () -> {
            docker.remove(name);
            Await.until("Docker to remove the container " + name, Duration.ofSeconds(10), Duration.ofMillis(200), _ -> {},
                    () -> docker.container(name).isEmpty() ? "" : "the container is still there");
        });
        return docker.addressOf(name);
    }

    private static String key(Kube kube, String what) { return kube.cluster() + " " + what; }

    private void change(String key, Change change, Change back) throws Exception { change(key, change, back, () -> {}); }

    void change(String key, Change change, Change back, Change settled) throws Exception {
        alone(() -> {
            changes.push(new Made(key, back, settled));
            change.make();
        });
    }

    private void alone(Change change) throws Exception {
        changing.lock();
        try {
            if (closed) throw Problem.failed("interrupted", "run again");
            change.make();
        } finally {
            changing.unlock();
        }
    }

    /** Puts a manifest of the first cluster back as it was before. */
    void restore(String path) throws Exception { restore(home.kube(), path); }

    /** Puts back what was scaled in a cluster, or applied there, and waits until it is. */
    void restore(Kube kube, String what) throws Exception {
        List<Made> own = changes.stream().filter(c -> c.key.equals(key(kube, what))).toList();
        for (Made made : own) alone(() -> undo(made));
        for (Made made : own) made.settled.make();
    }

    /** Tells what happens, while it happens. */
    void log(String text) { console.info("  %5.1f s  %s".formatted((System.nanoTime() - start) / 1e9, text)); }

    /** Notes what was seen, for the result. */
    void observe(String text) {
        log(text);
        observations.add(text);
    }

    /** Notes why the experiment is not run. */
    void skip(String reason) {
        skipped = true;
        observe("skipped: " + reason);
    }

    void metric(String name, Number value) { metrics.put(name, value); }

    /** Notes what should hold; the experiment goes on either way. */
    void expect(boolean holds, String otherwise) { if (!holds) failures.add(otherwise); }

    private void undo(Made made) throws Exception {
        made.back.make();
        changes.remove(made);
    }

    /** Undoes every change that is left, last first; one that cannot be undone does not keep the others. */
    private void undoAll() {
        for (Made made : changes) {
            try {
                undo(made);
            } catch (Throwable e) {
                failures.add("not restored: " + Check.message(e));
                console.problem("restoring " + made.key, e);
            }
        }
    }

    /** Puts everything back. */
    @Override public void close() {
        traffics.forEach(Traffic::close);
        changing.lock();
        try {
            closed = true;
            undoAll();
        } finally {
            changing.unlock();
        }
    }

    /**
     * The same on Ctrl-C, from another thread: does not wait for what the experiment waits for. No change is made after it.
     *
     * @return whether everything is restored
     */
    boolean restoreAll() {
        closed = true;
        boolean alone = false;
        try {
            alone = changing.tryLock(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            undoAll();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (alone) changing.unlock();
            traffics.forEach(Traffic::close);
        }
        return changes.isEmpty();
    }

    /** What came of it; call it when everything is back. */
    ExperimentResult result(String name, String title) {
        Status held = skipped ? Status.SKIPPED : Status.PASSED;
        return new ExperimentResult(name, title, failures.isEmpty() ? held : Status.FAILED, List.copyOf(observations),
                List.copyOf(failures), metrics, traffics.stream().map(Traffic::result).toList(), (System.nanoTime() - start) / 1e9);
    }
}
