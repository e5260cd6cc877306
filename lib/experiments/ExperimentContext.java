package lib.experiments;

import module java.base;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.observe.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.apps.Deployment;

/**
 * The state of one experiment: what it changed, sent and observed. Each change is recorded before it is made. All are
 * undone, the last first, when the experiment ends: also when it fails, and on Ctrl-C ({@link #restoreAll}).
 */
final class ExperimentContext implements AutoCloseable {
    private static final String LOCALITY = "locality rule";
    private final List<Kube> kubes;
    private final ClientPod client;
    private final Manifests manifests;
    private final DataPlane dataPlane;
    private final Docker docker;
    private final Optional<MeshMetrics> meshMetrics;
    private final Console console;
    private final Changes changes;
    private final List<Traffic> traffics = new CopyOnWriteArrayList<>();
    private final List<String> observations = new ArrayList<>(), failures = new CopyOnWriteArrayList<>();
    private final Map<String, Number> metrics = new LinkedHashMap<>();
    private final long start = System.nanoTime();
    private final Instant started = Instant.now();
    private List<ExperimentResult.Edge> edges = List.of();
    private boolean skipped;

    /**
     * @param kubes      the clusters; the client of the first one sends the requests
     * @param prometheus that has the metrics of the mesh, if it is installed
     */
    ExperimentContext(List<Kube> kubes, SampleTarget app, Manifests manifests, DataPlane dataPlane, Docker docker,
            Optional<Prometheus> prometheus, Console console) {
        this.kubes = kubes;
        this.client = new ClientPod(kubes.getFirst(), app);
        this.manifests = manifests;
        this.dataPlane = dataPlane;
        this.docker = docker;
        this.meshMetrics = prometheus.map(p -> new MeshMetrics(p, kubes, dataPlane));
        this.console = console;
        this.changes = new Changes(console, failures::add);
    }

    ClientPod client() { return client; }

    SampleTarget app() { return client.app(); }

    Docker docker() { return docker; }

    Manifests manifests() { return manifests; }

    DataPlane dataPlane() { return dataPlane; }

    Kube first() { return kubes.getFirst(); }

    Kube last() { return kubes.getLast(); }

    /** The names of the clusters without the first. */
    Set<String> others() { return names(kubes.subList(1, kubes.size())); }

    Set<String> all() { return names(kubes); }

    private static Set<String> names(List<Kube> kubes) {
        return kubes.stream().map(kube -> kube.cluster().name()).collect(Collectors.toSet());
    }

    /** Starts requests from the client of the first cluster. */
    Traffic traffic() { return opened(Traffic.fromClient(client, this::log, this::clusterOfPod, Traffic.MOST)); }

    /** Starts requests from this machine. */
    Traffic traffic(URI uri) { return opened(Traffic.fromHost(uri, this::log, this::clusterOfPod)); }

    private Traffic opened(Traffic traffic) {
        traffics.add(traffic);
        return traffic;
    }

    private Map<String, String> clusterOfPod() { return new TrafficChecks(kubes, app()).clusterOfPod(); }

    /** Scales deployments with this label {@code app} to zero; returns when their pods are gone or terminating. */
    void scaleToZero(Kube kube, String namespace, String label) throws Exception {
        var deployments = kube.client().apps().deployments().inNamespace(namespace).withLabel("app", label);
        for (Deployment deployment : deployments.list().getItems()) {
            var resource = kube.client().resource(deployment);
            int replicas = deployment.getSpec().getReplicas();
            change(key(kube, label), () -> resource.scale(0), () -> resource.scale(replicas), () ->
                    new Deployments(kube, namespace).await(List.of(deployment), Duration.ofMinutes(2), _ -> {}));
        }
        var pods = kube.client().pods().inNamespace(namespace).withLabel("app", label);
        kube.await("the pods of %s to terminate".formatted(label), Duration.ofMinutes(1), pods, all -> {
            boolean terminating = all.stream().allMatch(pod -> pod.getMetadata().getDeletionTimestamp() != null);
            return terminating ? "" : all.size() + " pods";
        }, _ -> {});
    }

    /** Deletes the ztunnel pod on the client's node, and waits until its successor is ready. */
    void restartZtunnel() throws Exception {
        Pod old = Ztunnel.pod(first(), client.client().getSpec().getNodeName());
        changes.locked(() -> first().client().resource(old).delete());
        var pods = first().client().pods().inNamespace(Mesh.NAMESPACE).withLabel("app", InstalledIstio.ZTUNNEL);
        first().await("the new ztunnel", Duration.ofMinutes(2), pods, all -> {
            boolean ready = all.stream().filter(Pods::isReady)
                    .anyMatch(pod -> pod.getSpec().getNodeName().equals(old.getSpec().getNodeName())
                            && !pod.getMetadata().getUid().equals(old.getMetadata().getUid()));
            return ready ? "" : "not ready";
        }, _ -> {});
    }

    /** Applies a manifest in the first cluster. */
    void apply(String path, Map<String, String> values) throws Exception {
        for (GenericKubernetesResource resource : YamlDocuments.parse(manifests.filled(path, values)))
            replace(path, resource, Optional.of(resource));
    }

    /** Adds the locality rule to the first cluster if it is missing, or removes it. */
    void locality(boolean on) throws Exception {
        Locality rule = new Locality(manifests, dataPlane);
        boolean before = Locality.isSet(first(), app(), dataPlane);
        if (on == before) return;
        if (dataPlane == DataPlane.ambient) {
            change(key(first(), LOCALITY), () -> rule.set(first(), app(), on), () -> rule.set(first(), app(), before),
                    () -> {});
            return;
        }
        for (GenericKubernetesResource resource : rule.rule())
            replace(LOCALITY, resource, on ? Optional.of(resource) : Optional.empty());
    }

    /** Undoes the last change of the locality rule. */
    void restoreLocality() throws Exception { changes.undoLast(key(first(), LOCALITY)); }

    private void replace(String path, GenericKubernetesResource resource, Optional<GenericKubernetesResource> after)
            throws Exception {
        Optional<GenericKubernetesResource> before = existing(resource);
        change(key(first(), path), () -> set(resource, after), () -> set(resource, before), () -> {});
    }

    private void set(GenericKubernetesResource resource, Optional<GenericKubernetesResource> content) {
        if (content.isPresent()) first().apply(List.of(content.get()));
        else first().remove(resource);
    }

    /** The resource as it is in the first cluster, without what the API server added. */
    private Optional<GenericKubernetesResource> existing(GenericKubernetesResource resource) {
        GenericKubernetesResource existing = first().client().resource(resource).get();
        if (existing == null) return Optional.empty();
        var meta = existing.getMetadata();
        existing.setMetadata(new ObjectMetaBuilder().withName(meta.getName()).withNamespace(meta.getNamespace())
                .withLabels(meta.getLabels()).withAnnotations(meta.getAnnotations()).build());
        existing.getAdditionalProperties().remove("status");
        return Optional.of(existing);
    }

    private static String key(Kube kube, String object) { return kube.cluster() + " " + object; }

    /** Makes a change and records how to undo it. */
    void change(String key, Changes.Operation make, Changes.Operation undo, Changes.Operation await) throws Exception {
        changes.make(key, make, undo, await);
    }

    /** Undoes the changes of a manifest in the first cluster. */
    void restore(String path) throws Exception { restore(first(), path); }

    /** Undoes the changes of a manifest or a label {@code app} in a cluster, and waits until the mesh is as before. */
    void restore(Kube kube, String object) throws Exception { changes.undo(key(kube, object)); }

    @Override public void close() {
        traffics.forEach(Traffic::close);
        changes.close();
    }

    /**
     * Undoes everything on Ctrl-C, from another thread and without waiting for what the experiment waits for. The
     * experiment cannot change anything afterwards.
     *
     * @return whether everything is restored
     */
    boolean restoreAll() {
        boolean restored = changes.interrupt();
        traffics.forEach(Traffic::close);
        return restored;
    }

    /** Prints what happens, with the time since the start. */
    void log(String text) { console.info("  %5.1f s  %s".formatted((System.nanoTime() - start) / 1e9, text)); }

    void observe(String text) {
        log(text);
        observations.add(text);
    }

    void skip(String reason) {
        skipped = true;
        observe("skipped: " + reason);
    }

    /**
     * Waits until the metrics show requests from the first cluster to others, or no longer show any, and records how
     * long that took. Does nothing without Prometheus.
     *
     * @param leaving whether requests leave the cluster now
     * @param since   when that began, on the clock of {@code traffic}
     */
    void awaitMetrics(Traffic traffic, boolean leaving, double since) throws IOException {
        if (meshMetrics.isEmpty()) return;
        Cluster cluster = first().cluster();
        Duration limit = Duration.ofSeconds(90), pause = Duration.ofSeconds(1);
        Await.until("the metrics of " + cluster, limit, pause, _ -> {}, () -> {
            double rate = meshMetrics.get().leaving(cluster);
            return rate > 0 == leaving ? "" : "%.1f requests per second to other clusters".formatted(rate);
        });
        double seconds = traffic.now() - since;
        metric(leaving ? "metricsAppearSeconds" : "metricsDisappearSeconds", Traffic.round(seconds));
        observe("metrics: requests from %s to other clusters %s after %.1f s".formatted(cluster,
                leaving ? "appear" : "disappear", seconds));
    }

    void metric(String name, Number value) { metrics.put(name, value); }

    /** Records a failure if something does not hold; the experiment continues. */
    void expect(boolean holds, String failure) { if (!holds) failures.add(failure); }

    /** Reads the requests between the clusters from Prometheus, if it is installed. */
    void readEdges() { if (!skipped) meshMetrics.ifPresent(m -> edges = m.edges(started)); }

    /** The result, after everything is restored. */
    ExperimentResult result(String name, String title) {
        Status ended = skipped ? Status.SKIPPED : Status.PASSED;
        return new ExperimentResult(name, title, failures.isEmpty() ? ended : Status.FAILED, List.copyOf(observations),
                List.copyOf(failures), metrics, (System.nanoTime() - start) / 1e9,
                traffics.stream().map(Traffic::result).toList(), edges);
    }
}
