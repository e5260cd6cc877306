package lib.docker;

import static lib.docker.DockerCli.*;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/** Docker's containers, networks and volumes, through its command line. */
public final class Docker {
    /** The label of everything that the demo creates. */
    public static final String LABEL = DockerCli.LABEL;
    private static final String CLUSTER_LABEL = "io.x-k8s.kind.cluster", ROLE_LABEL = "io.x-k8s.kind.role";

    /**
     * A container that is a node of a kind cluster.
     *
     * @param base  the node image of kind that its image is made of; empty if the demo did not create it
     * @param ports its published ports; those of a stopped container are its configured ports
     */
    public record Node(String name, String cluster, boolean worker, String image, String base, boolean running,
            boolean paused, boolean ours, List<Port> ports) {}

    /** A port of a container that is published at an address of the host. */
    public record Port(int containerPort, String address, int hostPort) {
        /** The host and port for a URL on this machine, such as localhost:32011. */
        public String reached() {
            String host = Set.of("", "0.0.0.0", "127.0.0.1", "::", "::1").contains(address) ? "localhost" : address;
            return (host.contains(":") ? "[%s]:%d" : "%s:%d").formatted(host, hostPort);
        }
    }

    private final ExternalCommand docker;
    private final DockerImages images;
    /** The label of temporary containers. The node images that are made from one have another value of it. */
    private final String helper;

    public Docker(Console console) { this(console, "none"); }

    /** @param demo the name prefix of the demo that containers are created for */
    public Docker(Console console, String demo) {
        this(new ExternalCommand("docker", "install Docker: https://docs.docker.com/get-docker/", console), demo);
    }

    public Docker(ExternalCommand docker, String demo) {
        this.docker = docker;
        this.images = new DockerImages(docker);
        this.helper = LABEL + "=helper-" + demo;
    }

    public DockerImages images() { return images; }

    /** Asks Docker for its properties. Throws a Problem when Docker does not answer, or is Podman. */
    public DockerInfo info() { return DockerInfo.of(docker); }

    /** The Docker network of kind's nodes; a variable of kind can name another. */
    public static String network() {
        String variable = System.getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK");
        return variable == null || variable.isBlank() ? "kind" : variable;
    }

    /** The address of Docker that the docker command uses, such as unix:///var/run/docker.sock. */
    public String endpoint() {
        return docker.attempt(SHORT, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").out().strip();
    }

    /** The nodes of all kind clusters, including stopped ones. */
    public List<Node> nodes() {
        List<String> ids = containers(CLUSTER_LABEL);
        if (ids.isEmpty()) return List.of();
        List<Node> nodes = new ArrayList<>();
        // not logged, because the descriptions contain the environment of other clusters' containers;
        // a container that was removed between the two calls changes only the exit code
        for (JsonNode c : parse(docker.attemptUnlogged(SHORT, words(ids, "inspect")).out())) {
            JsonNode labels = c.at("/Config/Labels");
            nodes.add(new Node(c.path("Name").asText().substring(1), labels.path(CLUSTER_LABEL).asText(),
                    labels.path(ROLE_LABEL).asText().equals("worker"), c.at("/Config/Image").asText(),
                    labels.path(BASE_LABEL).asText(), c.at("/State/Running").asBoolean(),
                    c.at("/State/Paused").asBoolean(), labels.has(LABEL), ports(c)));
        }
        return nodes;
    }

    private static List<Port> ports(JsonNode container) {
        JsonNode published = container.at("/NetworkSettings/Ports");
        if (published.isEmpty()) published = container.at("/HostConfig/PortBindings"); // the container is stopped
        List<Port> ports = new ArrayList<>();
        for (var entry : published.properties()) {
            int port = Integer.parseInt(entry.getKey().split("/")[0]);
            for (JsonNode at : entry.getValue())
                ports.add(new Port(port, at.path("HostIp").asText(), at.path("HostPort").asInt()));
        }
        return ports;
    }

    /** The host and port at which a node of the cluster publishes a port, if one does. */
    public Optional<String> published(Cluster cluster, int containerPort) {
        return nodes(cluster).stream().flatMap(node -> node.ports().stream())
                .filter(port -> port.containerPort() == containerPort).map(Port::reached).findFirst();
    }

    /** The nodes of one cluster, including stopped ones. */
    public List<Node> nodes(Cluster cluster) {
        return nodes().stream().filter(node -> node.cluster().equals(cluster.name())).toList();
    }

    /** The control plane's address on the Docker network, which other clusters use. */
    public String address(Cluster cluster) {
        String container = cluster.controlPlane(), address = addressOf(container);
        if (!address.isEmpty()) return address;
        throw Problem.failed("%s: the container %s is not running, so it has no address".formatted(cluster, container),
                "docker start " + container);
    }

    /** Docker's description of the nodes' network, if it exists. */
    public Optional<JsonNode> findNetwork() { return inspect("network", network()); }

    /** Docker's description of the nodes' network. Throws a Problem when it does not exist. */
    public JsonNode describeNetwork() {
        return findNetwork().orElseThrow(() ->
                Problem.failed("there is no Docker network " + network(), "docker network ls"));
    }

    public void start(List<Node> nodes) {
        docker.run(Duration.ofMinutes(1), words(nodes.stream().map(Node::name).toList(), "start"));
    }

    /**
     * Starts a container of a node image that only sleeps, and is removed after {@code life}.
     *
     * @param volume what to mount, as in docker run's option --volume
     * @return its ID
     */
    public String runTemplate(String image, String volume, Duration life) {
        return docker.run(SHORT, "run", "--detach", "--rm", "--privileged", "--network", "none", "--label", helper,
                "--volume", volume, "--entrypoint", "sleep", image, "" + life.toSeconds()).strip();
    }

    /** Whether containers can mount a folder of Docker's machine, and the folder contains the file. */
    public boolean canMount(String folder, String file, String image) {
        return docker.attempt(SHORT, "run", "--rm", "--network", "none", "--label", helper, "--volume",
                folder + ":/mounted:ro", "--entrypoint", "test", image, "-e", "/mounted/" + file).ok();
    }

    /** Creates a volume unless it exists. */
    public void makeVolume(String name) { docker.run(SHORT, "volume", "create", "--label", LABEL, name); }

    /** The folder of a volume on Docker's machine, if the volume exists. */
    public Optional<String> pathOf(String volume) {
        var result = docker.attempt(SHORT, "volume", "inspect", "--format", "{{.Mountpoint}}", volume);
        return result.ok() ? Optional.of(result.out().strip()) : Optional.empty();
    }

    /** The volumes of {@link #makeVolume} that no container mounts. */
    public List<String> volumes() {
        return docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + LABEL, "--filter", "dangling=true")
                .lines().toList();
    }

    /** Removes volumes that no container uses, if they exist. */
    public void removeVolumes(List<String> names) {
        if (!names.isEmpty()) docker.run(LONG, words(names, "volume", "rm", "--force"));
    }

    /** Starts a server container on the nodes' network. */
    public void runServer(String name, String image) {
        docker.run(SHORT, "run", "--detach", "--rm", "--name", name, "--network", network(), "--label", helper, image);
    }

    /** The IPv4 address of a container on the nodes' network, or an empty text. */
    public String addressOf(String container) {
        return container(container).map(c -> c.at("/NetworkSettings/Networks").path(network()).path("IPAddress"))
                .map(JsonNode::asText).orElse("");
    }

    /** The networks of a container. */
    public Set<String> networks(String container) {
        return container(container).stream().flatMap(c -> c.at("/NetworkSettings/Networks").propertyStream())
                .map(Map.Entry::getKey).collect(Collectors.toCollection(TreeSet::new));
    }

    /** {@link #addressOf} as a shell command. It uses index, because the network's name may contain a hyphen. */
    public static String addressAsShell(String container) {
        return "docker inspect --format '{{(index .NetworkSettings.Networks \"%s\").IPAddress}}' %s".formatted(
                network(), container);
    }

    /** Docker's description of a container, running or stopped, if it exists. */
    public Optional<JsonNode> container(String name) { return inspect("container", name); }

    private Optional<JsonNode> inspect(String kind, String name) {
        ExternalCommand.Result result = docker.attemptUnlogged(SHORT, kind, "inspect", name);
        return result.ok() ? Optional.of(parse(result.out()).get(0)) : Optional.empty();
    }

    /** The names of containers and volumes with a label. */
    public List<String> labelled(String label) {
        String containers = docker.run(SHORT, "ps", "--all", "--format", "{{.Names}}", "--filter", "label=" + label);
        String volumes = docker.run(SHORT, "volume", "ls", "--quiet", "--filter", "label=" + label);
        return (containers + volumes).lines().distinct().toList();
    }

    /** The IDs of this demo's containers from {@link #runTemplate} and {@link #runServer}. */
    public List<String> helpers() { return containers(helper); }

    private List<String> containers(String label) {
        return docker.run(SHORT, "ps", "--all", "--quiet", "--filter", "label=" + label).lines().toList();
    }

    /** Removes a container in any state, if it exists. */
    public void remove(String container) { docker.attempt(LONG, "rm", "--force", "--volumes", container); }

    /** The last lines of a node's start, and of its services. */
    public String logs(String node, int lines) {
        String count = "" + lines;
        ExternalCommand.Result started = docker.attemptUnlogged(SHORT, "logs", "--tail", count, node);
        ExternalCommand.Result services =
                docker.attemptUnlogged(SHORT, "exec", node, "journalctl", "--no-pager", "--lines", count);
        return started.out() + started.err() + services.out() + services.err();
    }

    /** Whether a container, running or stopped, has the file. */
    public boolean hasFile(String container, String path) {
        return docker.attemptUnlogged(SHORT, "cp", container + ":" + path, "-").ok();
    }

    /** Runs a command in a container, and returns its result whether it fails or not. */
    public ExternalCommand.Result exec(Duration limit, String container, String... command) {
        return docker.attempt(limit, words(List.of(command), "exec", container));
    }

    /** Runs a command in a container for up to 20 minutes. Throws a Problem when it fails. */
    public void expect(String container, String... command) {
        docker.run(LONG, words(List.of(command), "exec", container));
    }

    /** Starts a command in a container and does not wait for it. */
    public void execDetached(String container, String... command) {
        docker.run(SHORT, words(List.of(command), "exec", "--detach", container));
    }
}
