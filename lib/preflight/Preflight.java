package lib.preflight;

import module java.base;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.kubeconfig.*;
import lib.report.*;
import lib.run.*;

/**
 * The checks before KindDemo creates anything. They run side by side and change nothing. They take up to 20 seconds, if
 * a registry does not answer.
 */
public record Preflight(List<Check> checks, AppDirs dirs, Console console) {
    static final String LAYER = "preflight";
    private static final long CACHE_BYTES = 1L << 30;

    /** @param force whether an Istio that the demo did not install may be replaced */
    public static List<Check> forExistingClusters(Mesh mesh, Istioctl istioctl, GatewayApi gatewayApi, boolean force,
            Console console) {
        List<Check> checks = new ArrayList<>(List.of(istioctl(mesh, istioctl)));
        for (Cluster cluster : mesh.clusters()) {
            Kube kube = new Kube(cluster, console);
            InstalledIstio istio = new InstalledIstio(kube);
            checks.add(new Check("no-other-istio", "the cluster has no other Istio than the demo's", cluster.name(),
                    Severity.FATAL, Duration.ZERO, () -> {
                        String found = istio.checkOwnership(force);
                        // another set of contexts may have installed it: clusters of a mesh have one data plane
                        if (!force) istioctl.requireDataPlane(istio.dataPlane());
                        return found;
                    }));
            if (istioctl.dataPlane() == DataPlane.ambient)
                checks.add(new Check("gateway-api", "the CRDs of the Gateway API are new enough", cluster.name(),
                        Severity.FATAL, Duration.ZERO, () -> gatewayApi.checkExisting(kube)));
        }
        return checks;
    }

    /**
     * @param authority checks the certificate authority
     * @param cache     the folder for downloads
     */
    public static List<Check> forNewClusters(Mesh mesh, HostChecks host, KindChecks kind, Images images,
            Istioctl istioctl, MetalLb metalLb, GatewayApi gatewayApi, Check.Attempt authority, Path cache) {
        List<Cluster> missing = kind.missing(mesh);
        Severity disk = missing.isEmpty() ? Severity.WARNING : Severity.FATAL;
        List<Check> checks = new ArrayList<>(List.of(
                check("docker", "Docker is running and supported", host::docker),
                check("provider", "kind's provider is Docker", Severity.WARNING, host::provider),
                check("cgroups", "Kubernetes starts on this cgroup version",
                        () -> host.cgroups(images.nodeBase(), kind.allowsCgroupV1())),
                check("memory", "Docker has enough memory for all clusters", Severity.WARNING,
                        () -> host.memory(mesh.clusters().size())),
                check("disk", "Docker's disk has free space", disk, () -> host.disk(missing.size())),
                check("cache", "the disk has room for downloads", disk, () -> Machine.requireSpace(cache, CACHE_BYTES)),
                check("inotify", "the limit of inotify instances is high enough", Severity.WARNING,
                        () -> host.inotify(mesh.clusters(), kind.wanted().workers())),
                check("ports", "the ports of the new clusters are free", () -> kind.ports(missing)),
                check("network", "the Docker network has room for load balancers", () -> host.network(mesh)),
                check("proxy", "no proxy is used for this machine", Severity.WARNING, host::proxy),
                check("cluster-names", "no other cluster has one of the names", () -> kind.checkNames(mesh)),
                check("ca", "the certificate authority is available and is the one in use", authority),
                check("kubeconfig", "the kubeconfig can be read and written", Kubeconfig.ofUser()::check),
                check("kind", "kind is available and new enough", () -> "v" + kind.version()),
                istioctl(mesh, istioctl),
                check("existing-clusters", "the existing clusters match the options", () -> kind.checkExisting(mesh)),
                check("images", "Docker or a registry has every image", images::check),
                check("metallb-manifest", "MetalLB's manifest is available", metalLb::checkManifest)));
        if (istioctl.dataPlane() == DataPlane.ambient)
            checks.add(check("gateway-api", "the CRDs of the Gateway API are available", gatewayApi::checkManifests));
        return checks;
    }

    private static Check istioctl(Mesh mesh, Istioctl istioctl) {
        return check("istioctl", "istioctl is available and accepts the settings", () -> istioctl.check(mesh));
    }

    private static Check check(String id, String title, Check.Attempt attempt) {
        return check(id, title, Severity.FATAL, attempt);
    }

    private static Check check(String id, String title, Severity severity, Check.Attempt attempt) {
        return new Check(id, title, "", severity, Duration.ZERO, attempt);
    }

    public List<String> ids() { return checks.stream().map(Check::id).toList(); }

    public List<CheckResult> run() throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var tasks = checks.stream().<Callable<CheckResult>>map(check -> () -> check.run(LAYER)).toList();
            return threads.invokeAll(tasks).stream().map(Future::resultNow).toList();
        }
    }

    /** Runs the checks and prints only warnings and failures; a {@link Problem} if a prerequisite is not met. */
    public void require() throws InterruptedException {
        // a rejected run leaves no files: if there is no state folder yet, KindDemo takes the lock after the checks
        if (Files.exists(dirs.state())) dirs.lock("KindDemo");
        List<Problem> problems = new ArrayList<>();
        for (CheckResult result : run()) {
            if (result.status() == Status.WARNING) {
                console.warn(result.message());
                console.hint("→ " + result.hint());
            } else if (result.status() == Status.FAILED) {
                problems.add(Problem.unmet(result.message(), result.hint()));
            }
        }
        if (problems.isEmpty()) return;
        for (Problem problem : problems.subList(0, problems.size() - 1)) console.problem("", problem);
        throw problems.getLast();
    }
}
