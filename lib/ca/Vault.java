package lib.ca;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import java.security.cert.X509Certificate;

/**
 * Vault as the root of trust: a server in a container on the nodes' network. It is sealed after a restart; the next run
 * unseals it.
 */
public final class Vault implements CertificateAuthority {
    private static final String IMAGE = "docker.io/hashicorp/vault:" + Versions.VAULT;
    private static final int PORT = 8200;
    private static final String LABEL = Docker.LABEL + ".vault";
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final String demo, name;
    private final Optional<Integer> port;
    private final int defaultPort;
    private final Docker docker;
    private final Compose compose;
    private final UnaryOperator<String> unavailable;
    private final Manifests manifests;
    private final Path secrets;
    private final Console console;
    private volatile VaultPki pki;

    /**
     * @param demo        the demo's name prefix; the container, its volume and the Compose project are named after it
     * @param port        the port on 127.0.0.1 that the user asks for
     * @param slot        the demo's block of ports: each demo has another default port
     * @param unavailable returns why an image can neither be pulled nor loaded; empty when it can
     * @param state       the folder for keys and tokens
     */
    public Vault(String demo, Optional<Integer> port, int slot, Docker docker, UnaryOperator<String> unavailable,
            Manifests manifests, Path state, Console console) {
        this.demo = demo;
        this.name = demo + "-vault";
        this.port = port;
        this.defaultPort = PORT + slot;
        this.docker = docker;
        this.compose = new Compose(console);
        this.unavailable = unavailable;
        this.manifests = manifests;
        this.secrets = state.resolve("vault");
        this.console = console;
    }

    @Override public String check() {
        Optional<JsonNode> container = docker.container(name);
        if (container.isPresent() && !container.get().at("/Config/Labels").has(LABEL))
            throw Problem.unmet("a container named %s exists and was not created by this demo; nothing was changed"
                    .formatted(name), "choose another --name-prefix, or remove it: docker rm " + name);
        int port = port(container);
        boolean published = publishedPort(container).equals(Optional.of(port));
        if (!published && !Machine.isFree(port))
            throw Problem.unmet("port %d (Vault) on 127.0.0.1 is already in use".formatted(port),
                    "find the process (lsof -i :%d), or use another port: --vault-port N".formatted(port));
        String version = compose.version();
        String reason = docker.images().present(List.of(IMAGE)).isEmpty() ? unavailable.apply(IMAGE) : "";
        if (!reason.isEmpty()) throw Problem.unmet(DockerImages.NOT_PULLED.formatted(IMAGE, reason),
                "check your connection: docker pull " + IMAGE);
        return "Vault %s on port %d, by %s".formatted(Versions.VAULT, port, version);
    }

    /** The port that the user asks for, else the port of the existing container, else the default. */
    private int port(Optional<JsonNode> container) {
        return port.or(() -> publishedPort(container)).orElse(defaultPort);
    }

    private static Optional<Integer> publishedPort(Optional<JsonNode> container) {
        return container.map(c -> c.at("/HostConfig/PortBindings/8200~1tcp/0/HostPort").asInt());
    }

    private String composeFile(int port) {
        return manifests.filled(Manifests.VAULT, Map.of("VAULT_VERSION", Versions.VAULT, "NAME_PREFIX", demo,
                "VAULT_PORT", "" + port, "DOCKER_NETWORK", Docker.network()));
    }

    @Override public Action root() {
        int port = this.port.orElse(defaultPort);
        String toShell = """
                docker network inspect %1$s > /dev/null 2>&1 || docker network create %1$s
                docker compose --project-name %2$s --file - up --detach %3$s
                export VAULT_ADDR=http://127.0.0.1:%4$d
                until curl -s $VAULT_ADDR/v1/sys/health > /dev/null; do sleep 0.2; done
                vault operator init -key-shares=1 -key-threshold=1 > vault-init
                sed -n 's/^Unseal Key 1: //p' vault-init | tr -d '\\n' > unseal-key
                sed -n 's/^Initial Root Token: //p' vault-init > root-token
                vault write sys/unseal key=@unseal-key > /dev/null
                until curl -sf $VAULT_ADDR/v1/sys/health > /dev/null; do sleep 0.2; done
                export VAULT_TOKEN=$(cat root-token)
                """.formatted(Docker.network(), name, DemoCommands.hereDocument("EOF", composeFile(port)), port);
        return new Action(Cacerts.SHELL_FOLDER + toShell + VaultPki.rootToShell(), progress -> {
            start(progress);
            pki.root();
        });
    }

    @Override public Action install(Kube kube) {
        Cluster cluster = kube.cluster();
        String toShell = VaultPki.intermediateToShell(cluster) + VaultPki.cacertsToShell(cluster)
                + Cacerts.toShell(cluster, manifests);
        return new Action(toShell, _ -> {
            X509Certificate root = pki.root(), intermediate = pki.intermediate(cluster);
            Cacerts.install(kube, manifests, root, () -> pki.cacerts(cluster, intermediate, root));
        });
    }

    /** The CAs in this Vault, once {@link #start} is done. */
    VaultPki pki() { return pki; }

    /** The server's address on the docker network, for the clusters; Docker may assign another with each start. */
    String addressForClusters() { return docker.addressOf(name); }

    /** {@link #addressForClusters} as a shell command. */
    String addressToShell() { return Docker.addressAsShell(name); }

    @Override public List<String> hostImages() { return List.of(IMAGE); }

    /** Starts the server, initializes it unless an earlier run did, and unseals it. */
    void start(Consumer<String> progress) throws IOException {
        Await.until("the docker network " + Docker.network(), LIMIT, Duration.ofMillis(200), progress,
                () -> docker.findNetwork().isPresent() ? "" : "kind creates it with its first cluster");
        int port = port(docker.container(name));
        var api = new VaultApi("http://127.0.0.1:" + port, secrets.resolve("root-token"), console,
                "docker logs " + name);
        compose.up(name, composeFile(port));
        Await.until("Vault at " + api.address(), LIMIT, Duration.ofMillis(100), progress,
                () -> api.health() == 0 ? "no answer" : "");
        Path unsealKey = secrets.resolve("unseal-key");
        initialize(api, unsealKey);
        if (api.health() != VaultApi.UNSEALED)
            api.call("PUT", "sys/unseal", Map.of("key", Files.readString(unsealKey)));
        Await.until("Vault to be unsealed", LIMIT, Duration.ofMillis(100), progress,
                () -> api.health() == VaultApi.UNSEALED ? "" : "its health is HTTP status " + api.health());
        pki = new VaultPki(api, secrets);
    }

    /** Initializes a new server; a {@link Problem} when the key or the data of an earlier run is lost. */
    private void initialize(VaultApi api, Path unsealKey) throws IOException {
        boolean initialized = api.health() != VaultApi.NOT_INITIALIZED;
        if (initialized && !Files.exists(unsealKey))
            throw Problem.failed("%s is sealed, and its unseal key is missing: %s".formatted(name, unsealKey),
                    console.commands().fromScratch());
        if (!initialized && Files.exists(unsealKey))
            throw Problem.failed("%s is empty: the root of the mesh was lost with its volume".formatted(name),
                    console.commands().fromScratch());
        if (initialized) return;
        JsonNode keys = api.call("PUT", "sys/init", Map.of("secret_shares", 1, "secret_threshold", 1));
        Files.createDirectories(secrets);
        VaultPki.writeSecret(secrets.resolve("root-token"), keys.path("root_token").asText());
        VaultPki.writeSecret(unsealKey, keys.at("/keys_base64/0").asText());
    }

    /** The names of this demo's container and volume, found by their label. */
    @Override public List<String> containers() { return docker.labelled(LABEL + "=" + demo); }

    /** Removes the container, and with it its address on the network, and the volume. */
    public Action remove() {
        return new Action("docker rm --force %1$s; docker volume rm %1$s".formatted(name), _ -> {
            if (containers().isEmpty()) return;
            docker.remove(name);
            docker.removeVolumes(List.of(name));
            if (!containers().isEmpty())
                throw Problem.failed("Vault still exists: " + containers(), "docker rm --force " + name);
        });
    }
}
