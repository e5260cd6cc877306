package lib.kind;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.kubeconfig.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.client.utils.Serialization;

/** kind: clusters whose nodes are containers. https://kind.sigs.k8s.io/docs/user/configuration/ */
public final class Kind {
    /** The kind binary: the pinned version or newer. */
    public static final Binary.Requirement BINARY = new Binary.Requirement("kind", Versions.KIND, Versions::kind,
            ("install kind v%1$s or newer: go install sigs.k8s.io/kind@v%1$s (other ways: "
            + "https://kind.sigs.k8s.io/docs/user/quick-start/#installation)").formatted(Versions.KIND),
            List.of("version"), Kind::objection);

    /** A file in the control plane's node, written when the cluster is complete. */
    private static final String COMPLETE = "/kind/kind-demo";

    /**
     * On cgroup v1 runc freezes a container while it sets it up, and a frozen process cannot be killed: a node that is
     * removed in that moment would stay forever. So stop what starts containers, then thaw all of them.
     * https://docs.kernel.org/admin-guide/cgroup-v1/freezer-subsystem.html
     */
    private static final String THAW = """
            cd /sys/fs/cgroup/freezer 2> /dev/null || exit 0
            timeout 10 systemctl stop kubelet containerd
            echo THAWED | tee $(find -name freezer.state)""";

    private final Binary binary;
    private final ExternalCommand kind;
    private final Docker docker;
    private final Manifests manifests;
    private final NodeSettings wanted;
    private final Path state;
    private final Console console;
    /** Clusters that kind could not create. Their nodes are kept until their logs are collected. */
    private final Set<Cluster> failed = ConcurrentHashMap.newKeySet();

    /** @param state the folder for the kubeconfig files that kind writes */
    public Kind(Binary binary, Docker docker, Manifests manifests, NodeSettings wanted, Path state, Console console) {
        this.binary = binary;
        this.kind = new ExternalCommand(binary::path, binary.install(), console);
        this.docker = docker;
        this.manifests = manifests;
        this.wanted = wanted;
        this.state = state;
        this.console = console;
    }

    private static String objection(String output) {
        if (Version.first(output).compareTo(Version.first(Versions.KIND)) >= 0) return "";
        return "kind is too old: it says %s, the demo needs v%s".formatted(output.strip(), Versions.KIND);
    }

    /** The version of kind, or where it would be downloaded from. */
    String version() { return binary.describe(); }

    /** Whether the configuration of new clusters lets the kubelet start on cgroup v1. */
    boolean allowsCgroupV1() { return manifests.read("kind/cluster.yaml").contains("failCgroupV1"); }

    /** Creates the cluster, or resumes the cluster of an earlier run; adds its context to the kubeconfig. */
    public Action create(Kube kube, Images images) {
        Cluster cluster = kube.cluster();
        String toShell = "kind create cluster --name %s --image %s --config - %s".formatted(cluster, wanted.image(),
                DemoCommands.hereDocument("EOF", config(cluster, Optional.empty())));
        return new Action(toShell, progress -> {
            endOrphans(cluster);
            List<Docker.Node> nodes = docker.nodes(cluster);
            if (isComplete(cluster, nodes)) resume(kube, nodes, progress);
            else if (nodes.isEmpty() && !Kubeconfig.ofUser().has(cluster.context())) createNew(kube, images, progress);
            else recreate(kube, images, nodes, progress);
        });
    }

    private void resume(Kube kube, List<Docker.Node> nodes, Consumer<String> progress) throws IOException {
        start(nodes);
        reconnect(kube, progress);
        removeLostNodes(kube, nodes);
    }

    private void recreate(Kube kube, Images images, List<Docker.Node> nodes, Consumer<String> progress)
            throws Exception {
        Cluster cluster = kube.cluster();
        console.warn("%s: %s; the cluster is recreated".formatted(cluster, hasControlPlane(cluster, nodes)
                ? "an earlier run did not complete it"
                : "the container of its control plane was deleted, with everything in it"));
        if (!nodes.isEmpty()) delete(cluster).task().run(progress);
        createNew(kube, images, progress);
    }

    private void createNew(Kube kube, Images images, Consumer<String> progress) throws IOException {
        Cluster cluster = kube.cluster();
        Kubeconfig.ofUser().remove(cluster.context());
        progress.accept("kubeadm");
        failed.add(cluster);
        NodeImage image = images.nodeImage();
        withTemporaryKubeconfig(file -> kind.feed(Duration.ofMinutes(10), config(cluster, image.store()), "create",
                "cluster", "--name", cluster.name(), "--image", image.name(), "--config", "-", "--kubeconfig", file,
                "--retain"));
        failed.remove(cluster);
        connect(kube);
        docker.expect(cluster.controlPlane(), "touch", COMPLETE);
    }

    /** Whether kind once finished the creation of the cluster: such a cluster is never recreated. */
    boolean isComplete(Cluster cluster, List<Docker.Node> nodes) {
        return hasControlPlane(cluster, nodes) && docker.hasFile(cluster.controlPlane(), COMPLETE);
    }

    private static boolean hasControlPlane(Cluster cluster, List<Docker.Node> nodes) {
        return nodes.stream().anyMatch(n -> n.name().equals(cluster.controlPlane()));
    }

    /** Starts stopped nodes. A paused node is a {@link Problem}: the user paused it on purpose. */
    private void start(List<Docker.Node> nodes) {
        for (Docker.Node node : nodes) if (node.paused())
            throw Problem.failed("%s: its node %s is paused".formatted(node.cluster(), node.name()),
                    "docker unpause " + node.name());
        List<Docker.Node> stopped = nodes.stream().filter(n -> !n.running()).toList();
        if (!stopped.isEmpty()) docker.start(stopped);
    }

    /** Waits for the API server. Docker may have assigned another host port to it when its node started. */
    private void reconnect(Kube kube, Consumer<String> progress) throws IOException {
        if (!Kubeconfig.ofUser().has(kube.cluster().context()) || !answers(kube)) connect(kube);
        try {
            Await.until(kube.cluster() + ": the API server", Duration.ofMinutes(1), Duration.ofMillis(300), progress,
                    () -> answers(kube) ? "" : "no answer");
        } catch (Problem p) {
            throw Problem.failed(p.getMessage(), "see its log: docker logs %s; or start from scratch: %s"
                    .formatted(kube.cluster().controlPlane(), console.commands().fromScratch()));
        }
    }

    /** Adds the cluster's context to the kubeconfig, and closes connections to an earlier cluster of that name. */
    private void connect(Kube kube) {
        String name = kube.cluster().name();
        Kubeconfig.ofUser().merge(kind.runUnlogged(Duration.ofSeconds(20), "get", "kubeconfig", "--name", name));
        kube.close();
    }

    private static boolean answers(Kube kube) {
        try {
            return kube.client().getKubernetesVersion() != null;
        } catch (RuntimeException e) {
            return false;
        }
    }

    /** Removes a node from the cluster if its container is gone, so that its pods move to other nodes. */
    private void removeLostNodes(Kube kube, List<Docker.Node> nodes) {
        Set<String> names = nodes.stream().map(Docker.Node::name).collect(Collectors.toSet());
        for (var node : kube.client().nodes().list().getItems()) {
            String name = node.getMetadata().getName();
            if (names.contains(name)) continue;
            console.warn("%s: the container of its node %s was deleted; the cluster continues without it".formatted(
                    kube.cluster(), name));
            kube.remove(node);
        }
    }

    /** Removes the nodes of clusters that kind could not create, once their logs are collected. */
    public void deleteFailed() throws Exception {
        for (Cluster cluster : failed) {
            delete(cluster).task().run(_ -> {});
            console.info("%s: kind could not create it; its nodes are removed".formatted(cluster));
        }
    }

    /**
     * Removes the cluster's nodes and then its kubeconfig entries. A {@link Problem} when nodes remain, or when this
     * Docker does not see the nodes of a running cluster; then the entries stay, too.
     */
    public Action delete(Cluster cluster) {
        return new Action("", _ -> {
            endOrphans(cluster);
            List<Docker.Node> nodes = docker.nodes(cluster);
            if (nodes.isEmpty() && Kubeconfig.ofUser().has(cluster.context()) && answersNow(cluster))
                throw Problem.failed("%s: its API server answers, but this Docker has no node of it".formatted(cluster),
                        "use the Docker that has its nodes (DOCKER_HOST, docker context use); see docker context ls");
            nodes.stream().filter(node -> node.running() && !node.paused())
                    .forEach(node -> docker.exec(Duration.ofSeconds(20), node.name(), "bash", "-c", THAW));
            withTemporaryKubeconfig(file -> kind.run(Duration.ofMinutes(3), "delete", "cluster",
                    "--name", cluster.name(), "--kubeconfig", file));
            List<String> left = docker.nodes(cluster).stream().map(Docker.Node::name).toList();
            if (!left.isEmpty())
                throw Problem.failed("%s: its nodes still exist: %s".formatted(cluster, String.join(", ", left)),
                        "docker rm --force --volumes " + String.join(" ", left));
            Kubeconfig.ofUser().remove(cluster.context());
        });
    }

    private boolean answersNow(Cluster cluster) {
        try (Kube kube = new Kube(cluster, console)) {
            return answers(kube);
        }
    }

    /**
     * Ends a `kind create cluster` that a killed run left behind: when it fails it would remove the next cluster of
     * that name. It is found by our kubeconfig in its arguments. A {@link Problem} when it does not end.
     */
    void endOrphans(Cluster cluster) {
        Pattern orphan = Pattern.compile("(.*/)?kind create cluster --name %s .*--kubeconfig %s/.*".formatted(cluster,
                Pattern.quote(state.toString())));
        List<ProcessHandle> orphans = ProcessHandle.allProcesses()
                .filter(p -> p.info().commandLine().filter(orphan.asMatchPredicate()).isPresent()).toList();
        for (ProcessHandle process : orphans) {
            process.destroy();
            process.onExit().completeOnTimeout(null, 5, TimeUnit.SECONDS).join();
            if (process.isAlive()) process.destroyForcibly();
            process.onExit().completeOnTimeout(null, 5, TimeUnit.SECONDS).join();
            if (process.isAlive())
                throw Problem.failed("%s: `kind create cluster` of an earlier run, process %d, does not end".formatted(
                        cluster, process.pid()), "kill -9 %d, then run this again".formatted(process.pid()));
        }
    }

    /** Keeps kind from writing to the user's kubeconfig. */
    private void withTemporaryKubeconfig(Consumer<String> work) throws IOException {
        Path file = Files.createTempFile(state, "kind", ".kubeconfig");
        try {
            work.accept(file.toString());
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /**
     * The cluster's kind configuration: the filled manifest, with as many workers as the options say.
     *
     * @param store the host folder that each node mounts for its images, if any
     */
    @SuppressWarnings("unchecked") public String config(Cluster cluster, Optional<String> store) {
        String manifest = manifests.filled("kind/cluster.yaml", cluster.placeholders());
        Map<String, Object> config = Serialization.unmarshal(YamlDocuments.YAML + manifest, LinkedHashMap.class);
        List<Object> nodes = new ArrayList<>();
        for (var node : (List<Map<String, Object>>) config.get("nodes")) {
            store.ifPresent(folder -> ((List<Object>) node.computeIfAbsent("extraMounts", _ -> new ArrayList<>()))
                    .add(Map.of("hostPath", folder, "containerPath", NodeImage.SHARED, "readOnly", true)));
            nodes.addAll(Collections.nCopies("worker".equals(node.get("role")) ? wanted.workers() : 1, node));
        }
        config.put("nodes", nodes);
        return Serialization.asYaml(config).replaceFirst("^---\n", "");
    }
}
