package lib;

import module java.base;
import lib.Check.Finding;
import lib.Check.Status;

/** What is looked at before anything is made. Changes nothing, and is over in three seconds. */
public final class Preflight {
    static final String LAYER = "preflight";

    private final Settings settings;
    private final Docker docker;

    public Preflight(Settings settings, Docker docker) {
        this.settings = settings;
        this.docker = docker;
    }

    List<Check> checks(Mesh mesh, Images images) {
        Host host = new Host(docker);
        Kind kind = new Kind(settings, docker);
        int count = mesh.clusters().size();
        List<Cluster> missing = mesh.clusters().stream().filter(c -> !settings.found().contains(c)).toList();
        return List.of(
                new Check("engine", "", true, host::engine),
                new Check("cgroups", "", true, () -> host.cgroups(settings.nodeImage(), settings.manifests().read("kind/cluster.yaml")
                        .contains("failCgroupV1"))),
                new Check("memory", "", false, () -> host.memory(count)),
                new Check("disk", "", !missing.isEmpty(), () -> host.disk(missing.size())),
                new Check("cache", "", !missing.isEmpty(), () -> Host.room(settings.home().cache())),
                new Check("inotify", "", false, () -> host.inotify(count)),
                new Check("ports", "", true, () -> Host.ports(missing)),
                new Check("docker-network", "", true, () -> host.network(mesh)),
                new Check("proxy", "", false, host::proxy),
                new Check("names", "", true, () -> names(mesh)),
                new Check("kubeconfig", "", true, Kubeconfig.ofUser()::check),
                new Check("kind", "", true, kind::version),
                new Check("istioctl", "", true, new Istioctl(settings, docker)::version),
                new Check("settings", "", true, () -> kind.fits(mesh)),
                new Check("images", "", true, images::check),
                new Check("upstream", "", true, new MetalLb(settings, docker)::checkUpstream));
    }

    /** Looks at everything side by side. */
    public List<Finding> look(Mesh mesh, Images images) throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.invokeAll(checks(mesh, images).stream().<Callable<Finding>>map(c -> () -> c.find(LAYER, Duration.ZERO)).toList())
                    .stream().map(Future::resultNow).toList();
        }
    }

    /** The same, telling only what is not as it should be; a {@link Problem} when the demo cannot be made. */
    public void run(Mesh mesh, Images images) throws InterruptedException {
        // a refusal leaves no files: where there is no folder yet the lock waits until all has been looked at
        if (Files.exists(settings.home().state())) settings.home().lock("KindDemo");
        List<Finding> findings = look(mesh, images);
        for (Finding f : findings) {
            if (f.status() != Status.WARNING) continue;
            settings.console().warn(f.saw());
            settings.console().hint("→ " + f.hint());
        }
        List<Problem> problems = findings.stream().filter(f -> f.status() == Status.FAILED).map(f -> Problem.unfit(f.saw(), f.hint())).toList();
        if (problems.isEmpty()) return;
        problems.subList(0, problems.size() - 1).forEach(p -> settings.console().problem("", p));
        throw problems.getLast();
    }

    private String names(Mesh mesh) {
        List<Docker.Node> nodes = docker.nodes();
        for (Cluster cluster : mesh.clusters()) {
            if (nodes.stream().anyMatch(n -> n.cluster().equals(cluster.name()) && !n.ours()))
                throw Problem.unfit("a kind cluster named %s exists and was not made by this demo; it stays untouched".formatted(cluster),
                        "choose other names (--name-prefix demo), or remove it: kind delete cluster --name " + cluster);
        }
        return "%s, of which %s".formatted(mesh.clusters(), settings.found().isEmpty() ? "none is there" : settings.found() + " are there");
    }
}
