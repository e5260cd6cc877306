package lib.verify;

import module java.base;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;

/**
 * What is looked at before anything is made, side by side. Changes nothing. It takes as long as its slowest outside call may, such as 20
 * seconds for a registry that does not answer.
 */
public final class Preflight {
    static final String LAYER = "preflight";
    private static final long CACHE_BYTES = 1L << 30;

    private final List<Check> checks;
    private final AppDirs dirs;
    private final Console console;

    public Preflight(List<Check> checks, AppDirs dirs, Console console) {
        this.checks = checks;
        this.dirs = dirs;
        this.console = console;
    }

    /**
     * What must hold before the mesh is installed into existing clusters.
     *
     * @param force whether another Istio may be replaced
     */
    public static List<Check> forExistingClusters(Mesh mesh, Istioctl istioctl, boolean force, Console console) {
        List<Check> checks = new ArrayList<>(List.of(istioctl(mesh, istioctl)));
        for (Cluster cluster : mesh.clusters()) {
            Kube kube = new Kube(cluster, console);
            checks.add(new Check("no-other-istio", "no other Istio is in the cluster", cluster.name(), Severity.FATAL, Duration.ZERO,
                    () -> new InstalledIstio(kube).checkOwnership(force)));
        }
        return checks;
    }

    /**
     * What must hold before clusters are created.
     *
     * @param authority checks the certificate authority
     * @param cache     the folder for downloads
     */
    public static List<Check> forNewClusters(Mesh mesh, HostChecks host, KindChecks kind, Images images, Istioctl istioctl, MetalLb metalLb,
            Check.Probe authority, Path cache) {
        List<Cluster> missing = kind.missing(mesh);
        Severity disk = missing.isEmpty() ? Severity.WARNING : Severity.FATAL;
        return List.of(
                check("docker", "Docker answers, and is new enough", Severity.FATAL, host::engine),
                check("provider", "kind's provider is Docker", Severity.WARNING, host::provider),
                check("cgroups", "Kubernetes starts on this cgroup version", Severity.FATAL,
                        () -> host.cgroups(images.nodeBase(), kind.allowsCgroupV1())),
                check("memory", "Docker has memory for all clusters", Severity.WARNING, () -> host.memory(mesh.clusters().size())),
                check("disk", "the disk has room", disk, () -> host.disk(missing.size())),
                check("cache", "the disk has room for downloads", disk, () -> Machine.requireSpace(cache, CACHE_BYTES)),
                check("inotify", "the inotify limits suffice", Severity.WARNING, () -> host.inotify(mesh.clusters(), kind.wanted().workers())),
                check("ports", "the clusters' ports are free", Severity.FATAL, () -> kind.ports(missing)),
                check("network", "the Docker network has room for load balancers", Severity.FATAL, () -> host.network(mesh)),
                check("proxy", "no proxy is used for this machine", Severity.WARNING, host::proxy),
                check("cluster-names", "no other cluster has the names", Severity.FATAL, () -> kind.checkNames(mesh)),
                check("ca", "the certificate authority is available, and the one in use", Severity.FATAL, authority),
                check("kubeconfig", "the kubeconfig can be read and written", Severity.FATAL, Kubeconfig.ofUser()::check),
                check("kind", "kind is available and new enough", Severity.FATAL, () -> "v" + kind.version()),
                istioctl(mesh, istioctl),
                check("existing-clusters", "the existing clusters fit the options", Severity.FATAL, () -> kind.checkExisting(mesh)),
                check("images", "Docker or a registry has every image", Severity.FATAL, images::check),
                check("metallb-manifest", "MetalLB's manifest is available", Severity.FATAL, metalLb::checkManifest));
    }

    private static Check istioctl(Mesh mesh, Istioctl istioctl) {
        return check("istioctl", "istioctl is available, and accepts the settings", Severity.FATAL, () -> istioctl.check(mesh));
    }

    private static Check check(String id, String title, Severity severity, Check.Probe probe) {
        return new Check(id, title, "", severity, Duration.ZERO, probe);
    }

    public List<String> ids() { return checks.stream().map(Check::id).toList(); }

    /** Runs all checks side by side. */
    public List<CheckResult> run() throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.invokeAll(checks.stream().<Callable<CheckResult>>map(c -> () -> c.run(LAYER)).toList())
                    .stream().map(Future::resultNow).toList();
        }
    }

    /** The same, reporting only what is not in order; a {@link Problem} when a prerequisite is not met. */
    public void require() throws InterruptedException {
        // a refusal leaves no files: without a state folder the lock waits until all checks have passed
        if (Files.exists(dirs.state())) dirs.lock("KindDemo");
        List<CheckResult> results = run();
        for (CheckResult result : results) {
            if (result.status() != Status.WARNING) continue;
            console.warn(result.message());
            console.hint("→ " + result.hint());
        }
        List<Problem> problems = results.stream().filter(r -> r.status() == Status.FAILED).map(r -> Problem.unmet(r.message(), r.hint()))
                .toList();
        if (problems.isEmpty()) return;
        problems.subList(0, problems.size() - 1).forEach(p -> console.problem("", p));
        throw problems.getLast();
    }
}
