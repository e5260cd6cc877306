package lib.ca;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;

/**
 * Vault as the root of trust: a server in a container on the nodes' network that holds a root CA and an intermediate for each
 * cluster, whose keys never leave it. It is set up through its HTTP API, https://developer.hashicorp.com/vault/api-docs/secret/pki.
 * It outlives a restart, sealed then; the next run opens it again.
 */
public final class Vault implements CertificateAuthority {
    private static final String IMAGE = "docker.io/hashicorp/vault:" + Versions.VAULT;
    /** The mount of the root CA, and the names of the authorities. */
    private static final String ROOT = "pki", ROOT_NAME = "sample.mesh", INTERMEDIATE_NAME = "sample.mesh Intermediate Authority",
            CACERTS_NAME = "istiod";
    private static final int PORT = 8200;
    private static final String LABEL = Docker.LABEL + ".vault";
    private static final String ROOT_LIFE = "87600h", INTERMEDIATE_LIFE = "43800h", CACERTS_LIFE = "17520h",
            WORKLOAD_LIFE = "72h", TOKEN_LIFE = "8760h";
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
    private volatile VaultApi api;
    private volatile X509Certificate root;

    /**
     * @param demo        the demo's name prefix; the container, its volume and the Compose project are named after it
     * @param port        the port that is asked for, on 127.0.0.1
     * @param slot        the demo's block of ports: each demo has another default port
     * @param unavailable tells why an image can neither be pulled nor loaded; an empty text when it can
     * @param state       the folder for keys and tokens
     */
    public Vault(String demo, Optional<Integer> port, int slot, Docker docker, UnaryOperator<String> unavailable, Manifests manifests,
            Path state, Console console) {
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
        Optional<JsonNode> there = docker.container(name);
        if (there.isPresent() && !there.get().at("/Config/Labels").has(LABEL))
            throw Problem.unmet("a container named %s exists and was not made by this demo; it stays untouched".formatted(name),
                    "choose another --name-prefix, or remove it: docker rm " + name);
        int wanted = port(there);
        if (publishedPort(there).filter(p -> p == wanted).isEmpty() && !Machine.isFree(wanted))
            throw Problem.unmet("port %d (Vault) on 127.0.0.1 is already in use".formatted(wanted),
                    "find the process (lsof -i :%d), or use another port: --vault-port N".formatted(wanted));
        String version = compose.version();
        String reason = docker.images().present(List.of(IMAGE)).isEmpty() ? unavailable.apply(IMAGE) : "";
        if (!reason.isEmpty()) throw Problem.unmet(DockerImages.NOT_PULLED.formatted(IMAGE, reason),
                "check your connection: docker pull " + IMAGE);
        return "Vault %s on port %d, by %s".formatted(Versions.VAULT, wanted, version);
    }

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
        int wanted = port.orElse(defaultPort);
        return new Action(Cacerts.FILES_AS_SHELL + """
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
                vault secrets enable -path=%5$s -max-lease-ttl=%6$s pki
                vault write -field=certificate %5$s/root/generate/internal common_name=%7$s exclude_cn_from_sans=true \\
                  key_type=ec ttl=%6$s > root-cert.pem"""
                .formatted(Docker.network(), name, DemoCommands.hereDocument("EOF", composeFile(wanted)), wanted, ROOT, ROOT_LIFE, ROOT_NAME), progress -> {
            start(progress);
            root = rootCertificate();
        });
    }

    /**
     * The cluster's intermediate stays in Vault, and signs one authority more: the one that istiod signs with, whose key is made
     * here and goes nowhere but into the cluster.
     */
    @Override public Action install(Kube kube) {
        Cluster cluster = kube.cluster();
        String toShell = """
                openssl ecparam -name prime256v1 -genkey -noout -out %1$s-key.pem
                openssl req -new -key %1$s-key.pem -subj / -out %1$s.csr
                vault write -field=certificate %2$s/root/sign-intermediate csr=@%1$s.csr common_name=%3$s locality=%4$s \\
                  exclude_cn_from_sans=true max_path_length=0 ttl=%5$s > %1$s-cert.pem
                for certificate in %1$s-cert.pem %2$s.pem root-cert.pem; do cat $certificate; echo; done > %1$s-chain.pem
                """.formatted(cluster.id(), mount(cluster), CACERTS_NAME, cluster.id(), CACERTS_LIFE);
        return new Action(intermediateAsShell(cluster) + toShell + Cacerts.toShell(cluster, manifests), _ -> {
            X509Certificate intermediate = intermediate(cluster);
            Cacerts.install(kube, manifests, root, () -> {
                KeyPair keys = Certificates.newKeys();
                X509Certificate own = sign(mount(cluster), Certificates.request(keys), CACERTS_NAME, cluster, 0, CACERTS_LIFE);
                return new Cacerts(keys.getPrivate(), List.of(own, intermediate, root));
            });
        });
    }

    /** What {@link #intermediate} does, as shell commands. */
    static String intermediateAsShell(Cluster cluster) {
        return """
                vault secrets enable -path=%1$s -max-lease-ttl=%4$s pki
                vault write -field=csr %1$s/intermediate/generate/internal common_name='%5$s' key_type=ec > %1$s.csr
                vault write -field=certificate %6$s/root/sign-intermediate csr=@%1$s.csr common_name='%5$s' locality=%7$s \\
                  exclude_cn_from_sans=true max_path_length=1 ttl=%4$s > %1$s.pem
                vault write %1$s/intermediate/set-signed certificate=@%1$s.pem > /dev/null
                vault write %1$s/roles/%2$s allow_any_name=true enforce_hostnames=false require_cn=false \\
                  allowed_uri_sans='spiffe://*' key_type=any max_ttl=%8$s > /dev/null
                echo '%9$s' | vault policy write %2$s -
                vault token create -field=token -orphan -no-default-policy -policy=%2$s -ttl=%10$s > %3$s-token
                """.formatted(mount(cluster), role(cluster), cluster, INTERMEDIATE_LIFE, INTERMEDIATE_NAME, ROOT, cluster.id(),
                WORKLOAD_LIFE, policy(cluster), TOKEN_LIFE);
    }

    /** Where a cluster's intermediate is, the role that its workloads' certificates are issued by, and what its token may do: that. */
    static String mount(Cluster cluster) { return "pki_int" + cluster.index(); }

    static String role(Cluster cluster) { return "cluster%d-issuer".formatted(cluster.index()); }

    /** Where the API signs what the cluster's token may have signed. */
    static String signPath(Cluster cluster) { return "%s/sign/%s".formatted(mount(cluster), role(cluster)); }

    private static String policy(Cluster cluster) {
        return "path \"%s\" { capabilities = [\"update\"] }".formatted(signPath(cluster));
    }

    /** The file with the token of a cluster, which may sign by its own role and nothing else. */
    Path token(Cluster cluster) { return secrets.resolve(cluster + "-token"); }

    /** The server's address on the docker network, for the clusters; the engine may give another with each start. */
    String nodesAddress() { return docker.addressOf(name); }

    /** The same as a shell command. */
    String addressAsShell() { return Docker.addressAsShell(name); }

    @Override public List<String> hostImages() { return List.of(IMAGE); }

    /** Brings the server up, initialised and open; takes one that an earlier run made. */
    void start(Consumer<String> progress) throws IOException {
        Await.until("the docker network " + Docker.network(), LIMIT, Duration.ofMillis(200), progress,
                () -> docker.findNetwork().isPresent() ? "" : "kind makes it with its first cluster");
        int wanted = port(docker.container(name));
        api = new VaultApi("http://127.0.0.1:" + wanted, secrets.resolve("root-token"), console, "docker logs " + name);
        compose.up(name, composeFile(wanted));
        Await.until("Vault at " + api.address(), LIMIT, Duration.ofMillis(100), progress, () -> api.health() == 0 ? "no answer" : "");
        Path unsealKey = secrets.resolve("unseal-key");
        boolean made = api.health() != VaultApi.NOT_INITIALIZED;
        if (made != Files.exists(unsealKey)) throw Problem.failed(made ? "%s is sealed, and its key is gone: %s".formatted(name, unsealKey)
                : "%s is empty: the mesh's root went with its volume".formatted(name),
                console.commands().fromScratch());
        if (!made) {
            JsonNode keys = api.call("PUT", "sys/init", Map.of("secret_shares", 1, "secret_threshold", 1));
            Files.createDirectories(secrets);
            writeSecret(secrets.resolve("root-token"), keys.path("root_token").asText());
            writeSecret(unsealKey, keys.at("/keys_base64/0").asText());
        }
        if (api.health() != VaultApi.OPEN) api.call("PUT", "sys/unseal", Map.of("key", Files.readString(unsealKey)));
        Await.until("Vault to be open", LIMIT, Duration.ofMillis(100), progress,
                () -> api.health() == VaultApi.OPEN ? "" : "it answers " + api.health());
    }

    private static void writeSecret(Path file, String secret) throws IOException {
        AppDirs.writePrivate(file, secret.getBytes(StandardCharsets.US_ASCII));
    }

    /** The root's certificate; the root is made when there is none. */
    X509Certificate rootCertificate() throws IOException, CertificateException {
        enable(ROOT, ROOT_LIFE);
        Optional<X509Certificate> there = certificate(ROOT);
        if (there.isPresent()) return there.get();
        return readCertificate(api.call("POST", ROOT + "/root/generate/internal", Map.of("common_name", ROOT_NAME,
                "exclude_cn_from_sans", true, "key_type", "ec", "ttl", ROOT_LIFE)));
    }

    /** The certificate of a cluster's intermediate, made under the root when there is none, with a role, a policy and a token for it. */
    X509Certificate intermediate(Cluster cluster) throws IOException, CertificateException {
        String mount = mount(cluster), role = role(cluster);
        enable(mount, INTERMEDIATE_LIFE);
        Optional<X509Certificate> there = certificate(mount);
        if (there.isEmpty()) {
            JsonNode request = api.call("POST", mount + "/intermediate/generate/internal", Map.of("common_name", INTERMEDIATE_NAME,
                    "key_type", "ec"));
            X509Certificate signed = sign(ROOT, request.at("/data/csr").asText(), INTERMEDIATE_NAME, cluster, 1, INTERMEDIATE_LIFE);
            api.call("POST", mount + "/intermediate/set-signed", Map.of("certificate", Certificates.pem(signed)));
            there = Optional.of(signed);
        }
        api.call("POST", mount + "/roles/" + role, Map.of("allow_any_name", true, "enforce_hostnames", false, "require_cn", false,
                "allowed_uri_sans", "spiffe://*", "key_type", "any", "max_ttl", WORKLOAD_LIFE));
        api.call("PUT", "sys/policies/acl/" + role, Map.of("policy", policy(cluster)));
        if (!Files.exists(token(cluster))) {
            JsonNode made = api.call("POST", "auth/token/create-orphan", Map.of("policies", List.of(role), "no_default_policy", true,
                    "ttl", TOKEN_LIFE, "display_name", cluster.name()));
            writeSecret(token(cluster), made.at("/auth/client_token").asText());
        }
        return there.get();
    }

    /** Has an authority's request signed by the one at a mount. {@code below}: how many authorities may follow under it. */
    private X509Certificate sign(String mount, String request, String title, Cluster cluster, int below, String life)
            throws IOException, CertificateException {
        return readCertificate(api.call("POST", mount + "/root/sign-intermediate", Map.of("csr", request, "common_name", title,
                "locality", cluster.id(), "exclude_cn_from_sans", true, "max_path_length", below, "ttl", life)));
    }

    private void enable(String mount, String longest) throws IOException {
        if (api.call("GET", "sys/mounts", null).has(mount + "/")) return;
        api.call("POST", "sys/mounts/" + mount, Map.of("type", "pki", "config", Map.of("max_lease_ttl", longest)));
    }

    /** The certificate that the authority at a mount signs with, if it has one. */
    private Optional<X509Certificate> certificate(String mount) throws IOException, CertificateException {
        boolean none = api.call("GET", mount + "/config/issuers", null).at("/data/default").asText().isEmpty();
        return none ? Optional.empty() : Optional.of(readCertificate(api.call("GET", mount + "/cert/ca", null)));
    }

    private static X509Certificate readCertificate(JsonNode answer) throws CertificateException {
        return Certificates.readCertificate(answer.at("/data/certificate").asText());
    }

    @Override public List<String> containers() { return existing(); }

    /** The container and the volume of this demo, by their label. */
    public List<String> existing() { return docker.labelled(LABEL + "=" + demo); }

    /** Removes the container, and with it its place on the network, and the volume. */
    public Action remove() {
        return new Action("docker rm --force %1$s; docker volume rm %1$s".formatted(name), _ -> {
            if (existing().isEmpty()) return;
            docker.remove(name);
            docker.removeVolumes(List.of(name));
            if (!existing().isEmpty())
                throw Problem.failed("Vault is still there: " + existing(), "docker rm --force " + name);
        });
    }
}
