package lib.verify;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.observe.*;
import lib.preflight.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;

/** The checks of a mesh in layers: each layer needs those before it. */
public final class Checks {
    /** How long an attempt may take beyond the deadline; external calls have shorter limits of their own. */
    private static final Duration GRACE = Duration.ofSeconds(25);

    private interface ClusterAttempt {
        String run(Kube kube) throws Exception;
    }

    private final List<Kube> kubes;
    private final ClusterAttempt endpoints;
    private final boolean isAmbient;
    private final Duration wait;
    private final Map<String, List<Check>> layers = new LinkedHashMap<>();

    /**
     * @param observed whether the mesh has the demo's Prometheus and Kiali
     * @param wait     how long every failing check is repeated; null for each check's own deadline
     */
    public Checks(List<Kube> kubes, SampleTarget app, DataPlane dataPlane, boolean observed, Docker docker,
            Binary kind, Istioctl istioctl, Duration wait) {
        this.kubes = kubes;
        this.wait = wait;
        var traffic = new TrafficChecks(kubes, app);
        var host = new HostChecks(docker, dataPlane);
        var cluster = new ClusterChecks(kubes, app, docker, kind, istioctl);
        var trust = new TrustChecks(kubes, app);
        var mesh = new MeshChecks(kubes, app, istioctl);
        var ambient = new AmbientChecks(kubes, app, istioctl);
        isAmbient = dataPlane == DataPlane.ambient;
        endpoints = isAmbient ? ambient::endpoints : traffic::endpoints;
        boolean own = kubes.stream().allMatch(kube -> kube.cluster().isKind());
        // in existing clusters the mesh may use a part that works
        Severity severity = own ? Severity.FATAL : Severity.WARNING;
        if (own) layer("host", one("docker", "Docker is running and supported", 0, Severity.FATAL, host::docker),
                one("disk", "Docker's disk has free space", 0, Severity.WARNING, () -> host.disk(0)),
                one("inotify", "the limit of inotify instances is high enough", 0, Severity.WARNING,
                        () -> host.inotify(kubes.stream().map(Kube::cluster).toList(), 0)),
                one("tools", "kind and istioctl have suitable versions", 0, Severity.WARNING, cluster::tools));
        layer("clusters", each("reachable", "the node is running and the API server answers", 2, cluster::reachable));
        layer("nodes", each("nodes-ready", "every node is Ready", 20, severity, cluster::nodesReady),
                each("system-pods", "the pods of kube-system are ready", 20, severity, cluster::systemPods),
                each("dns", "the cluster's DNS answers a pod", 10, cluster::dns),
                each("remote-address", "the other clusters have the current address of the API server", 5,
                        cluster::remoteAddress));
        layer("load balancer", each("metallb-ready", "the pods of MetalLB are ready", 20, cluster::metalLbReady),
                each("addresses", "every gateway has an address from its cluster's own range", 20, cluster::addresses));
        if (isAmbient) layer("data plane",
                each("cni-ready", "istio-cni is ready on every node", 20, ambient::cniReady),
                each("ztunnel-ready", "ztunnel is ready on every node", 20, ambient::ztunnelReady),
                each("enrolled", "the pods of the application are part of the mesh", 20, ambient::enrolled));
        layer("trust", one("same-root", "the workloads of all clusters trust one root CA", 5, Severity.FATAL,
                        trust::sameRoot),
                each("intermediate", "the intermediate CA chains to that root and is valid for another day", 2,
                        trust::intermediate),
                each("identity", "the client has its SPIFFE identity, issued under that root", 10,
                        isAmbient ? ambient::identity : trust::identity));
        layer("control plane", each("istiod-ready", "istiod and the gateways are available", 20, mesh::istiodReady),
                isAmbient ? List.of() : each("webhooks", "the injection webhook has its CA bundle", 10, mesh::webhooks),
                !isAmbient ? List.of() : each("gateway-classes", "istiod's gateway classes are accepted", 20,
                        ambient::gatewayClasses),
                !isAmbient ? List.of() : each("multi-network", "istiod uses endpoints on other networks", 0,
                        ambient::multiNetwork),
                !isAmbient ? List.of() : each("waypoint", "the service's waypoint is ready, and used in every cluster",
                        20, ambient::waypoint),
                each("network-label", "istio-system is labelled with the cluster's network", 2, mesh::networkLabel),
                each("remote-clusters-synced", "istiod is synced with every cluster", 20, mesh::remoteClusters),
                each("proxies", "istiod is connected to the client's data plane, and nothing is stale", 20,
                        isAmbient ? ambient::proxies : mesh::proxies),
                each("versions", "the versions of Istio and Kubernetes are compatible", 0, Severity.WARNING,
                        mesh::versions));
        int port = isAmbient ? 15008 : 15443;
        layer("east-west",
                each("gateway-ready", "the east-west gateway is running and has an address", 20,
                        isAmbient ? ambient::eastWestReady : mesh::eastWestReady),
                each("gateway-reachable", "port %d of the gateway accepts connections from every other cluster"
                        .formatted(port), 20, kube -> mesh.eastWestReachable(kube, port)));
        layer("endpoints", each("app-ready", "the application is available", 20, traffic::appReady),
                isAmbient ? each("global-service", "the service is known to the other clusters", 5, severity,
                        ambient::globalService) : List.of(),
                each("endpoints", "the client has all endpoints of its network and of the other networks' gateways", 20,
                        endpoints));
        layer("traffic", each("responding-clusters", "live requests are answered by the expected clusters", 20,
                        kube -> traffic.respondingClusters(kube, dataPlane)),
                each("strict", "a workload rejects plaintext from outside the mesh", 10, severity, trust::strict),
                each("peer-identity", "a workload presents its SPIFFE identity and requires a client certificate", 10,
                        severity, isAmbient ? trust::hboneIdentity : trust::peerIdentity));
        if (observed)
            observability(new ObservabilityChecks(kubes, dataPlane, new RemoteSecrets(istioctl, docker), docker));
    }

    private void observability(ObservabilityChecks observe) {
        layer("observability", first("prometheus-ready", "Prometheus is ready", 20, Severity.FATAL,
                        observe::prometheusReady),
                first("kiali-ready", "Kiali is ready", 20, Severity.FATAL, observe::kialiReady),
                first("page", "Kiali's page opens on this machine", 10, Severity.FATAL, observe::page),
                each("observer-access", "Prometheus and Kiali can read the cluster", 5, observe::observerAccess),
                each("scraped", "Prometheus reads every pod that offers metrics", 30, observe::scraped),
                first("once", "Prometheus reads no pod for two clusters", 5, Severity.FATAL, observe::once),
                first("kiali-clusters", "the metrics and Kiali have all clusters by their IDs", 30, Severity.FATAL,
                        observe::kialiClusters),
                first("both-reporters", "both ends report the requests of the mesh", 40, Severity.FATAL,
                        observe::bothReporters),
                first("unknown-source", "the source of all requests is known", 0, Severity.WARNING,
                        observe::unknownSource),
                first("passthrough", "no request goes to an unknown host", 0, Severity.WARNING, observe::passthrough));
    }

    private List<Check> first(String id, String title, int seconds, Severity severity, ClusterAttempt attempt) {
        Kube first = Observability.home(kubes);
        return List.of(new Check(id, title, first.cluster().name(), severity, deadline(seconds),
                () -> attempt.run(first)));
    }

    @SafeVarargs private void layer(String name, List<Check>... checks) {
        layers.put(name, Arrays.stream(checks).flatMap(List::stream).toList());
    }

    private List<Check> one(String id, String title, int seconds, Severity severity, Check.Attempt attempt) {
        return List.of(new Check(id, title, "", severity, deadline(seconds), attempt));
    }

    private List<Check> each(String id, String title, int seconds, ClusterAttempt attempt) {
        return each(id, title, seconds, Severity.FATAL, attempt);
    }

    private List<Check> each(String id, String title, int seconds, Severity severity, ClusterAttempt attempt) {
        return kubes.stream().map(kube -> new Check(id, title, kube.cluster().name(), severity, deadline(seconds),
                () -> attempt.run(kube))).toList();
    }

    private Duration deadline(int seconds) { return seconds == 0 || wait == null ? Duration.ofSeconds(seconds) : wait; }

    public Set<String> ids() {
        return layers.values().stream().flatMap(List::stream).map(Check::id)
                .collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /**
     * Runs one layer after the other, and the checks of a layer side by side. After a failed layer the rest is skipped.
     *
     * @param listener gets the name and the results of each layer as soon as it has ended
     */
    public List<CheckResult> run(BiConsumer<String, List<CheckResult>> listener) throws InterruptedException {
        List<CheckResult> all = new ArrayList<>();
        for (var layer : layers.entrySet()) {
            String name = layer.getKey();
            boolean failed = all.stream().anyMatch(result -> result.status() == Status.FAILED);
            List<CheckResult> results = failed ? layer.getValue().stream().map(check -> check.skipped(name)).toList()
                    : run(name, layer.getValue());
            all.addAll(results);
            listener.accept(name, results);
        }
        return all;
    }

    private static List<CheckResult> run(String layer, List<Check> checks) throws InterruptedException {
        long start = System.nanoTime();
        Duration limit = checks.stream().map(Check::deadline).max(Comparator.naturalOrder()).orElseThrow().plus(GRACE);
        var tasks = checks.stream().<Callable<CheckResult>>map(check -> () -> check.run(layer)).toList();
        List<CheckResult> results = new ArrayList<>();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        try {
            List<Future<CheckResult>> ended = threads.invokeAll(tasks, limit.toMillis(), TimeUnit.MILLISECONDS);
            for (int i = 0; i < checks.size(); i++) {
                boolean inTime = ended.get(i).state() == Future.State.SUCCESS;
                results.add(inTime ? ended.get(i).resultNow() : checks.get(i).timedOut(layer, start));
            }
        } finally {
            threads.shutdownNow(); // close() would wait for a check that hangs
        }
        return results;
    }

    /** Waits until the client in a cluster has the endpoints of all clusters. */
    public Action awaitEndpoints(Kube kube) {
        String context = kube.cluster().quotedContext();
        String gateway = isAmbient ? "SplitHorizonWorkload.*helloworld" : ":15443";
        String list = isAmbient ? "ztunnel-config workloads --context %s --workload-namespace sample"
                : "proxy-config endpoints --context %s deploy/sleep -n sample | grep helloworld";
        String shell = """
                endpoints() { istioctl %s; }
                all_clusters() { [ "$(endpoints | grep -c '%s')" -ge %d ]; }
                retry all_clusters
                endpoints""".formatted(list.formatted(context), gateway, kubes.size() - 1);
        Await.Missing missing = () -> {
            try {
                endpoints.run(kube);
                return "";
            } catch (Problem p) {
                return p.getMessage();
            } catch (Exception e) {
                throw e instanceof IOException io ? io : new IOException(e);
            }
        };
        return new Action(shell, progress -> Await.until(kube.cluster() + ": endpoints", Duration.ofMinutes(2),
                Duration.ofMillis(300), progress, missing));
    }
}
