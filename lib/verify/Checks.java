package lib.verify;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;

/** The checks of a mesh, layer by layer: each layer stands on those before it. */
public final class Checks {
    /** What a look may take beyond its check's deadline; outside calls within it have limits of their own. */
    private static final Duration GRACE = Duration.ofSeconds(25);

    private final List<Kube> kubes;
    private final TrafficChecks traffic;
    private final Map<String, List<Check>> layers = new LinkedHashMap<>();
    private final Duration wait;

    /** @param wait how long every check may go on failing; null for each check's own deadline */
    public Checks(List<Kube> kubes, SampleTarget app, Docker docker, Binary kind, Istioctl istioctl, Duration wait) {
        this.kubes = kubes;
        this.wait = wait;
        this.traffic = new TrafficChecks(kubes, app);
        var host = new HostChecks(docker);
        var platform = new ClusterChecks(kubes, app, docker, kind, istioctl);
        var trust = new TrustChecks(kubes, app);
        var mesh = new MeshChecks(kubes, app, istioctl);
        boolean ours = kubes.stream().allMatch(k -> k.cluster().isKind());
        if (ours) layer("host", one("engine", "the container engine answers", 0, Severity.FATAL, host::engine),
                one("disk", "the disk has room", 0, Severity.WARNING, () -> host.disk(0)),
                one("inotify", "inotify's limits suffice", 0, Severity.WARNING,
                        () -> host.inotify(kubes.stream().map(Kube::cluster).toList(), 0)),
                one("tools", "kind and istioctl fit", 0, Severity.WARNING, platform::tools));
        layer("clusters", each("reachable", "its node runs and its API server answers", 2, platform::reachable));
        // of others' clusters the mesh may well use a part that works
        Severity severity = ours ? Severity.FATAL : Severity.WARNING;
        layer("nodes", each("nodes-ready", "every node is Ready", 20, severity, platform::nodesReady),
                each("system-pods", "the pods of kube-system are ready", 20, severity, platform::systemPods),
                each("dns", "the cluster's own DNS answers", 10, platform::dns),
                each("remote-address", "the others know where its API server is", 5, platform::remoteAddress));
        layer("load balancer", each("metallb-ready", "MetalLB's pods are ready", 20, platform::metalLbReady),
                each("addresses", "every gateway has an address of the cluster's own range", 20, platform::addresses));
        layer("trust", one("same-root", "workloads of all clusters trust one root", 5, Severity.FATAL, trust::sameRoot),
                each("intermediate", "its intermediate chains to that root, and lives on for a day", 2, trust::intermediate),
                each("identity", "the client's proxy has its SPIFFE identity under that root", 10, trust::identity));
        layer("control plane", each("istiod-ready", "istiod and the gateways are available", 20, mesh::istiodReady),
                each("webhooks", "the injection webhook has its CA bundle", 10, mesh::webhooks),
                each("network-label", "the namespace of istiod names its network", 2, mesh::networkLabel),
                each("remote-clusters-synced", "istiod sees every cluster", 20, mesh::remoteClusters),
                each("proxies", "the proxies are connected to istiod, and not stale", 20, mesh::proxies),
                each("versions", "versions fit one another", 0, Severity.WARNING, mesh::versions));
        layer("east-west", each("gateway-ready", "the east-west gateway runs and has an address", 20, mesh::eastWestReady),
                each("gateway-reachable", "its port 15443 is reached from every other cluster", 20, mesh::eastWestReachable));
        layer("endpoints", each("app-ready", "the sample is available", 20, traffic::appReady),
                each("endpoints", "the client knows its own instances, and a gateway of each other network", 20, traffic::endpoints));
        layer("traffic", each("who-answers", "live requests are answered from where they should be", 20, traffic::whoAnswers),
                each("strict", "a workload refuses plaintext from outside the mesh", 10, severity, trust::strict),
                each("peer-identity", "the instance that answers proves its SPIFFE identity, and wants the caller's", 10,
                        severity, trust::peerIdentity));
    }

    @SafeVarargs private void layer(String name, List<Check>... checks) {
        layers.put(name, Arrays.stream(checks).flatMap(List::stream).toList());
    }

    private List<Check> one(String id, String title, int seconds, Severity severity, Check.Probe probe) {
        return List.of(new Check(id, title, "", severity, deadline(seconds), probe));
    }

    private Duration deadline(int seconds) { return wait == null ? Duration.ofSeconds(seconds) : seconds == 0 ? Duration.ZERO : wait; }

    private interface ClusterProbe {
        String run(Kube kube) throws Exception;
    }

    private List<Check> each(String id, String title, int seconds, ClusterProbe probe) { return each(id, title, seconds, Severity.FATAL, probe); }

    private List<Check> each(String id, String title, int seconds, Severity severity, ClusterProbe probe) {
        return kubes.stream().map(k -> new Check(id, title, k.cluster().name(), severity, deadline(seconds), () -> probe.run(k))).toList();
    }

    /** The IDs of all checks. */
    public Set<String> ids() {
        return layers.values().stream().flatMap(List::stream).map(Check::id).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /**
     * Goes through the layers, each one's checks side by side. A layer that fails makes those behind it skipped.
     *
     * @param listener told each layer's name and findings when they are there
     */
    public List<CheckResult> run(BiConsumer<String, List<CheckResult>> listener) throws InterruptedException {
        List<CheckResult> results = new ArrayList<>();
        for (var layer : layers.entrySet()) {
            boolean holds = results.stream().noneMatch(f -> f.status() == Status.FAILED);
            List<CheckResult> found = holds ? run(layer.getKey(), layer.getValue())
                    : layer.getValue().stream().map(check -> check.skipped(layer.getKey())).toList();
            results.addAll(found);
            listener.accept(layer.getKey(), found);
        }
        return results;
    }

    private static List<CheckResult> run(String layer, List<Check> checks) throws InterruptedException {
        long start = System.nanoTime();
        List<CheckResult> found = new ArrayList<>();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        try {
            Map<Check, Future<CheckResult>> runs = new LinkedHashMap<>();
            checks.forEach(check -> runs.put(check, threads.submit(() -> check.run(layer))));
            for (var run : runs.entrySet()) {
                long left = start + run.getKey().deadline().plus(GRACE).toNanos() - System.nanoTime();
                try {
                    found.add(run.getValue().get(Math.max(0, left), TimeUnit.NANOSECONDS));
                } catch (TimeoutException e) {
                    run.getValue().cancel(true);
                    found.add(run.getKey().timedOut(layer, start));
                } catch (ExecutionException e) {
                    throw new IllegalStateException(e.getCause());
                }
            }
        } finally {
            threads.shutdownNow(); // close() would wait for a check that hangs
        }
        return found;
    }

    /** Waits until the endpoints of all clusters are seen from this one. */
    public Action awaitEndpoints(Kube kube) {
        String toShell = """
                endpoints() { istioctl --context %s proxy-config endpoints deploy/sleep -n sample | grep helloworld; }
                all_clusters() { [ "$(endpoints | grep -c :15443)" -ge %d ]; }
                retry all_clusters
                endpoints""".formatted(kube.cluster().quotedContext(), kubes.size() - 1);
        return new Action(toShell, progress -> Await.until(kube.cluster() + ": endpoints", Duration.ofMinutes(2), Duration.ofMillis(300), progress,
                () -> {
            try {
                traffic.endpoints(kube);
                return "";
            } catch (Problem p) {
                return p.getMessage();
            }
        }));
    }
}
