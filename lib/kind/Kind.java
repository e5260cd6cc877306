package lib.kind;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.client.utils.Serialization;

/** kind: clusters whose nodes are containers. https://kind.sigs.k8s.io/docs/user/configuration/ */
public final class Kind {
    private static final String INSTALL = ("install kind v%1$s or newer: go install sigs.k8s.io/kind@v%1$s"
            + " (other ways: https://kind.sigs.k8s.io/docs/user/quick-start/#installation)").formatted(Versions.KIND);

    /** A file in the control plane's node, left there when kind has made the whole cluster; without it, it was interrupted half-made. */
    private static final String WHOLE = "/kind/kind-demo";

    /**
     * On cgroup v1 runc freezes each container for a moment while it sets it up, and what is frozen cannot be killed: a node that is
     * removed in such a moment would stay for good. So first nothing starts any more, and all is thawed.
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
    private final ExistingClusters existing;
    private final Path state;
    private final Console console;
    /** Clusters that kind could not create: their nodes are kept for their logs. */
    private final Set<Cluster> failed = ConcurrentHashMap.newKeySet();

    /** @param state the folder for kind's own kubeconfig files */
    public Kind(Binary binary, Docker docker, Manifests manifests, NodeSettings wanted, ExistingClusters existing, Path state,
            Console console) {
        this.binary = binary;
        this.kind = new ExternalCommand(binary::path, binary.install(), console);
        this.docker = docker;
        this.manifests = manifests;
        this.wanted = wanted;
        this.existing = existing;
        this.state = state;
        this.console = console;
    }

    /** kind's node image for the clusters. */
    public String nodeImage() { return wanted.image(); }

    public int workers() { return wanted.workers(); }

    /** Whether the configuration of new clusters lets the kubelet start on cgroup v1. */
    public boolean allowsCgroupV1() { return manifests.read("kind/cluster.yaml").contains("failCgroupV1"); }

    /** The clusters of the mesh that do not exist. */
    public List<Cluster> missing(Mesh mesh) { return mesh.clusters().stream().filter(c -> !existing.clusters().contains(c)).toList(); }

    /** kind as a program: the pin or newer. */
    public static final Binary.Requirement BINARY = new Binary.Requirement("kind", Versions.KIND, Versions::kind, INSTALL, List.of("version"), output ->
            Version.first(output).compareTo(Version.first(Versions.KIND)) >= 0 ? ""
                    : "kind is too old: it says %s, the demo needs v%s".formatted(output.strip(), Versions.KIND));

    /** A {@link Problem} when the clusters that are there differ from what is asked for in a way that kind cannot change. */
    public String fits(Mesh mesh) {
        String fromScratch = "start from scratch: %s, then this again".formatted(console.commands().teardown());
        List<Cluster> extra = existing.clusters().stream().filter(c -> !mesh.clusters().contains(c)).toList();
        if (!extra.isEmpty())
            throw Problem.unmet("beside the %d clusters asked for there is %s, and what is in it would be lost".formatted(
                    mesh.clusters().size(), extra),
                    "keep it: leave --clusters out; or remove it: kind delete cluster --name %s, then this again".formatted(
                    extra.getFirst()));
        for (Cluster cluster : existing.clusters()) {
            List<Docker.Node> nodes = existing.nodes(cluster);
            if (!isWhole(cluster, nodes)) continue; // it is made anew
            int workers = (int) nodes.stream().filter(Docker.Node::worker).count();
            if (wanted.workersSet() && wanted.workers() != workers)
                throw Problem.unmet("%s has %d workers, not %d, and kind cannot change that".formatted(cluster, workers,
                        wanted.workers()), "keep them: leave --workers out; or " + fromScratch);
            Set<String> networks = docker.networks(cluster.controlPlane());
            if (!networks.contains(Docker.network()))
                throw Problem.unmet("%s is on the Docker network %s, not on %s".formatted(cluster, String.join(", ", networks),
                        Docker.network()), "export KIND_EXPERIMENTAL_DOCKER_NETWORK=" + String.join(" or ", networks));
            String base = nodes.getFirst().base();
            if (!base.isEmpty() && wanted.imageSet() && !sameImage(base, wanted.image()))
                throw Problem.unmet("%s was made from %s, not from %s, and kind cannot change that".formatted(cluster, base,
                        wanted.image()), "keep it: leave --node-image and --kubernetes-version out; or " + fromScratch);
        }
        return "%d workers per cluster, %s".formatted(wanted.workers(), wanted.image());
    }

    private boolean sameImage(String one, String other) {
        if (one.equals(other)) return true;
        Map<String, String> ids = docker.images().present(List.of(one, other));
        return ids.size() == 2 && ids.get(one).equals(ids.get(other));
    }

    /** A port that a cluster will publish on the host, or that a node already publishes. */
    private record HostPort(int port, String address, String protocol, String owner) {
        boolean clashesWith(HostPort other) {
            return port == other.port && protocol.equals(other.protocol)
                    && (address.equals(other.address) || isWildcard() || other.isWildcard());
        }

        private boolean isWildcard() { return Set.of("", "0.0.0.0", "::").contains(address); }

        /** Says who uses it: one of these, or another listener; empty when it is free. */
        Optional<String> taken(List<HostPort> known) {
            String what = "port %d (%s) on %s is ".formatted(port, owner, address);
            return known.stream().filter(this::clashesWith).findFirst().map(other -> what + "used by " + other.owner)
                    .or(() -> Optional.of(what + "taken").filter(_ -> protocol.equals("TCP") && !Machine.isFree(address, port)));
        }
    }

    /** A {@link Problem} when a cluster of the mesh's names exists that the demo did not create. */
    public String checkNames(Mesh mesh) {
        existing.foreign().stream().filter(mesh.clusters()::contains).findFirst().ifPresent(taken -> {
            throw Problem.unmet("a kind cluster named %s exists and was not made by this demo; it stays untouched".formatted(taken),
                    "choose other names (%s), or remove it: kind delete cluster --name %s".formatted(existing.freePrefix(), taken));
        });
        List<Cluster> ours = existing.clusters();
        return "%s, of which %s".formatted(mesh.clusters(), ours.isEmpty() ? "none exists" : ours + " exist");
    }

    /** The version of kind, or where it would be downloaded from. */
    public String version() { return binary.describe(); }

    /** Checks the host ports of clusters that do not exist. */
    public String ports(List<Cluster> missing) { return ports(missing, docker.nodes()); }

    /**
     * Checks the host ports that kind/cluster.yaml names for the clusters that do not exist yet.
     *
     * @param nodes those of all kind clusters
     * @throws Problem that names every port in use, also by a stopped node or by another of these clusters
     */
    public String ports(List<Cluster> missing, List<Docker.Node> nodes) {
        List<HostPort> known = new ArrayList<>();
        for (Docker.Node node : nodes)
            for (Docker.Port port : node.ports()) known.add(new HostPort(port.hostPort(), port.address(), "TCP", node.name()));
        List<HostPort> wanted = missing.stream().flatMap(cluster -> hostPorts(cluster).stream()).toList();
        Map<HostPort, String> taken = new LinkedHashMap<>();
        for (HostPort port : wanted) {
            port.taken(known).ifPresent(by -> taken.put(port, by));
            known.add(port);
        }
        if (!taken.isEmpty()) {
            int port = taken.keySet().iterator().next().port;
            boolean differs = missing.stream().anyMatch(cluster -> cluster.ports().contains(port)); // from demo to demo
            throw Problem.unmet(String.join("; ", taken.values()), ("see who listens (lsof -i :%d) and end it; or use other ports:"
                    + " %sanother hostPort in a copy of manifests/kind/cluster.yaml, such as 3401${INDEX}, with --manifests")
                    .formatted(port, differs ? existing.freePrefix() + ", or " : ""));
        }
        return missing.isEmpty() ? "in use by the clusters that are there" : "%d free".formatted(wanted.size());
    }

    /** The host ports in kind's configuration; kind assigns a free one where hostPort is below 1. */
    private List<HostPort> hostPorts(Cluster cluster) {
        JsonNode config = Serialization.unmarshal(config(cluster, Optional.empty()), JsonNode.class);
        JsonNode server = config.path("networking");
        List<HostPort> ports = new ArrayList<>(List.of(new HostPort(server.path("apiServerPort").asInt(),
                server.path("apiServerAddress").asText("127.0.0.1"), "TCP", cluster.name())));
        config.findValues("extraPortMappings").forEach(mappings -> mappings.forEach(mapping -> ports.add(new HostPort(
                mapping.path("hostPort").asInt(), mapping.path("listenAddress").asText("0.0.0.0"),
                mapping.path("protocol").asText("TCP").toUpperCase(Locale.ROOT), cluster.name()))));
        ports.removeIf(port -> port.port < 1);
        return ports;
    }

    /** Makes the cluster, or goes on with the one that an earlier run made; puts its context into the kubeconfig. */
    public Action create(Kube kube, Images images) {
        Cluster cluster = kube.cluster();
        String toShell = "kind create cluster --name %s --image %s --config - %s".formatted(cluster, wanted.image(),
                DemoCommands.hereDocument("EOF", config(cluster, Optional.empty())));
        return new Action(toShell, progress -> {
            endOrphans(cluster);
            List<Docker.Node> nodes = docker.nodes(cluster);
            if (isWhole(cluster, nodes)) {
                start(nodes);
                reconnect(kube, progress);
                forgetDeleted(kube, nodes);
                return;
            }
            if (!nodes.isEmpty() || Kubeconfig.ofUser().has(cluster.context()))
                console.warn("%s: %s; it is made anew".formatted(cluster, hasControlPlane(cluster, nodes)
                        ? "an earlier run left it half-made" : "the container of its control plane is gone, and all that was in it"));
            if (!nodes.isEmpty()) delete(cluster).task().run(progress);
            Kubeconfig.ofUser().remove(cluster.context());
            progress.accept("kubeadm");
            failed.add(cluster);
            withOwnKubeconfig(file -> kind.feed(Duration.ofMinutes(10), config(cluster, images.store()), "create", "cluster",
                    "--name", cluster.name(), "--image", images.nodeImage(), "--config", "-", "--kubeconfig", file,
                    "--retain"));
            failed.remove(cluster);
            connect(kube);
            docker.expect(cluster.controlPlane(), "touch", WHOLE);
        });
    }

    /** Starts nodes that were stopped. A paused one is a {@link Problem}: whoever did that meant it. */
    private void start(List<Docker.Node> nodes) {
        for (Docker.Node node : nodes) if (node.paused())
            throw Problem.failed("%s: its node %s is paused".formatted(node.cluster(), node.name()), "docker unpause " + node.name());
        List<Docker.Node> stopped = nodes.stream().filter(n -> !n.running()).toList();
        if (!stopped.isEmpty()) docker.start(stopped);
    }

    /** Whether an earlier run got to the end of the cluster's creation: a cluster that was whole once is never given up. */
    private boolean isWhole(Cluster cluster, List<Docker.Node> nodes) {
        return hasControlPlane(cluster, nodes) && docker.hasFile(cluster.controlPlane(), WHOLE);
    }

    private static boolean hasControlPlane(Cluster cluster, List<Docker.Node> nodes) {
        return nodes.stream().anyMatch(n -> n.name().equals(cluster.controlPlane()));
    }

    /** Takes workers whose container is gone out of the cluster, so that their pods go to others. */
    private void forgetDeleted(Kube kube, List<Docker.Node> nodes) {
        List<String> there = nodes.stream().map(Docker.Node::name).toList();
        kube.client().nodes().list().getItems().stream().filter(n -> !there.contains(n.getMetadata().getName())).forEach(gone -> {
            console.warn("%s: the container of its node %s is gone; the cluster goes on without it".formatted(kube.cluster(),
                    gone.getMetadata().getName()));
            kube.remove(gone);
        });
    }

    /** Waits for the API server of a cluster that was made before; its port on this machine is another one after a restart. */
    private void reconnect(Kube kube, Consumer<String> progress) throws IOException {
        Cluster cluster = kube.cluster();
        if (!Kubeconfig.ofUser().has(cluster.context()) || !answers(kube)) connect(kube);
        try {
            Await.until(cluster + ": the API server", Duration.ofMinutes(1), Duration.ofMillis(300), progress,
                    () -> answers(kube) ? "" : "no answer");
        } catch (Problem p) {
            throw Problem.failed(p.getMessage(), "look at it: docker logs %s; or start from scratch: %s"
                    .formatted(cluster.controlPlane(), console.commands().fromScratch()));
        }
    }

    /** Puts the cluster's context into the user's kubeconfig, and forgets what the client knew of an earlier cluster of that name. */
    private void connect(Kube kube) {
        String name = kube.cluster().name();
        Kubeconfig.ofUser().merge(kind.runUnlogged(Duration.ofSeconds(20), "get", "kubeconfig", "--name", name));
        kube.close();
    }

    private boolean answersNow(Cluster cluster) {
        try (Kube kube = new Kube(cluster, console)) {
            return answers(kube);
        }
    }

    private static boolean answers(Kube kube) {
        try {
            return kube.client().getKubernetesVersion() != null;
        } catch (RuntimeException e) {
            return false;
        }
    }

    /** Removes the nodes that a failed creation left, once their logs are collected. */
    public void deleteFailed() throws Exception {
        for (Cluster cluster : failed) {
            delete(cluster).task().run(_ -> {});
            console.info("%s: kind could not create it; its nodes are removed".formatted(cluster));
        }
    }

    /**
     * Removes the cluster's nodes and then its entries in the kubeconfig. A {@link Problem} when nodes remain, here or where
     * this Docker does not see them; then the entries remain too.
     */
    public Action delete(Cluster cluster) {
        return new Action("kind delete cluster --name " + cluster, _ -> {
            endOrphans(cluster);
            List<Docker.Node> nodes = docker.nodes(cluster);
            if (nodes.isEmpty() && Kubeconfig.ofUser().has(cluster.context()) && answersNow(cluster))
                throw Problem.failed("%s: its API server answers, but this Docker has no node of it".formatted(cluster),
                        "use the Docker that has its nodes, by DOCKER_HOST or docker context use; see docker context ls");
            nodes.stream().filter(node -> node.running() && !node.paused())
                    .forEach(node -> docker.exec(Duration.ofSeconds(20), node.name(), "bash", "-c", THAW));
            withOwnKubeconfig(file -> kind.run(Duration.ofMinutes(3), "delete", "cluster", "--name", cluster.name(), "--kubeconfig", file));
            List<String> left = docker.nodes(cluster).stream().map(Docker.Node::name).toList();
            if (!left.isEmpty())
                throw Problem.failed("%s: its nodes are still there: %s".formatted(cluster, String.join(", ", left)),
                    "docker rm --force --volumes " + String.join(" ", left));
            Kubeconfig.ofUser().remove(cluster.context());
        });
    }

    /**
     * Ends a kind that a killed run left at work on the cluster: it would remove the next one of that name when it fails. It is
     * told by the kubeconfig that we gave it. A {@link Problem} when it cannot be ended.
     */
    public void endOrphans(Cluster cluster) {
        Pattern pattern = Pattern.compile("(.*/)?kind create cluster --name %s .*--kubeconfig %s/.*".formatted(cluster,
                Pattern.quote(state.toString())));
        for (ProcessHandle process : ProcessHandle.allProcesses().filter(p -> p.info().commandLine().filter(pattern.asMatchPredicate())
                .isPresent()).toList()) {
            process.destroy();
            process.onExit().completeOnTimeout(null, 5, TimeUnit.SECONDS).join();
            if (process.isAlive()) process.destroyForcibly();
            process.onExit().completeOnTimeout(null, 5, TimeUnit.SECONDS).join();
            if (process.isAlive()) throw Problem.failed("%s: `kind create cluster` of an earlier run, process %d, does not end".formatted(
                    cluster, process.pid()), "kill -9 %d, then run this again".formatted(process.pid()));
        }
    }

    /** kind writes a kubeconfig in any case: here one that is thrown away. */
    private void withOwnKubeconfig(Consumer<String> work) throws IOException {
        Path file = Files.createTempFile(state, "kind", ".kubeconfig");
        try {
            work.accept(file.toString());
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /**
     * kind's configuration of the cluster: the manifest with its placeholders filled, and as many workers as were asked for.
     *
     * @param store the folder that every node is to have mounted for its images, if any
     */
    public @SuppressWarnings("unchecked") String config(Cluster cluster, Optional<String> store) {
        Map<String, Object> config = Serialization.unmarshal(YamlDocuments.YAML + manifests.filled("kind/cluster.yaml",
                cluster.placeholders()), LinkedHashMap.class);
        List<Object> nodes = new ArrayList<>();
        for (var node : (List<Map<String, Object>>) config.get("nodes")) {
            store.ifPresent(folder -> ((List<Object>) node.computeIfAbsent("extraMounts", _ -> new ArrayList<>())).add(
                    Map.of("hostPath", folder, "containerPath", Images.SHARED, "readOnly", true)));
            nodes.addAll(Collections.nCopies("worker".equals(node.get("role")) ? wanted.workers() : 1, node));
        }
        config.put("nodes", nodes);
        return Serialization.asYaml(config).replaceFirst("^---\n", "");
    }
}
