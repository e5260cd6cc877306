package lib.verify;

import module java.base;
import lib.cli.*;
import lib.istio.*;
import lib.kind.*;
import lib.ca.*;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;

/**
 * What is looked at before anything is made, side by side. Changes nothing. It takes as long as its slowest outside call may, such as 20
 * seconds for a registry that does not answer.
 */
public final class Preflight {
    static final String LAYER = "preflight";

    private final DemoOptions settings;
    private final Docker docker;
    private final Istioctl istioctl;
    private final boolean force;

    /** @param force whether the mesh may go over another Istio, in clusters that are there already */
    public Preflight(DemoOptions settings, Docker docker, Istioctl istioctl, boolean force) {
        this.settings = settings;
        this.docker = docker;
        this.istioctl = istioctl;
        this.force = force;
    }

    public List<Check> checks(Mesh mesh, Images images) {
        return settings.existing() ? forExisting(mesh) : forNew(mesh, images);
    }

    /** What must hold before the mesh is put into clusters that are there already. */
    public List<Check> forExisting(Mesh mesh) {
        List<Check> checks = new ArrayList<>(List.of(istioctl(mesh)));
        for (Cluster cluster : mesh.clusters()) {
            Kube kube = new Kube(cluster, settings.console());
            checks.add(new Check("no-other-istio", "no other Istio is in the cluster", cluster.name(), Severity.FATAL, Duration.ZERO,
                    () -> new InstalledIstio(kube).noneButOurs(force)));
        }
        return checks;
    }

    private List<Check> forNew(Mesh mesh, Images images) {
        HostChecks host = new HostChecks(docker);
        Kind kind = new Kind(settings, docker);
        int count = mesh.clusters().size();
        List<Cluster> missing = mesh.clusters().stream().filter(c -> !settings.found().clusters().contains(c)).toList();
        Severity disk = missing.isEmpty() ? Severity.WARNING : Severity.FATAL;
        return List.of(
                check("engine", "the container engine answers, and is not too old", Severity.FATAL, host::engine),
                check("provider", "kind's provider is Docker", Severity.WARNING, host::provider),
                check("cgroups", "Kubernetes starts on this cgroup version", Severity.FATAL, () -> host.cgroups(settings.nodeImage(),
                        settings.manifests().read("kind/cluster.yaml").contains("failCgroupV1"))),
                check("memory", "the engine has memory for all clusters", Severity.WARNING, () -> host.memory(count)),
                check("disk", "the disk has room", disk, () -> host.disk(missing.size())),
                check("cache", "there is room for files", disk, () -> HostChecks.room(settings.home().cache())),
                check("inotify", "inotify's limits suffice", Severity.WARNING,
                        () -> host.inotify(mesh.clusters(), settings.workers())),
                check("ports", "the clusters' ports are free", Severity.FATAL,
                        () -> kind.ports(missing, docker.nodes())),
                check("docker-network", "the docker network has room for load balancers", Severity.FATAL, () -> host.network(mesh)),
                check("proxy", "a proxy is not for this machine", Severity.WARNING, host::proxy),
                check("names", "no other cluster has the names", Severity.FATAL, () -> names(mesh)),
                check("ca", "who is to sign can, and is the one that signs already", Severity.FATAL, this::authority),
                check("kubeconfig", "it can be read and written", Severity.FATAL, Kubeconfig.ofUser()::check),
                check("kind", "it is there and new enough", Severity.FATAL, () -> "v" + settings.kind().look()),
                istioctl(mesh),
                check("settings", "the clusters that are there are as asked for", Severity.FATAL, () -> kind.fits(mesh)),
                check("images", "the engine or a registry has every image", Severity.FATAL, images::check),
                check("upstream", "upstream's files are to be had", Severity.FATAL, new MetalLb(settings, docker)::checkUpstream));
    }

    private Check istioctl(Mesh mesh) {
        return check("istioctl", "it is there, of the right version, and takes what is set", Severity.FATAL, () -> istioctl.check(mesh));
    }

    private static Check check(String id, String title, Severity severity, Check.Probe probe) {
        return new Check(id, title, "", severity, Duration.ZERO, probe);
    }

    /** Looks at everything side by side. */
    public List<CheckResult> look(Mesh mesh, Images images) throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.invokeAll(checks(mesh, images).stream().<Callable<CheckResult>>map(c -> () -> c.find(LAYER)).toList())
                    .stream().map(Future::resultNow).toList();
        }
    }

    /** The same, telling only what is not as it should be; a {@link Problem} when the demo cannot be made. */
    public void run(Mesh mesh, Images images) throws InterruptedException {
        // a refusal leaves no files: where there is no folder yet the lock waits until all has been looked at
        if (Files.exists(settings.home().state())) settings.home().lock("KindDemo");
        List<CheckResult> findings = look(mesh, images);
        for (CheckResult f : findings) {
            if (f.status() != Status.WARNING) continue;
            settings.console().warn(f.saw());
            settings.console().hint("→ " + f.hint());
        }
        List<Problem> problems = findings.stream().filter(f -> f.status() == Status.FAILED).map(f -> Problem.unfit(f.saw(), f.hint()))
                .toList();
        if (problems.isEmpty()) return;
        problems.subList(0, problems.size() - 1).forEach(p -> settings.console().problem("", p));
        throw problems.getLast();
    }

    private String authority() {
        settings.remembered().authority().filter(inPlace -> inPlace != settings.ca()).ifPresent(inPlace -> {
            throw Problem.unfit("the demo was made with --ca %s, and a running mesh cannot change its root".formatted(inPlace),
                    "leave --ca %s out, or start from scratch: %s".formatted(settings.ca(),
                            settings.commands().fromScratch("--ca", "" + settings.ca())));
        });
        return CertificateAuthority.of(settings, docker).check();
    }

    private String names(Mesh mesh) {
        settings.found().foreign().stream().filter(mesh.clusters()::contains).findFirst().ifPresent(taken -> {
            throw Problem.unfit("a kind cluster named %s exists and was not made by this demo; it stays untouched".formatted(taken),
                    "choose other names (%s), or remove it: kind delete cluster --name %s".formatted(settings.anotherDemo(),
                            taken));
        });
        List<Cluster> ours = settings.found().clusters();
        return "%s, of which %s".formatted(mesh.clusters(), ours.isEmpty() ? "none is there" : ours + " are there");
    }
}
