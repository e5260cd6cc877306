package lib.docker;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import module jdk.httpserver;
import lib.ca.*;
import lib.kube.*;
import lib.preflight.*;
import lib.run.*;
import lib.test.*;
import java.security.cert.Certificate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How Docker's answers are read, and the environment of external commands. */
class DockerTest {
    private static final Docker DOCKER = new Docker(new Console(false));

    private static DockerInfo info(String json) { return DockerInfo.read(new ExternalCommand.Result(0, json, "")); }

    @Tag("unit") @Test void readsTheSecurityOptions() {
        DockerInfo rootless = info("""
                {"ServerVersion": "28.0.1", "CgroupVersion": "2", "CgroupDriver": "systemd", "MemoryLimit": true,
                 "PidsLimit": true, "CPUShares": true,
                 "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}""");
        assertEquals(Set.of("seccomp", "rootless", "cgroupns"), rootless.security());
        assertTrue(rootless.limits());
        assertFalse(info("{\"ServerVersion\": \"28.0.1\", \"MemoryLimit\": true, \"PidsLimit\": true}").limits());
        assertEquals(Set.of("userns"),
                info("{\"ServerVersion\": \"28.0.1\", \"SecurityOptions\": [\"name=userns\"]}").security());
    }

    @Tag("unit") @Test void recognizesPodman() {
        for (String json : List.of("{\"host\": {\"arch\": \"amd64\"}, \"version\": {\"Version\": \"5.2.1\"}}",
                "{\"ServerVersion\": \"5.2.1\", \"DockerRootDir\": \"/home/me/.local/share/containers/storage\"}",
                "{\"ServerVersion\": \"5.2.1\", \"DockerRootDir\": \"/data\", \"ProductLicense\": \"Apache-2.0\"}")) {
            Problem problem = assertThrows(Problem.class, () -> info(json));
            assertEquals(Problem.UNMET, problem.exitCode());
            assertTrue(problem.getMessage().contains("Podman"), problem.getMessage());
        }
        var result = new ExternalCommand.Result(125, "", "Cannot connect to Podman. Please verify");
        assertThrows(Problem.class, () -> DockerInfo.read(result));
    }

    @Tag("unit") @Test void setsProviderPlatformNetworkAndNamespaceForCommands() {
        Map<String, String> changes = CommandEnvironment.changes(Map.of("KIND_EXPERIMENTAL_PROVIDER", "podman",
                "DOCKER_DEFAULT_PLATFORM", "linux/s390x", "COMPOSE_FILE", "other.yaml", "COMPOSE_PROFILES", "x",
                "ISTIOCONFIG", "/none.yaml", "ISTIOCTL_XDS_LABEL", "app=x", "TAR_OPTIONS", "-v", "HOME", "/home/me",
                "DOCKER_HOST", "unix:///d.sock"));
        assertEquals("docker", changes.get("KIND_EXPERIMENTAL_PROVIDER"));
        String network = "KIND_EXPERIMENTAL_DOCKER_NETWORK";
        assertTrue(changes.containsKey(network) && changes.get(network) == null, "kind uses its own default");
        assertTrue(CommandEnvironment.changes(Map.of(network, " ")).containsKey(network));
        assertFalse(CommandEnvironment.changes(Map.of(network, "other")).containsKey(network));
        assertFalse(Docker.network().isEmpty());
        assertEquals("istio-system", changes.get("ISTIOCTL_ISTIONAMESPACE"));
        for (String name : List.of("DOCKER_DEFAULT_PLATFORM", "COMPOSE_FILE", "COMPOSE_PROFILES", "ISTIOCONFIG",
                "ISTIOCTL_XDS_LABEL", "TAR_OPTIONS"))
            assertTrue(changes.containsKey(name) && changes.get(name) == null, name);
        for (String name : List.of("HOME", "DOCKER_HOST")) assertFalse(changes.containsKey(name), name);
    }

    /** The environment of a command, with both ways to start it. */
    @Tag("unit") @Test void startsCommandsWithThatEnvironment() throws IOException {
        ExternalCommand shell = new ExternalCommand("sh", "", new Console(false));
        var printed = new ByteArrayOutputStream();
        shell.into(Duration.ofSeconds(10), printed, "-c", "echo $KIND_EXPERIMENTAL_PROVIDER");
        assertEquals("docker\n", printed.toString(StandardCharsets.UTF_8));
        assertEquals("docker\n", shell.run(Duration.ofSeconds(10), "-c", "echo $KIND_EXPERIMENTAL_PROVIDER"));
    }

    @Tag("unit") @Test void recognizesRemoteEndpoints() {
        for (String remote : List.of("ssh://me@far.example.org", "ssh://far", "tcp://10.1.2.3:2376",
                "tcp://docker:2375", "tcp://[fd00::7]:2375")) assertTrue(HostChecks.isRemote(remote), remote);
        for (String local : List.of("unix:///var/run/docker.sock", "unix:///home/j\u00f6rg/a b/docker.sock",
                "npipe:////./pipe/docker_engine", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375",
                ""))
            assertFalse(HostChecks.isRemote(local), local);
    }

    @Tag("unit") @Test void urlsBracketIPv6Addresses() {
        assertEquals("[fd00::1]", Addresses.inUrl("fd00::1"));
        assertEquals("10.0.0.1", Addresses.inUrl("10.0.0.1"));
    }

    @Tag("unit") @Test void inspectsNetworksOfAnyName() {
        String index = "(index .NetworkSettings.Networks \"%s\").IPAddress".formatted(Docker.network());
        assertTrue(Docker.addressAsShell("x").contains(index));
    }

    /** The registry has a certificate that Docker's daemon accepts and the docker command rejects. */
    @Tag("e2e") @Test void findsImagesThatOnlyTheDaemonCanPull() throws Exception {
        byte[] manifest = """
                {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                 "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
                            "digest": "sha256:%1$s"},
                 "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 2,
                             "digest": "sha256:%1$s"}]}"""
                .formatted("0".repeat(64)).getBytes(StandardCharsets.UTF_8);
        String digest = "sha256:" + Mirror.sha256(manifest);
        HttpsServer registry = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        registry.setHttpsConfigurator(new HttpsConfigurator(selfSigned()));
        registry.createContext("/v2/", exchange -> {
            String path = exchange.getRequestURI().getPath();
            boolean found = Set.of("/v2/node/manifests/v1", "/v2/node/manifests/" + digest).contains(path);
            boolean ping = path.equals("/v2/");
            byte[] answer = "{\"errors\": [{\"code\": \"MANIFEST_UNKNOWN\", \"message\": \"manifest unknown\"}]}"
                    .getBytes(StandardCharsets.UTF_8);
            if (found) answer = manifest;
            if (ping) answer = new byte[0];
            if (found) exchange.getResponseHeaders().add("Docker-Content-Digest", digest);
            exchange.getResponseHeaders().add("Content-Type",
                    found ? "application/vnd.docker.distribution.manifest.v2+json" : "application/json");
            boolean body = answer.length > 0 && !exchange.getRequestMethod().equals("HEAD");
            if (!body) exchange.getResponseHeaders().add("Content-Length", "" + answer.length);
            exchange.sendResponseHeaders(found || ping ? 200 : 404, body ? answer.length : -1);
            if (body) exchange.getResponseBody().write(answer);
            exchange.close();
        });
        registry.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        registry.start();
        String host = "127.0.0.1:" + registry.getAddress().getPort();
        try {
            assertEquals("", DOCKER.images().whyNotPullable(host + "/node:v1"));
            String unknown = DOCKER.images().whyNotPullable(host + "/node:v2");
            assertTrue(unknown.contains("manifest unknown") || unknown.contains("not found"), unknown);
        } finally {
            registry.stop(0);
        }
        String dead = DOCKER.images().whyNotPullable(host + "/node:v1");
        assertTrue(dead.contains("connection refused"), dead);
    }

    private static SSLContext selfSigned() throws GeneralSecurityException, IOException {
        Certificates.Authority self = Certificates.createRoot();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        keys.setKeyEntry("self", self.key(), new char[0], new Certificate[] {self.certificate()});
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(keys, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        return context;
    }
}
