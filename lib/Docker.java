package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** The container engine, through its command line. */
public final class Docker {
    /** The label of our node images, and so of every node made from one: the mark that a cluster is ours. */
    public static final String MARK = "kind-demo";
    private static final String HELPER = MARK + "=helper";
    /** The label that names the node image that ours was made from. */
    private static final String BASE = MARK + ".base";
    private static final String CLUSTER_LABEL = "io.x-k8s.kind.cluster", ROLE_LABEL = "io.x-k8s.kind.role";
    private static final Duration SHORT = Duration.ofSeconds(20), LONG = Duration.ofMinutes(20);
    private static final String START = "start Docker (Docker Desktop, or `sudo systemctl start docker`), then check with `docker info`";
    /** How long a healthy engine may take to say what it is, and how long on a machine that has much to do. */
    private static final Duration AT_ONCE = Duration.ofMillis(1500), BUSY = Duration.ofSeconds(10);

    /**
     * A container that is a node of some kind cluster.
     *
     * @param image what it was made from
     * @param base  kind's node image that this image was made from; empty when it is not ours
     */
    public record Node(String name, String cluster, boolean worker, String image, String base, boolean running, boolean paused,
            boolean ours) {}

    /** What the engine says of itself. */
    public record Engine(String version, long memoryBytes, String rootDir, String cgroupVersion) {}

    private final Tool docker;
    private final ObjectMapper json = new ObjectMapper();

    public Docker(Console console) { docker = new Tool("docker", "install Docker: https://docs.docker.com/get-docker/", console); }

    /** The docker network that kind puts its nodes on; kind's own variable names another. */
    public static String network() { return Objects.requireNonNullElse(System.getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"), "kind"); }

    /** What the engine is; a {@link Problem} when it does not answer, told in under three seconds unless the machine is busy. */
    public Engine engine() {
        Tool.Result result = info(AT_ONCE);
        JsonNode info = result.out().isBlank() ? json.createObjectNode() : parse(result.out());
        // with no engine the client still exits 0 in some versions, and says so in the document
        if (!result.ok() || info.path("ServerVersion").asText().isEmpty())
            throw Problem.unfit("the container engine does not answer: " + result.lastLines().lines().reduce((a, b) -> b)
                    .orElse("`docker info` failed"), START);
        return new Engine(info.path("ServerVersion").asText(), info.path("MemTotal").asLong(), info.path("DockerRootDir").asText(),
                info.path("CgroupVersion").asText());
    }

    private Tool.Result info(Duration patience) {
        try {
            return docker.attemptUnlogged(patience, "info", "--format", "{{json .}}");
        } catch (Problem p) {
            if (p.exitCode() == Problem.UNFIT) throw p;
            if (patience.equals(AT_ONCE) && Host.isBusy()) return info(BUSY);
            throw Problem.unfit("the container engine does not answer: `docker info` took over %.1f s".formatted(patience.toMillis() / 1e3),
                    START);
        }
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
                    c.at("/State/Running").asBoolean(), c.at("/State/Paused").asBoolean(), labels.has(MARK)));
        }
        return nodes;
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
        Tool.Result result = docker.attemptUnlogged(SHORT, "network", "inspect", network());
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
        Tool.Result result = docker.attempt(SHORT, all);
        if (result.ok()) {
            Iterator<JsonNode> found = parse(result.out()).iterator();
            images.forEach(image -> ids.put(image, found.next().path("Id").asText()));
        } else if (images.size() > 1) {
            images.forEach(image -> ids.putAll(present(List.of(image))));
        }
        return ids;
    }

    /** Whether a registry answers that it has the image. */
    public boolean published(String image) {
        return docker.attempt(SHORT, "manifest", "inspect", image).ok();
    }

    /** Writes images as an archive; layers that several of them share go once. */
    void save(Collection<String> images, OutputStream out) throws IOException { docker.into(LONG, out, words(images, "save")); }

    /** Takes images out of such an archive. */
    void load(InputStream archive) throws IOException { docker.from(LONG, archive, "load"); }

    void tag(String image, String name) { docker.run(SHORT, "tag", image, name); }

    public void pull(String image) { docker.run(LONG, "pull", "--quiet", image); }

    /**
     * Starts a container of an image that does nothing, and goes by itself when {@code life} is over; returns its ID.
     *
     * @param volume what is mounted, as docker run's --volume takes it
     */
    public String runTemplate(String image, String volume, Duration life) {
        return docker.run(SHORT, "run", "--detach", "--rm", "--privileged", "--network", "none", "--label", HELPER, "--volume", volume,
                "--entrypoint", "sleep", image, "" + life.toSeconds()).strip();
    }

    /** Whether a folder of the engine's machine can be mounted into containers, and holds this file. */
    public boolean canMount(String folder, String file, String image) {
        return docker.attempt(SHORT, "run", "--rm", "--network", "none", "--label", HELPER, "--volume",
                folder + ":/mounted:ro",
                "--entrypoint", "test", image, "-e", "/mounted/" + file).ok();
    }

    /** Makes a volume, unless it is there. */
    public void makeVolume(String name) { docker.run(SHORT, "volume", "create", "--label", MARK, name); }

    /** Where the engine keeps a volume's files; empty when there is no such volume. */
    public Optional<String> pathOf(String volume) {
        Tool.Result result = docker.attempt(SHORT, "volume", "inspect", "--format", "{{.Mountpoint}}", volume);
        return result.ok() ? Optional.of(result.out().strip()) : Optional.empty();
    }

    /** The volumes that {@link #makeVolume} made. */
    public List<String> volumes() { return docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + MARK).lines().toList(); }

    /** Removes volumes that no container uses; those that are gone already are no matter. */
    public void removeVolumes(List<String> names) { if (!names.isEmpty()) docker.run(LONG, words(names, "volume", "rm", "--force")); }

    /** Starts a server beside the nodes, on their network; returns its container's ID. */
    public String runServer(String image) {
        return docker.run(SHORT, "run", "--detach", "--rm", "--network", network(), "--label", HELPER, image).strip();
    }

    /** The IPv4 address of a container on the nodes' network; empty when it has none. */
    public String addressOf(String container) { return container(container).map(Docker::address).orElse(""); }

    private static String address(JsonNode container) {
        return container.at("/NetworkSettings/Networks/" + network() + "/IPAddress").asText();
    }

    /** Docker's description of a container, running or not, if there is one of that name. */
    public Optional<JsonNode> container(String name) {
        Tool.Result result = docker.attemptUnlogged(SHORT, "container", "inspect", name);
        return result.ok() ? Optional.of(parse(result.out()).get(0)) : Optional.empty();
    }

    /** The names of containers and volumes that have a label. */
    public List<String> labelled(String label) {
        String containers = docker.run(SHORT, "ps", "--all", "--format", "{{.Names}}", "--filter", "label=" + label);
        return (containers + docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + label)).lines().distinct().toList();
    }

    /** Containers of {@link #runTemplate} and {@link #runServer} that are still there. */
    public List<String> helpers() {
        return docker.run(SHORT, "ps", "--all", "--quiet", "--filter", "label=" + HELPER).lines().toList();
    }

    /** The IDs of every image of a repository. */
    public List<String> images(String repository) {
        return docker.run(SHORT, "image", "ls", "--quiet", repository).lines().distinct().toList();
    }

    /** Removes every image of a repository; a {@link Problem} when a container uses one. */
    public void removeImages(String repository) {
        List<String> ids = images(repository);
        if (!ids.isEmpty()) docker.run(LONG, words(ids, "image", "rm"));
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
        Tool.Result started = docker.attemptUnlogged(SHORT, "logs", "--tail", "" + lines, node);
        Tool.Result services = docker.attemptUnlogged(SHORT, "exec", node, "journalctl", "--no-pager", "--lines", "" + lines);
        return started.out() + started.err() + services.out() + services.err();
    }

    /** Whether a container has the file; it may be stopped. */
    public boolean hasFile(String container, String path) {
        return docker.attemptUnlogged(SHORT, "cp", container + ":" + path, "-").ok();
    }

    /** Runs a command in a container and leaves the judgement to the caller. */
    public Tool.Result exec(Duration limit, String container, String... command) {
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
