package lib.docker;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** The container engine, through its command line. */
public final class Docker {
    /** The label of our node images, and so of every node made from one: the mark that a cluster is ours. */
    public static final String MARK = "kind-demo";
    /** The label that names the node image that ours was made from. */
    private static final String BASE = MARK + ".base";
    /** The message about an image that is missing: its name, and docker's reason. */
    public static final String NOT_PULLED = "image %s not found locally, and cannot be pulled: %s";
    private static final String CLUSTER_LABEL = "io.x-k8s.kind.cluster", ROLE_LABEL = "io.x-k8s.kind.role";
    private static final Duration SHORT = Duration.ofSeconds(20), LONG = Duration.ofMinutes(20);
    private static final String START = "start Docker (Docker Desktop, or `sudo systemctl start docker`), then check with `docker info`";
    /** How long {@code docker info} may take: seconds on some machines. Where nothing listens docker says so at once. */
    private static final Duration ANSWER = Duration.ofSeconds(10);
    /** How long a registry may take until the daemon begins to pull an image from it. */
    private static final Duration PULL_STARTS = Duration.ofSeconds(30);

    /**
     * A container that is a node of some kind cluster.
     *
     * @param image what it was made from
     * @param base  kind's node image that this image was made from; empty when it is not ours
     * @param ports its published ports; of a stopped one those that it will publish
     */
    public record Node(String name, String cluster, boolean worker, String image, String base, boolean running, boolean paused,
            boolean ours, List<Port> ports) {}

    /** A port of a container that is published at an address of the host. */
    public record Port(int containerPort, String address, int hostPort) {
        /** How the host reaches it, such as localhost:32011. */
        public String reached() {
            String host = Set.of("", "0.0.0.0", "127.0.0.1", "::", "::1").contains(address) ? "localhost" : address;
            return (host.contains(":") ? "[%s]:%d" : "%s:%d").formatted(host, hostPort);
        }
    }

    /**
     * What the engine says of itself.
     *
     * @param security the names of its security options, such as seccomp, rootless, userns
     * @param limits   whether it can limit a container's memory, processes and CPU
     */
    public record Engine(String version, long memoryBytes, String rootDir, String cgroupVersion, Set<String> security,
            boolean limits) {}

    private final ExternalCommand docker;
    private final ObjectMapper json = new ObjectMapper();
    /** The label of containers that are made for a while. A node image that is made of one has another value of it. */
    private final String helper;

    public Docker(Console console) { this(console, "none"); }

    /** @param demo the name prefix of the demo that containers are made for */
    public Docker(Console console, String demo) {
        this(new ExternalCommand("docker", "install Docker: https://docs.docker.com/get-docker/", console), demo);
    }

    public Docker(ExternalCommand docker, String demo) {
        this.docker = docker;
        this.helper = MARK + "=helper-" + demo;
    }

    /** The docker network that kind puts its nodes on; kind's own variable names another, unless it is empty. */
    public static String network() {
        String named = System.getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK");
        return named == null || named.isBlank() ? "kind" : named;
    }

    /** What the engine is; a {@link Problem} when none answers, or Podman does. */
    public Engine engine() {
        try {
            return read(docker.attemptUnlogged(ANSWER, "info", "--format", "{{json .}}"));
        } catch (Problem p) {
            if (p.exitCode() == Problem.UNMET) throw p;
            throw Problem.unmet("the container engine does not answer: `docker info` took over %d s".formatted(
                    ANSWER.toSeconds()), START);
        }
    }

    /** Reads {@code docker info}'s JSON, https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System */
    Engine read(ExternalCommand.Result result) {
        JsonNode info = result.out().isBlank() ? json.createObjectNode() : parse(result.out());
        String version = info.path("ServerVersion").asText();
        // podman's command has a document of its own; its socket answers docker with one that has podman's folder and licence
        if (info.has("host") || version.isEmpty() && result.err().contains("odman")
                || info.path("DockerRootDir").asText().endsWith("/containers/storage")
                || info.path("ProductLicense").asText().equals("Apache-2.0"))
            throw Problem.unmet("`docker` is Podman here, and the demo needs Docker",
                    "install Docker: https://docs.docker.com/get-docker/; check DOCKER_HOST and `docker context ls` too");
        // with no engine the client still exits 0 in some versions, and says so in the document
        if (!result.ok() || version.isEmpty())
            throw Problem.unmet("the container engine does not answer: " + result.lastLines().lines().reduce((a, b) -> b)
                    .orElse("`docker info` failed"), START);
        Set<String> security = new TreeSet<>();
        for (JsonNode option : info.path("SecurityOptions")) // such as name=seccomp,profile=default
            security.add(option.asText().replaceFirst("(^|.*,)name=", "").replaceFirst(",.*", ""));
        boolean limits = !info.path("CgroupDriver").asText().equals("none")
                && Stream.of("MemoryLimit", "PidsLimit", "CPUShares").allMatch(field -> info.path(field).asBoolean());
        return new Engine(version, info.path("MemTotal").asLong(), info.path("DockerRootDir").asText(),
                info.path("CgroupVersion").asText(), security, limits);
    }

    /** Where the docker command finds Docker, such as unix:///var/run/docker.sock, by DOCKER_HOST or the context in use. */
    public String endpoint() {
        return docker.attempt(SHORT, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").out().strip();
    }

    /** The nodes of all kind clusters, stopped ones too. */
    public List<Node> nodes() {
        List<String> ids = docker.run(SHORT, "ps", "--all", "--quiet", "--filter", "label=" + CLUSTER_LABEL).lines().toList();
        if (ids.isEmpty()) return List.of();
        List<Node> nodes = new ArrayList<>();
        // other clusters' containers are described too, with their environment: kept out of the log
        // a container that went between the two calls only makes the exit code non-zero: the others are printed all the same
        for (JsonNode c : parse(docker.attemptUnlogged(SHORT, words(ids, "inspect")).out())) {
            JsonNode labels = c.at("/Config/Labels");
            nodes.add(new Node(c.path("Name").asText().substring(1), labels.path(CLUSTER_LABEL).asText(),
                    labels.path(ROLE_LABEL).asText().equals("worker"), c.at("/Config/Image").asText(), labels.path(BASE).asText(),
                    c.at("/State/Running").asBoolean(), c.at("/State/Paused").asBoolean(), labels.has(MARK), ports(c)));
        }
        return nodes;
    }

    /** The published ports of a running container; those of a stopped one as it was created with. */
    private static List<Port> ports(JsonNode container) {
        JsonNode published = container.at("/NetworkSettings/Ports");
        List<Port> ports = new ArrayList<>();
        (published.isEmpty() ? container.at("/HostConfig/PortBindings") : published).properties().forEach(port ->
                port.getValue().forEach(at -> ports.add(new Port(Integer.parseInt(port.getKey().split("/")[0]),
                        at.path("HostIp").asText(), at.path("HostPort").asInt()))));
        return ports;
    }

    /** How the host reaches a port of the cluster's nodes; empty when none of them publishes it. */
    public Optional<String> published(Cluster cluster, int containerPort) {
        return nodes(cluster).stream().flatMap(node -> node.ports().stream())
                .filter(port -> port.containerPort() == containerPort).map(Port::reached).findFirst();
    }

    /** The nodes of one cluster. */
    public List<Node> nodes(Cluster cluster) { return nodes().stream().filter(n -> n.cluster().equals(cluster.name())).toList(); }

    /** The control plane's address on the docker network, which other clusters reach it by. */
    public String address(Cluster cluster) {
        String address = addressOf(cluster.controlPlane());
        if (address.isEmpty()) throw Problem.failed("%s: the container %s is not running, so it has no address".formatted(cluster,
                cluster.controlPlane()), "docker start " + cluster.controlPlane());
        return address;
    }

    /** Docker's description of the network that the nodes are on, if there is one. */
    public Optional<JsonNode> findNetwork() {
        ExternalCommand.Result result = docker.attemptUnlogged(SHORT, "network", "inspect", network());
        return result.ok() ? Optional.of(parse(result.out()).get(0)) : Optional.empty();
    }

    /** The same of a network that must be there, as nodes are on it. */
    public JsonNode describeNetwork() {
        return findNetwork().orElseThrow(() -> Problem.failed("there is no docker network " + network(), "docker network ls"));
    }

    public void start(List<Node> nodes) { docker.run(Duration.ofMinutes(1), words(nodes.stream().map(Node::name).toList(), "start")); }

    /** Those of {@code images} that the engine holds, each with its ID. */
    public Map<String, String> present(Collection<String> images) {
        Map<String, String> ids = new TreeMap<>();
        if (images.isEmpty()) return ids;
        String[] all = words(images, "image", "inspect");
        ExternalCommand.Result result = docker.attempt(SHORT, all);
        if (result.ok()) {
            Iterator<JsonNode> found = parse(result.out()).iterator();
            images.forEach(image -> ids.put(image, found.next().path("Id").asText()));
        } else if (images.size() > 1) {
            images.forEach(image -> ids.putAll(present(List.of(image))));
        }
        return ids;
    }

    /**
     * Why an image that is not there cannot be pulled, in docker's own words; empty when it can. The docker command asks the
     * registry first. Where that fails the daemon begins to pull the image: it alone knows its mirrors, proxies and insecure
     * registries.
     */
    public String whyNotPullable(String image) {
        if (published(image)) return "";
        var printed = new ByteArrayOutputStream() {
            @Override public void write(byte[] bytes, int from, int count) {
                super.write(bytes, from, count);
                // the daemon has found the image: that is all there is to know, and the pull ends here
                if (toString(StandardCharsets.UTF_8).contains("Pulling")) throw new CancellationException();
            }
        };
        try {
            docker.into(PULL_STARTS, printed, "pull", image);
            return "";
        } catch (CancellationException e) {
            return "";
        } catch (IOException | Problem e) {
            String last = e.getMessage().lines().reduce((_, line) -> line).orElse("");
            boolean ended = last.endsWith(":"); // by us, before docker said anything
            return ended ? "`docker pull` did not begin within %d s".formatted(PULL_STARTS.toSeconds()) : last;
        }
    }

    private boolean published(String image) {
        try {
            return docker.attempt(ANSWER, "manifest", "inspect", image).ok();
        } catch (Problem p) {
            return false; // no answer in time: the daemon may reach the registry by another way
        }
    }

    /** Writes images as an archive; layers that several of them share go once. */
    public void save(Collection<String> images, OutputStream out) throws IOException { docker.into(LONG, out, words(images, "save")); }

    /** Takes images out of such an archive. */
    public void load(InputStream archive) throws IOException { docker.from(LONG, archive, "load"); }

    public void tag(String image, String name) { docker.run(SHORT, "tag", image, name); }

    public void pull(String image) { docker.run(LONG, "pull", "--quiet", image); }

    /**
     * Starts a container of an image that does nothing, and goes by itself when {@code life} is over; returns its ID.
     *
     * @param volume what is mounted, as docker run's --volume takes it
     */
    public String runTemplate(String image, String volume, Duration life) {
        return docker.run(SHORT, "run", "--detach", "--rm", "--privileged", "--network", "none", "--label", helper,
                "--volume", volume, "--entrypoint", "sleep", image, "" + life.toSeconds()).strip();
    }

    /** Whether a folder of the engine's machine can be mounted into containers, and holds this file. */
    public boolean canMount(String folder, String file, String image) {
        return docker.attempt(SHORT, "run", "--rm", "--network", "none", "--label", helper, "--volume",
                folder + ":/mounted:ro",
                "--entrypoint", "test", image, "-e", "/mounted/" + file).ok();
    }

    /** Makes a volume, unless it is there. */
    public void makeVolume(String name) { docker.run(SHORT, "volume", "create", "--label", MARK, name); }

    /** Where the engine keeps a volume's files; empty when there is no such volume. */
    public Optional<String> pathOf(String volume) {
        ExternalCommand.Result result = docker.attempt(SHORT, "volume", "inspect", "--format", "{{.Mountpoint}}", volume);
        return result.ok() ? Optional.of(result.out().strip()) : Optional.empty();
    }

    /** The volumes that {@link #makeVolume} made, but for those that a container has mounted. */
    public List<String> volumes() {
        return docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + MARK, "--filter", "dangling=true")
                .lines().toList();
    }

    /** Removes volumes that no container uses; those that are gone already are no matter. */
    public void removeVolumes(List<String> names) { if (!names.isEmpty()) docker.run(LONG, words(names, "volume", "rm", "--force")); }

    /** Starts a server beside the nodes, on their network, in a container of this name. */
    public void runServer(String name, String image) {
        docker.run(SHORT, "run", "--detach", "--rm", "--name", name, "--network", network(), "--label", helper, image);
    }

    /** The IPv4 address of a container on the nodes' network; empty when it has none. */
    public String addressOf(String container) { return container(container).map(Docker::address).orElse(""); }

    private static String address(JsonNode container) {
        return container.at("/NetworkSettings/Networks").path(network()).path("IPAddress").asText();
    }

    /** The networks that a container is on. */
    public Set<String> networks(String container) {
        Set<String> names = new TreeSet<>();
        container(container).ifPresent(c -> c.at("/NetworkSettings/Networks").fieldNames().forEachRemaining(names::add));
        return names;
    }

    /** {@link #addressOf} as a shell command: the name of a network may have a hyphen, which a template's path cannot. */
    public static String addressAsShell(String container) {
        return "docker inspect --format '{{(index .NetworkSettings.Networks \"%s\").IPAddress}}' %s".formatted(
                network(), container);
    }

    /** Docker's description of a container, running or not, if there is one of that name. */
    public Optional<JsonNode> container(String name) {
        ExternalCommand.Result result = docker.attemptUnlogged(SHORT, "container", "inspect", name);
        return result.ok() ? Optional.of(parse(result.out()).get(0)) : Optional.empty();
    }

    /** The names of containers and volumes that have a label. */
    public List<String> labelled(String label) {
        String containers = docker.run(SHORT, "ps", "--all", "--format", "{{.Names}}", "--filter", "label=" + label);
        return (containers + docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + label)).lines().distinct().toList();
    }

    /** This demo's containers of {@link #runTemplate} and {@link #runServer} that are still there. */
    public List<String> helpers() {
        return docker.run(SHORT, "ps", "--all", "--quiet", "--filter", "label=" + helper).lines().toList();
    }

    /** The images of a repository, as repository:tag. */
    public List<String> images(String repository) {
        return docker.run(SHORT, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).lines().toList();
    }

    /** Removes images; a {@link Problem} when a container uses one. */
    public void removeImages(List<String> names) {
        if (!names.isEmpty()) docker.run(LONG, words(names, "image", "rm"));
    }

    /** Makes an image, with our mark, of a container's files and the start-up of {@code like}. */
    public void commit(String container, String like, String image) {
        JsonNode config = parse(docker.run(SHORT, "image", "inspect", like)).get(0).path("Config");
        JsonNode command = config.path("Cmd").isNull() ? json.createArrayNode() : config.path("Cmd");
        docker.run(LONG, "commit", "--change", "ENTRYPOINT " + config.path("Entrypoint"), "--change", "CMD " + command, "--change",
                "LABEL %s=node %s=%s".formatted(MARK, BASE, like), container, image);
    }

    /** Removes a container, whatever its state. */
    public void remove(String container) { docker.attempt(LONG, "rm", "--force", "--volumes", container); }

    /** Streams images out of the engine into a command that runs in a container; layers that several of them share go once. */
    public void copyImages(Collection<String> images, String container, String... command) {
        docker.pipe(LONG, words(images, "save"), words(List.of(command), "exec", "--interactive", container));
    }

    /** The last lines that a node printed when it started, and those of its services. */
    public String logs(String node, int lines) {
        ExternalCommand.Result started = docker.attemptUnlogged(SHORT, "logs", "--tail", "" + lines, node);
        ExternalCommand.Result services = docker.attemptUnlogged(SHORT, "exec", node, "journalctl", "--no-pager", "--lines", "" + lines);
        return started.out() + started.err() + services.out() + services.err();
    }

    /** Whether a container has the file; it may be stopped. */
    public boolean hasFile(String container, String path) {
        return docker.attemptUnlogged(SHORT, "cp", container + ":" + path, "-").ok();
    }

    /** Runs a command in a container and leaves the judgement to the caller. */
    public ExternalCommand.Result exec(Duration limit, String container, String... command) {
        return docker.attempt(limit, words(List.of(command), "exec", container));
    }

    /** Runs a command in a container, be it a long one; a {@link Problem} when it fails. */
    public void expect(String container, String... command) { docker.run(LONG, words(List.of(command), "exec", container)); }

    /** Starts a command in a container and does not wait for it. */
    public void execDetached(String container, String... command) {
        docker.run(SHORT, words(List.of(command), "exec", "--detach", container));
    }

    /** A command's words: the fixed ones first. */
    private static String[] words(Collection<String> last, String... first) {
        return Stream.concat(Arrays.stream(first), last.stream()).toArray(String[]::new);
    }

    private JsonNode parse(String text) {
        try {
            return json.readTree(text);
        } catch (IOException e) {
            throw Problem.failed("docker printed something that is no JSON: " + text.lines().findFirst().orElse(""), "docker version");
        }
    }
}
