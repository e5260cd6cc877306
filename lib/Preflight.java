package lib;

import module java.base;

/** What is looked at before anything is made. */
public final class Preflight {
    /** What a cluster needs: disk for its nodes, and for the images once. Estimates, on the safe side. */
    private static final long DISK_BASE = 3L << 30, DISK_PER_CLUSTER = 2L << 30, MEMORY_PER_CLUSTER = 1500L << 20;

    private final Settings settings;
    private final Docker docker;

    public Preflight(Settings settings, Docker docker) {
        this.settings = settings;
        this.docker = docker;
    }

    /**
     * Looks at everything side by side; says what could be better, and throws the first {@link Problem} after telling the others.
     *
     * @param checks what the other tools check of themselves
     */
    public void run(Mesh mesh, Images images, Runnable... checks) {
        // a refusal leaves no files: where there is no folder yet the lock waits until all has been looked at
        if (Files.exists(settings.home().state())) settings.home().lock("KindDemo");
        Docker.Engine engine = docker.engine();
        List<Docker.Node> nodes = docker.nodes();
        List<Runnable> all = new ArrayList<>(List.of(checks));
        all.add(() -> names(mesh, nodes));
        all.add(() -> ports(mesh, nodes));
        all.add(() -> disk(mesh, engine, nodes));
        all.add(() -> memory(mesh, engine));
        all.add(images::check);
        List<Problem> problems = new ArrayList<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<?> check : all.stream().map(threads::submit).toList()) {
                try {
                    check.get();
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof Problem p)) throw new IllegalStateException(e.getCause());
                    problems.add(p);
                } catch (InterruptedException e) {
                    throw Problem.failed("interrupted", "run again");
                }
            }
        }
        if (problems.isEmpty()) return;
        problems.subList(0, problems.size() - 1).forEach(p -> settings.console().problem("", p));
        throw problems.getLast();
    }

    private static void names(Mesh mesh, List<Docker.Node> nodes) {
        for (Cluster cluster : mesh.clusters()) {
            if (nodes.stream().anyMatch(n -> n.cluster().equals(cluster.name()) && !n.ours()))
                throw Problem.unfit("a kind cluster named %s exists and was not made by this demo; it stays untouched".formatted(cluster),
                        "choose other names (--name-prefix demo), or remove it: kind delete cluster --name " + cluster);
        }
    }

    private static void ports(Mesh mesh, List<Docker.Node> nodes) {
        List<String> taken = new ArrayList<>();
        for (Cluster cluster : mesh.clusters()) {
            if (nodes.stream().anyMatch(n -> n.cluster().equals(cluster.name()))) continue;
            for (int port : cluster.ports()) {
                try (ServerSocket socket = new ServerSocket()) {
                    socket.setReuseAddress(true);
                    socket.bind(new InetSocketAddress("127.0.0.1", port));
                } catch (IOException e) {
                    taken.add("%d (%s)".formatted(port, cluster));
                }
            }
        }
        if (!taken.isEmpty()) throw Problem.unfit("port%s %s on 127.0.0.1 %s taken".formatted(taken.size() > 1 ? "s" : "",
                String.join(", ", taken), taken.size() > 1 ? "are" : "is"),
                "see who listens (lsof -i :%s), end it, or change manifests/kind/cluster.yaml in a copy named by --manifests".formatted(taken.getFirst().split(" ")[0]));
    }

    private void disk(Mesh mesh, Docker.Engine engine, List<Docker.Node> nodes) {
        long missing = mesh.clusters().stream().filter(c -> nodes.stream().noneMatch(n -> n.cluster().equals(c.name()))).count();
        if (missing == 0) return;
        // an engine in a virtual machine keeps its disk to itself
        if (Files.isDirectory(Path.of(engine.rootDir()))) room(Path.of(engine.rootDir()), DISK_BASE + missing * DISK_PER_CLUSTER);
        room(settings.home().cache(), 1L << 30);
    }

    private static void room(Path folder, long needed) {
        try {
            Path existing = folder;
            while (!Files.exists(existing)) existing = existing.toAbsolutePath().getParent();
            long free = Files.getFileStore(existing).getUsableSpace();
            if (free < needed) throw Problem.unfit("the disk of %s is nearly full: %.1f GB free, the demo needs %.1f GB".formatted(folder,
                    free / 1e9, needed / 1e9), "free some: docker system df, then docker system prune");
        } catch (IOException e) {
            throw Problem.unfit("cannot look at the disk of %s: %s".formatted(folder, e.getMessage()), "check the folder's mode");
        }
    }

    private void memory(Mesh mesh, Docker.Engine engine) {
        long needed = mesh.clusters().size() * MEMORY_PER_CLUSTER;
        if (engine.memoryBytes() < needed) settings.console()
                .warn("the engine has %.1f GB of memory; %d clusters want %.1f GB".formatted(engine.memoryBytes() / 1e9, mesh.clusters()
                .size(), needed / 1e9));
    }
}
