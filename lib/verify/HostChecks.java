package lib.verify;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/** This machine and its container engine: what KindDemo looks at before it makes anything, and Verify before all else. */
public final class HostChecks {
    /** What a cluster needs: disk for its nodes, and for the images once. Estimates, on the safe side. */
    private static final long GB = 1L << 30, DISK_LEAST = 2 * GB, DISK_BASE = 3 * GB, DISK_PER_CLUSTER = 2 * GB,
            MEMORY_PER_CLUSTER = 3 * GB / 2;
    /** kind's known issues give these, https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files */
    private static final int INOTIFY_INSTANCES = 512;
    /** How many inotify instances a node of kind uses, measured with Kubernetes 1.34. */
    private static final int CONTROL_PLANE_INOTIFY = 26, WORKER_INOTIFY = 15;
    /** The oldest engine that the demo is tried with: the first with cgroup namespaces on cgroup v1 too. */
    private static final Version OLDEST_ENGINE = new Version(20, 10, 0);
    /** From this version on the kubelet refuses cgroup v1 unless told otherwise, https://kep.k8s.io/5573 */
    private static final Version NO_CGROUP_V1 = new Version(1, 35, 0);

    private final Docker docker;
    private DockerInfo engine;

    public HostChecks(Docker docker) { this.docker = docker; }

    /** What the engine says of itself, asked once. */
    private synchronized DockerInfo asked() {
        if (engine == null) engine = docker.info();
        return engine;
    }

    String engine() {
        DockerInfo engine = asked();
        if (Version.first(engine.version()).compareTo(OLDEST_ENGINE) < 0)
            throw Problem.unmet("the container engine is too old: version %s, the demo needs %s".formatted(engine.version(), OLDEST_ENGINE),
                    "update Docker: https://docs.docker.com/engine/install/");
        if (Objects.requireNonNullElse(System.getenv("DOCKER_CONTENT_TRUST"), "").matches("(?i)1|t|true"))
            throw Problem.unmet("DOCKER_CONTENT_TRUST is set, and the demo's images are not signed by it",
                    "export DOCKER_CONTENT_TRUST=0");
        if (isRemote(docker.endpoint()))
            throw Problem.unmet("Docker runs on another machine, %s, and so would the clusters' ports".formatted(
                    docker.endpoint()), "run this there, or use the Docker here: unset DOCKER_HOST DOCKER_CONTEXT;"
                    + " docker context use default");
        if (engine.security().contains("userns"))
            throw Problem.unmet("Docker has userns-remap, and refuses the privileged container that makes a node image",
                    "remove userns-remap from its configuration: https://docs.docker.com/engine/security/userns-remap/");
        if (engine.security().contains("rootless") && !(engine.cgroupVersion().equals("2") && engine.limits()))
            throw Problem.unmet("Docker is rootless, and cannot limit memory, processes and CPU: it has cgroup v%s%s"
                    .formatted(engine.cgroupVersion(), engine.cgroupVersion().equals("2") ? " without delegation" : ""),
                    "delegate cgroup v2 controllers to your user: https://kind.sigs.k8s.io/docs/user/rootless/");
        return "version %s, %.1f GB of memory".formatted(engine.version(), engine.memoryBytes() / 1e9);
    }

    /** Whether an address of the docker command's engine is on another machine: its containers' ports are there too. */
    public static boolean isRemote(String endpoint) {
        URI address = URI.create(endpoint.replaceAll("[^\\w.:/@\\[\\]-]", "_"));
        return address.getHost() != null && !HttpProxies.isLoopback(address.getHost())
                && Set.of("tcp", "http", "https", "ssh").contains(address.getScheme());
    }

    /** A {@link Problem} when the environment names another provider, or the demo is not tested with this one. */
    String provider() {
        String provider = Objects.requireNonNullElse(System.getenv("KIND_EXPERIMENTAL_PROVIDER"), "");
        if (!provider.isEmpty() && !provider.equals("docker"))
            throw Problem.unmet("KIND_EXPERIMENTAL_PROVIDER is %s; the demo uses Docker".formatted(provider),
                    "unset KIND_EXPERIMENTAL_PROVIDER");
        if (asked().security().contains("rootless"))
            throw Problem.unmet("Docker is rootless, and the demo is not tested with it",
                    "https://kind.sigs.k8s.io/docs/user/rootless/");
        return "Docker";
    }

    String memory(int clusters) {
        long memory = asked().memoryBytes(), needed = clusters * MEMORY_PER_CLUSTER;
        if (memory < needed) throw Problem.unmet("the engine has %.1f GB of memory; %d clusters want %.1f GB".formatted(memory / 1e9,
                clusters, needed / 1e9), "give the engine more, or make fewer: --clusters 1");
        return "%.1f GB for %d clusters".formatted(memory / 1e9, clusters);
    }

    /**
     * Room for the clusters that are yet to be made.
     *
     * @param missing how many those are; 0 asks only for enough to go on
     */
    String disk(int missing) {
        Path root = Path.of(asked().rootDir());
        // an engine in a virtual machine keeps its disk to itself
        return Files.isDirectory(root) ? Machine.requireSpace(root, missing == 0 ? DISK_LEAST : DISK_BASE + missing * DISK_PER_CLUSTER)
                : "the engine keeps its disk to itself";
    }

    /**
     * Checks that the kernel's limit leaves enough inotify instances for the nodes that do not run yet. The limit holds per
     * user, and all containers run as Docker's user.
     *
     * @param workers how many worker nodes each cluster has or will have
     */
    String inotify(List<Cluster> clusters, int workers) throws IOException {
        Path file = Path.of("/proc/sys/fs/inotify/max_user_instances");
        if (!Files.exists(file)) return "not a matter of this machine";
        int limit;
        // such a file gives all it has to the first read and nothing to a second: it takes a buffer that is large enough
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            limit = Integer.parseInt(reader.readLine());
        }
        Set<String> names = clusters.stream().map(Cluster::name).collect(Collectors.toSet());
        List<Docker.Node> running = docker.nodes().stream().filter(Docker.Node::running).toList();
        List<Docker.Node> own = running.stream().filter(node -> names.contains(node.cluster())).toList();
        int wanted = clusters.size() * (CONTROL_PLANE_INOTIFY + workers * WORKER_INOTIFY);
        // without root the processes of other users are unreadable: then the running nodes' usual use is the estimate
        int used = Math.max(inotify(running), inotify(Path.of("/proc"), user()));
        return inotify(used, Math.max(0, wanted - inotify(own)), limit);
    }

    /** Reports the instances in use and needed; a {@link Problem} when they reach the limit. */
    static String inotify(int used, int more, int limit) {
        String figures = "%d inotify instances in use, %d more needed, fs.inotify.max_user_instances is %d"
                .formatted(used, more, limit);
        if (used + more >= limit) throw Problem.failed(figures,
                "sudo sysctl fs.inotify.max_user_instances=%d fs.inotify.max_user_watches=524288"
                        .formatted(Math.max(INOTIFY_INSTANCES, 2 * (used + more))));
        return figures;
    }

    /** The user ID that Docker and its containers run as: root, or the owner of rootless Docker's folder. */
    private int user() throws IOException {
        Path root = Path.of(asked().rootDir());
        return Files.exists(root) ? (int) Files.getAttribute(root, "unix:uid") : 0;
    }

    private static int inotify(List<Docker.Node> nodes) {
        return nodes.stream().mapToInt(node -> node.worker() ? WORKER_INOTIFY : CONTROL_PLANE_INOTIFY).sum();
    }

    /** How many inotify instances a user's readable processes have open. Source: proc(5), /proc/PID/fd. */
    static int inotify(Path proc, int user) throws IOException {
        int count = 0;
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(proc, "[1-9]*")) {
            for (Path process : processes) {
                try {
                    if (!Files.getAttribute(process, "unix:uid").equals(user)) continue;
                    try (DirectoryStream<Path> open = Files.newDirectoryStream(process.resolve("fd"))) {
                        for (Path file : open) if (isInotify(file)) count++;
                    }
                } catch (IOException | DirectoryIteratorException e) {
                    // the process has ended or is unreadable
                }
            }
        }
        return count;
    }

    private static boolean isInotify(Path file) {
        try {
            return Files.readSymbolicLink(file).toString().equals("anon_inode:inotify");
        } catch (IOException e) {
            return false; // closed or unreadable
        }
    }

    /**
     * Whether the kubelet starts here.
     *
     * @param nodeImage kind's, whose tag is the Kubernetes version
     * @param allowed   whether the configuration tells the kubelet to do with cgroup v1
     */
    String cgroups(String nodeImage, boolean allowed) {
        String version = asked().cgroupVersion();
        Version kubernetes = Version.first(nodeImage);
        if (version.equals("1") && kubernetes.compareTo(NO_CGROUP_V1) >= 0 && !allowed)
            throw Problem.unmet("this machine has cgroup v1, which Kubernetes %s does not start on".formatted(kubernetes),
                    "boot it with systemd.unified_cgroup_hierarchy=1, or take kind's newest node image of 1.34: --node-image");
        return "cgroup v%s, Kubernetes %s".formatted(version, kubernetes);
    }

    /** The docker network, when there is one yet: kind makes it with the first cluster. */
    String network(Mesh mesh) {
        Optional<JsonNode> network = docker.findNetwork();
        if (network.isEmpty()) return "kind makes it";
        return mesh.clusters().stream().map(c -> "%s %s".formatted(c, AddressRange.of(network.get(), c.rangeIndex())))
                .collect(Collectors.joining(", ", "load balancer addresses: ", ""));
    }

    /** With a proxy set, what must not go through it: this machine, and the docker network. */
    String proxy() {
        var proxies = new HttpProxies(System.getenv());
        if (proxies.variable("HTTP_PROXY").isEmpty() && proxies.variable("HTTPS_PROXY").isEmpty()) return "none";
        List<String> wanted = new ArrayList<>(List.of("127.0.0.1", "localhost"));
        docker.findNetwork().ifPresent(network -> network.at("/IPAM/Config").findValuesAsText("Subnet").stream()
                .filter(s -> s.contains(".")).forEach(wanted::add));
        List<String> lacking = notListed(proxies, wanted);
        if (!lacking.isEmpty()) throw Problem.unmet("a proxy is set, and NO_PROXY lacks " + String.join(", ", lacking),
                "export NO_PROXY=\"$NO_PROXY,%s\"".formatted(String.join(",", lacking)));
        return "set, and not for this machine and the docker network";
    }

    /** Those of these hosts and IPv4 subnets that NO_PROXY does not have. */
    public static List<String> notListed(HttpProxies proxies, List<String> wanted) {
        return wanted.stream().filter(w -> {
            String[] ends = w.contains("/") ? AddressRange.ofSubnet(w).toString().split("-") : new String[] {w};
            return !Arrays.stream(ends).allMatch(address -> proxies.listed(address, 80));
        }).toList();
    }
}
