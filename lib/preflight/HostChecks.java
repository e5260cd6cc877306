package lib.preflight;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/** Checks of this machine and its Docker. */
public final class HostChecks {
    /** What the nodes and, once, the images need. Estimates, on the safe side. */
    private static final long GB = 1L << 30, DISK_LEAST = 2 * GB, DISK_BASE = 3 * GB, DISK_PER_CLUSTER = 2 * GB,
            MEMORY_PER_CLUSTER = 3 * GB / 2;
    /** https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files */
    private static final int INOTIFY_INSTANCES = 512;
    /** The inotify instances of a node, and those of istio-cni on each; measured with Kubernetes 1.34. */
    private static final int CONTROL_PLANE_INOTIFY = 26, WORKER_INOTIFY = 15, ISTIO_CNI_INOTIFY = 2;
    /** The oldest Docker that the demo was tried with: the first with cgroup namespaces on cgroup v1, too. */
    private static final Version OLDEST_DOCKER = new Version(20, 10, 0);
    /** From this version on the kubelet does not start on cgroup v1 by default, https://kep.k8s.io/5573 */
    private static final Version NO_CGROUP_V1 = new Version(1, 35, 0);

    private final Docker docker;
    private final DataPlane dataPlane;
    private DockerInfo info;

    /** @param dataPlane of the mesh to create or to check */
    public HostChecks(Docker docker, DataPlane dataPlane) {
        this.docker = docker;
        this.dataPlane = dataPlane;
    }

    private synchronized DockerInfo info() {
        if (info == null) info = docker.info();
        return info;
    }

    public String docker() {
        DockerInfo info = info();
        if (Version.first(info.version()).compareTo(OLDEST_DOCKER) < 0)
            throw Problem.unmet("Docker %s is too old: the demo needs %s or newer"
                    .formatted(info.version(), OLDEST_DOCKER), "update it: https://docs.docker.com/engine/install/");
        if (variable("DOCKER_CONTENT_TRUST").matches("(?i)1|t|true"))
            throw Problem.unmet("DOCKER_CONTENT_TRUST is set, but the demo's images are not signed that way",
                    "export DOCKER_CONTENT_TRUST=0");
        if (isRemote(docker.endpoint()))
            throw Problem.unmet("Docker runs on another machine, %s, and the clusters' ports would be there, too"
                    .formatted(docker.endpoint()), "run this command on that machine, or use the Docker of this one:"
                    + " unset DOCKER_HOST DOCKER_CONTEXT; docker context use default");
        if (info.security().contains("userns"))
            throw Problem.unmet("Docker uses userns-remap, which does not allow the privileged build of the node image",
                    "remove it from the configuration: https://docs.docker.com/engine/security/userns-remap/");
        boolean cgroup2 = info.cgroupVersion().equals("2");
        if (info.security().contains("rootless") && !(cgroup2 && info.limits()))
            throw Problem.unmet("Docker is rootless and cannot limit memory, processes and CPU: it has cgroup v%s%s"
                    .formatted(info.cgroupVersion(), cgroup2 ? " without delegation" : ""),
                    "delegate cgroup v2 controllers to your user: https://kind.sigs.k8s.io/docs/user/rootless/");
        return "version %s, %.1f GB of memory".formatted(info.version(), info.memoryBytes() / 1e9);
    }

    private static String variable(String name) { return Objects.requireNonNullElse(System.getenv(name), ""); }

    /** Whether the Docker at this endpoint runs on another machine; the ports of its containers are there, too. */
    public static boolean isRemote(String endpoint) {
        URI address = URI.create(endpoint.replaceAll("[^\\w.:/@\\[\\]-]", "_"));
        return address.getHost() != null && !HttpProxies.isLoopback(address.getHost())
                && Set.of("tcp", "http", "https", "ssh").contains(address.getScheme());
    }

    String provider() {
        String provider = variable("KIND_EXPERIMENTAL_PROVIDER");
        if (!provider.isEmpty() && !provider.equals("docker"))
            throw Problem.unmet("KIND_EXPERIMENTAL_PROVIDER is %s; the demo uses Docker".formatted(provider),
                    "unset KIND_EXPERIMENTAL_PROVIDER");
        if (info().security().contains("rootless"))
            throw Problem.unmet("Docker is rootless, and the demo has not been tested with it",
                    "https://kind.sigs.k8s.io/docs/user/rootless/");
        return "Docker";
    }

    String memory(int clusters) {
        long memory = info().memoryBytes(), needed = clusters * MEMORY_PER_CLUSTER;
        String numbers = "Docker has %.1f GB of memory; --clusters %d needs %.1f GB".formatted(memory / 1e9, clusters,
                needed / 1e9), more = "give Docker more memory";
        if (memory < needed) throw Problem.unmet(numbers,
                clusters == 1 ? more : more + ", or create fewer clusters: --clusters 1");
        return numbers;
    }

    /** @param missing how many clusters do not exist yet */
    public String disk(int missing) {
        Path root = Path.of(info().rootDir());
        if (!Files.isDirectory(root)) return "not checked: Docker's disk is in a virtual machine";
        return Machine.requireSpace(root, missing == 0 ? DISK_LEAST : DISK_BASE + missing * DISK_PER_CLUSTER);
    }

    /**
     * Checks that the kernel's limit is enough for the nodes that do not run yet. The limit is per user, and containers
     * run as Docker's user.
     *
     * @param workers how many worker nodes each cluster has or will have
     */
    public String inotify(List<Cluster> clusters, int workers) throws IOException {
        Path file = Path.of("/proc/sys/fs/inotify/max_user_instances");
        if (!Files.exists(file)) return "not checked: this machine has no inotify";
        int limit;
        // the kernel returns such a file only to the first read: not Files.readString, which reads twice
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            limit = Integer.parseInt(reader.readLine());
        }
        Set<String> names = clusters.stream().map(Cluster::name).collect(Collectors.toSet());
        List<Docker.Node> running = docker.nodes().stream().filter(Docker.Node::running).toList();
        List<Docker.Node> own = running.stream().filter(node -> names.contains(node.cluster())).toList();
        int cni = dataPlane == DataPlane.ambient ? ISTIO_CNI_INOTIFY : 0;
        int needed = clusters.size() * (CONTROL_PLANE_INOTIFY + cni + workers * (WORKER_INOTIFY + cni));
        // without root the processes of other users are unreadable: then the usual number of the running nodes counts
        int used = Math.max(inotify(running), inotify(Path.of("/proc"), user()));
        return inotify(used, Math.max(0, needed - inotify(own)), limit);
    }

    static String inotify(int used, int more, int limit) {
        String numbers = "%d inotify instances in use, %d more needed, fs.inotify.max_user_instances is %d"
                .formatted(used, more, limit);
        if (used + more < limit) return numbers;
        throw Problem.failed(numbers, "sudo sysctl fs.inotify.max_user_instances=%d fs.inotify.max_user_watches=524288"
                .formatted(Math.max(INOTIFY_INSTANCES, 2 * (used + more))));
    }

    /** The user ID that Docker and its containers run as: root, or the owner of rootless Docker's folder. */
    private int user() throws IOException {
        Path root = Path.of(info().rootDir());
        return Files.exists(root) ? (int) Files.getAttribute(root, "unix:uid") : 0;
    }

    private static int inotify(List<Docker.Node> nodes) {
        return nodes.stream().mapToInt(node -> node.worker() ? WORKER_INOTIFY : CONTROL_PLANE_INOTIFY).sum();
    }

    /** How many inotify instances the readable processes of a user have open. Source: proc(5), /proc/PID/fd. */
    static int inotify(Path proc, int user) throws IOException {
        int count = 0;
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(proc, "[1-9]*")) {
            for (Path process : processes) {
                try (DirectoryStream<Path> open = Files.newDirectoryStream(process.resolve("fd"))) {
                    if (!Files.getAttribute(process, "unix:uid").equals(user)) continue;
                    for (Path file : open) if (isInotify(file)) count++;
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
     * @param nodeImage its tag is the Kubernetes version
     * @param allowed   whether the cluster's configuration allows cgroup v1
     */
    String cgroups(String nodeImage, boolean allowed) {
        String version = info().cgroupVersion();
        Version kubernetes = Version.first(nodeImage);
        if (version.equals("1") && kubernetes.compareTo(NO_CGROUP_V1) >= 0 && !allowed)
            throw Problem.unmet("Kubernetes %s does not start on this machine's cgroup v1".formatted(kubernetes),
                    "boot with systemd.unified_cgroup_hierarchy=1, or use --kubernetes-version 1.34.4");
        return "cgroup v%s, Kubernetes %s".formatted(version, kubernetes);
    }

    String network(Mesh mesh) {
        Optional<JsonNode> network = docker.findNetwork();
        if (network.isEmpty()) return "kind will create it";
        return mesh.clusters().stream().map(c -> "%s %s".formatted(c, AddressRange.of(network.get(), c.rangeIndex())))
                .collect(Collectors.joining(", ", "load balancer addresses: ", ""));
    }

    /** Checks that a proxy is not used for this machine and the Docker network. */
    String proxy() {
        var proxies = new HttpProxies(System.getenv());
        if (proxies.variable("HTTP_PROXY").isEmpty() && proxies.variable("HTTPS_PROXY").isEmpty()) return "none";
        List<String> direct = new ArrayList<>(List.of("127.0.0.1", "localhost"));
        docker.findNetwork().ifPresent(network -> network.at("/IPAM/Config").findValuesAsText("Subnet").stream()
                .filter(subnet -> subnet.contains(".")).forEach(direct::add));
        List<String> missing = notListed(proxies, direct);
        if (!missing.isEmpty())
            throw Problem.unmet("a proxy is set, and NO_PROXY does not contain " + String.join(", ", missing),
                    "export NO_PROXY=\"$NO_PROXY,%s\"".formatted(String.join(",", missing)));
        return "set, but not used for this machine and the Docker network";
    }

    /** The hosts and IPv4 subnets of these that NO_PROXY does not contain. */
    public static List<String> notListed(HttpProxies proxies, List<String> hosts) {
        return hosts.stream().filter(host -> {
            String ends = host.contains("/") ? AddressRange.ofSubnet(host).toString() : host;
            return !Arrays.stream(ends.split("-")).allMatch(address -> proxies.listed(address, 80));
        }).toList();
    }
}
