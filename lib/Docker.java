package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** The container engine, through its command line. */
public final class Docker {
    /** Where kind mounts our cache into each node. That a node has this mount is the mark that its cluster is ours. */
    public static final String MARK = "/kind-demo";
    private static final String CLUSTER_LABEL = "io.x-k8s.kind.cluster";
    private static final Duration SHORT = Duration.ofSeconds(20), LONG = Duration.ofMinutes(20);

    /** A container that is a node of some kind cluster. {@code address} is its IPv4 address on the docker network, empty when stopped. */
    public record Node(String name, String cluster, String role, boolean running, boolean ours, String address) {}

    /** What the engine says of itself. */
    public record Engine(String version, long memoryBytes, String rootDir) {}

    private final Tool docker;
    private final ObjectMapper json = new ObjectMapper();

    public Docker(Console console) { docker = new Tool("docker", "install Docker: https://docs.docker.com/get-docker/", console); }

    /** The docker network that kind puts its nodes on; kind's own variable names another. */
    public static String network() { return Objects.requireNonNullElse(System.getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"), "kind"); }

    /** Asks the engine what it is; a {@link Problem} when it does not answer within two seconds. */
    public Engine engine() {
        String hint = "start Docker (Docker Desktop, or `sudo systemctl start docker`), then check with `docker info`";
        Tool.Result result;
        try {
            result = docker.attempt(Duration.ofSeconds(2), null, false, "info", "--format", "{{json .}}");
        } catch (Problem p) {
            throw p.exitCode() == Problem.UNFIT ? p : Problem.unfit("the container engine does not answer: `docker info` took over 2 s", hint);
        }
        JsonNode info = result.out().isBlank() ? json.createObjectNode() : parse(result.out());
        // with no engine the client still exits 0 in some versions, and says so in the document
        if (!result.ok() || info.path("ServerVersion").asText().isEmpty())
            throw Problem.unfit("the container engine does not answer: " + result.lastLines().lines().reduce((a, b) -> b).orElse("`docker info` failed"), hint);
        return new Engine(info.path("ServerVersion").asText(), info.path("MemTotal").asLong(), info.path("DockerRootDir").asText());
    }

    /** The nodes of all kind clusters, stopped ones too. */
    public List<Node> nodes() {
        List<String> ids = docker.run(SHORT, "ps", "--all", "--quiet", "--filter", "label=" + CLUSTER_LABEL).lines().toList();
        if (ids.isEmpty()) return List.of();
        List<Node> nodes = new ArrayList<>();
        // a container that went between the two calls only makes the exit code non-zero: the others are printed all the same
        for (JsonNode c : parse(docker.attempt(SHORT, null, false, words(ids, "inspect")).out())) {
            JsonNode labels = c.at("/Config/Labels");
            nodes.add(new Node(c.path("Name").asText().substring(1), labels.path(CLUSTER_LABEL).asText(), labels.path("io.x-k8s.kind.role").asText(),
                    c.at("/State/Running").asBoolean(), c.path("Mounts").findValuesAsText("Destination").contains(MARK),
                    c.at("/NetworkSettings/Networks/" + network() + "/IPAddress").asText()));
        }
        return nodes;
    }

    /** The nodes of one cluster. */
    public List<Node> nodes(Cluster cluster) { return nodes().stream().filter(n -> n.cluster().equals(cluster.name())).toList(); }

    /** The control plane's address on the docker network, which other clusters reach it by. */
    public String address(Cluster cluster) {
        return nodes(cluster).stream().filter(n -> n.name().equals(cluster.controlPlane()) && !n.address().isEmpty()).map(Node::address).findFirst()
                .orElseThrow(() -> Problem.failed("%s: the container %s is not running, so it has no address".formatted(cluster, cluster.controlPlane()), "docker start " + cluster.controlPlane()));
    }

    /** Docker's description of the network that the nodes are on. */
    public JsonNode describeNetwork() { return parse(docker.run(SHORT, "network", "inspect", network())).get(0); }

    public void start(List<Node> nodes) { docker.run(Duration.ofMinutes(1), words(nodes.stream().map(Node::name).toList(), "start")); }

    /** Those of {@code images} that the engine holds, each with its ID. */
    public Map<String, String> present(Collection<String> images) {
        Map<String, String> ids = new TreeMap<>();
        if (images.isEmpty()) return ids;
        String[] all = words(images, "image", "inspect");
        Tool.Result result = docker.attempt(SHORT, null, false, all);
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
        return docker.attempt(SHORT, null, false, "manifest", "inspect", image).ok();
    }

    public void pull(String image) { docker.run(LONG, "pull", "--quiet", image); }

    /** Writes the images into one archive; layers that several of them share are in it once. */
    public void save(Collection<String> images, Path file) { docker.run(LONG, words(images, "save", "--output", file.toString())); }

    /** Runs a command in a container. */
    public Tool.Result exec(Duration limit, InputStream input, String container, String... command) {
        List<String> words = List.of(command);
        return docker.attempt(limit, input, false, input == null ? words(words, "exec", container) : words(words, "exec", "--interactive", container));
    }

    /** A command's words: the fixed ones first. */
    private static String[] words(Collection<String> last, String... first) { return Stream.concat(Arrays.stream(first), last.stream()).toArray(String[]::new); }

    private JsonNode parse(String text) {
        try {
            return json.readTree(text);
        } catch (IOException e) {
            throw Problem.failed("docker printed something that is no JSON: " + text.lines().findFirst().orElse(""), "docker version");
        }
    }
}
