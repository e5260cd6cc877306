package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

/**
 * KindDemo refuses invalid input and unsuitable machines at once, with a message, and changes nothing. Needs Docker;
 * some tests create a small container.
 */
@Tag("e2e")
class BadInputTest {
    private static final Duration AT_ONCE = Duration.ofSeconds(3);
    @TempDir Path folder;

    @BeforeAll static void build() {
        for (String script : List.of("KindDemo", "Verify", "Teardown"))
            Shell.succeeds("jbang build %s.java".formatted(script));
    }

    /** Runs KindDemo. Its time does not include the ten seconds in which it waits for Docker's answer. */
    private static Shell.Result kindDemo(String arguments, Map<String, String> environment) {
        Shell.Result result = Shell.run("jbang KindDemo.java " + arguments, environment);
        return !result.err().contains("`docker info` took over 10 s") ? result
                : new Shell.Result(result.exitCode(), result.out(), result.err(), result.took().minusSeconds(10));
    }

    /**
     * Runs KindDemo with new folders. Expects this exit code, these words in one line of stderr, a hint, and no
     * changes.
     */
    private void refused(int exitCode, String words, String arguments, Map<String, String> environment) {
        Map<String, String> all = new HashMap<>(Map.of("XDG_STATE_HOME", folder.resolve("state").toString(),
                "KUBECONFIG", folder.resolve("kubeconfig").toString()));
        all.putAll(environment);
        String before = Shell.run("docker ps -aq; docker network ls -q").out();
        Shell.Result result = Shell.inTime(words, AT_ONCE, () -> kindDemo(arguments, all));
        assertEquals(exitCode, result.exitCode(), result.all());
        assertTrue(result.err().lines().anyMatch(l -> l.contains(words)),
                "expected '%s' in:\n%s".formatted(words, result.err()));
        assertTrue(exitCode == Problem.USAGE || result.err().contains("→ "), result.err());
        assertFalse(result.err().contains("\tat "), "a stack trace:\n" + result.err());
        assertEquals(before, Shell.run("docker ps -aq; docker network ls -q").out());
        assertFalse(Files.exists(folder.resolve("state")) || Files.exists(folder.resolve("kubeconfig")),
                "files were created");
    }

    private void refused(int exitCode, String words, String arguments) {
        refused(exitCode, words, arguments, Map.of());
    }

    @Test void dockerDoesNotRun() {
        refused(Problem.UNMET, "Docker does not answer", "",
                Map.of("DOCKER_HOST", "unix://" + folder.resolve("no.sock")));
    }

    @Test void dockerDoesNotAnswer() throws IOException {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            refused(Problem.UNMET, "Docker does not answer: `docker info` took over 10 s", "",
                    Map.of("DOCKER_HOST", "tcp://127.0.0.1:" + silent.getLocalPort()));
        }
    }

    /** kubectl and kind use HOME, so the scripts must write files for them there, too. */
    @Test void usesHomeOfTheEnvironment() {
        Map<String, String> environment = new HashMap<>(Shell.SAME_JBANG);
        environment.put("HOME", folder.toString());
        Shell.Result preflight = Shell.run("env -u KUBECONFIG jbang Verify.java --preflight", environment);
        assertTrue(preflight.out().contains("kubeconfig: %s/.kube/config".formatted(folder)), preflight.all());
    }

    @Test void noDockerCommand() throws IOException {
        refused(Problem.UNMET, "docker was not found", "",
                Map.of("PATH", pathWith("jbang", "java", "kind", "istioctl")));
    }

    @Test void noKind() throws IOException {
        refused(Problem.UNMET, "kind was not found", "",
                withoutDownloads(pathWith("jbang", "java", "docker", "istioctl")));
    }

    @Test void noIstioctl() throws IOException {
        refused(Problem.UNMET, "istioctl was not found", "",
                withoutDownloads(pathWith("jbang", "java", "docker", "kind")));
    }

    @Test void noTar() throws IOException {
        Path archive = Files.writeString(folder.resolve("demo.tar.gz"), "never read");
        refused(Problem.UNMET, "× tar was not found on PATH", "--offline '%s'".formatted(archive),
                withoutDownloads(pathWith("jbang", "java", "docker")));
    }

    @Test void aRevisionOfIstio() {
        refused(Problem.USAGE, "revision=canary is not supported", "--istio-set revision=canary");
        refused(Problem.USAGE, "revision=canary is not supported", "--dry-run --istio-set revision=canary");
    }

    @Test void anOldKind() throws IOException {
        refused(Problem.UNMET, "kind is too old", "",
                withoutDownloads(pathWith("jbang", "java", "docker", "istioctl") + ":"
                        + withProgram("kind", "kind v0.20.0 go1.20")));
    }

    @Test void anIstioctlOfAnotherVersion() throws IOException {
        refused(Problem.UNMET, "istioctl is of another version", "",
                withoutDownloads(pathWith("jbang", "java", "docker", "kind") + ":"
                        + withProgram("istioctl", "client version: 1.24.0")));
    }

    /** An environment with this PATH, an empty cache, and a mirror that does not answer. */
    private Map<String, String> withoutDownloads(String path) {
        Map<String, String> environment = new HashMap<>(Shell.SAME_JBANG);
        environment.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder.resolve("cache").toString(),
                "KIND_DEMO_MIRROR", "http://127.0.0.1:9"));
        return environment;
    }

    /** A folder with only these programs and basic ones of the system. */
    private String pathWith(String... programs) throws IOException {
        Path bin = Files.createDirectory(folder.resolve("bin"));
        List<String> basic = List.of("bash", "sh", "env", "dirname", "basename", "uname", "readlink", "cat", "sed",
                "tr", "ls", "stat", "mkdir", "id", "grep");
        for (String program : Stream.concat(Stream.of(programs), basic.stream()).toList()) {
            Path file = bin.resolve(program);
            String real = Shell.run("readlink -f $(command -v %s)".formatted(program)).out().strip();
            Files.writeString(file, "#!/bin/sh\nexec %s \"$@\"\n".formatted(real));
            file.toFile().setExecutable(true);
        }
        return bin.toString();
    }

    /** A PATH with a stub of docker: `docker info` prints this, and the real docker runs all other commands. */
    private String dockerWithInfo(String json) throws IOException {
        return dockerAfter("[ \"$1\" = info ] && echo '%s' && exit".formatted(json));
    }

    /** A PATH with a stub of docker: it runs these shell commands first, and then the real docker. */
    private String dockerAfter(String shell) throws IOException {
        String real = Shell.run("readlink -f $(command -v docker)").out().strip();
        Path file = Files.createDirectories(folder.resolve("stub")).resolve("docker");
        Files.writeString(file, "#!/bin/sh\n%s\nexec %s \"$@\"\n".formatted(shell, real));
        file.toFile().setExecutable(true);
        return "%s:%s".formatted(file.getParent(), System.getenv("PATH"));
    }

    private Shell.Result preflight(Map<String, String> environment) {
        Map<String, String> all = new HashMap<>(Map.of("XDG_STATE_HOME", folder.resolve("state").toString()));
        all.putAll(environment);
        return Shell.run("jbang Verify.java --preflight", all);
    }

    @Test void dockerAnswersAfterTwoSeconds() throws IOException {
        Shell.Result preflight = preflight(Map.of("PATH", dockerAfter("[ \"$1\" = info ] && sleep 2")));
        assertTrue(preflight.out().contains("✓ docker: version"), preflight.all());
    }

    @Test void podmanInsteadOfDocker() throws IOException {
        String podman = "`docker` is Podman here, and the demo needs Docker";
        refused(Problem.UNMET, podman, "", Map.of("PATH", dockerWithInfo(
                "{\"host\": {\"arch\": \"amd64\"}, \"version\": {\"Version\": \"5.2.1\"}}")));
        refused(Problem.UNMET, podman, "", Map.of("PATH", dockerWithInfo(
                "{\"ServerVersion\": \"5.2.1\", \"DockerRootDir\": \"/var/lib/containers/storage\"}")));
    }

    @Test void userNamespaces() throws IOException {
        refused(Problem.UNMET, "Docker uses userns-remap", "", Map.of("PATH", dockerWithInfo(
                "{\"ServerVersion\": \"29.1.0\", \"MemTotal\": 99000000000, \"CgroupVersion\": \"2\", "
                        + "\"SecurityOptions\": [\"name=seccomp\", \"name=userns\"]}")));
    }

    @Test void rootlessWithoutCgroupLimits() throws IOException {
        refused(Problem.UNMET,
                "Docker is rootless and cannot limit memory, processes and CPU: it has cgroup v2 without delegation",
                "", Map.of("PATH", dockerWithInfo(
                        "{\"ServerVersion\": \"29.1.0\", \"MemTotal\": 99000000000, \"CgroupVersion\": \"2\", "
                        + "\"CgroupDriver\": \"none\", \"SecurityOptions\": [\"name=rootless\"]}")));
    }

    @Test void dockerOnAnotherMachine() throws IOException {
        refused(Problem.UNMET, "Docker runs on another machine, ssh://me@far.example.org", "", Map.of("PATH",
                dockerAfter("[ \"$1\" = context ] && echo ssh://me@far.example.org && exit")));
    }

    @Test void requiredSignaturesOfImages() {
        refused(Problem.UNMET, "DOCKER_CONTENT_TRUST is set", "", Map.of("DOCKER_CONTENT_TRUST", "1"));
    }

    @Test void warnsAboutAnotherProvider() {
        Shell.Result preflight = preflight(Map.of("KIND_EXPERIMENTAL_PROVIDER", "podman"));
        assertTrue(preflight.out().contains("‼ provider: KIND_EXPERIMENTAL_PROVIDER is podman; the demo uses Docker"),
                preflight.all());
    }

    @Test void anOldDocker() throws IOException {
        refused(Problem.UNMET, "Docker 19.03.15 is too old", "", Map.of("PATH", dockerWithInfo(
                "{\"ServerVersion\": \"19.03.15\", \"MemTotal\": 99000000000, \"CgroupVersion\": \"1\"}")));
    }

    @Test void kubernetesThatDoesNotStartOnCgroupV1() throws IOException {
        refused(Problem.UNMET, "Kubernetes 1.36.4 does not start on this machine's cgroup v1",
                "--node-image kindest/node:v1.36.4", Map.of("PATH", dockerWithInfo(
                        "{\"ServerVersion\": \"29.1.0\", \"MemTotal\": 99000000000, \"CgroupVersion\": \"1\"}")));
    }

    @Test void warnsAboutLittleMemoryAndAProxy() throws IOException {
        var environment = Map.of("HTTPS_PROXY", "http://127.0.0.1:9", "NO_PROXY", "localhost", "XDG_STATE_HOME",
                folder.toString(), "PATH",
                dockerWithInfo("{\"ServerVersion\": \"29.1.0\", \"MemTotal\": 1000000000, \"CgroupVersion\": \"2\"}"));
        Shell.Result preflight = Shell.inTime("preflight", AT_ONCE,
                () -> Shell.run("jbang Verify.java --preflight", environment));
        assertEquals(0, preflight.exitCode(), preflight.all());
        for (String words : List.of("‼ memory: Docker has 1.0 GB",
                "‼ proxy: a proxy is set, and NO_PROXY does not contain 127.0.0.1", "✓ ports: 6 free"))
            assertTrue(preflight.out().contains(words), preflight.out());
    }

    @Test void preflightSupportsOutputAndReport() throws Exception {
        Map<String, String> own = Map.of("XDG_STATE_HOME", folder.resolve("state").toString());
        Path report = folder.resolve("report.html");
        Shell.Result json = Shell.run(
                "jbang Verify.java --preflight -o json --report '%s' --clusters 1".formatted(report), own);
        JsonNode found = new ObjectMapper().readTree(json.out());
        assertEquals(json.exitCode() == 0, found.path("ok").asBoolean(), json.all());
        assertTrue(found.path("checks").findValuesAsText("id").containsAll(List.of("docker", "ports", "images")),
                json.out());
        assertTrue(Files.readString(report).contains("\"layer\" : \"preflight\""));
        Shell.Result junit = Shell.run("jbang Verify.java --preflight -o junit --clusters 1", own);
        var suite = DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(new InputSource(new StringReader(junit.out())));
        assertEquals("" + found.path("checks").size(), suite.getDocumentElement().getAttribute("tests"), junit.all());
        assertFalse(Files.exists(folder.resolve("state")), "files were created");
    }

    @Test void verifyAndTeardownLeaveNoFilesWithoutADemo() {
        Map<String, String> own = Map.of("XDG_STATE_HOME", folder.resolve("state").toString());
        Shell.Result verify = Shell.run("jbang Verify.java --name-prefix nodemo", own);
        assertEquals(Problem.UNMET, verify.exitCode(), verify.all());
        assertFalse(Files.exists(folder.resolve("state")), "Verify created files");
        Shell.succeeds("jbang Teardown.java --name-prefix nodemo", own);
        assertFalse(Files.exists(folder.resolve("state/kind-demo/nodemo")), "Teardown left files");
    }

    @Test void refusesToReplaceFoldersOfTheUser() throws IOException {
        Path mine = Files.createDirectory(folder.resolve("mine")),
                log = Files.writeString(mine.resolve("log.txt"), "mine"),
                index = Files.writeString(mine.resolve("index.json"), "{\"posts\": []}");
        refused(Problem.USAGE, "one with earlier diagnostics, not " + mine, "--diagnostics '%s'".formatted(mine));
        refused(Problem.USAGE, mine + " exists and is not a bundle of this demo", "--bundle '%s'".formatted(mine));
        assertEquals("mine{\"posts\": []}", Files.readString(log) + Files.readString(index));
    }

    /**
     * The API server has no Istio and refuses all other requests, and Docker does not run: KindDemo reports the refusal
     * and does not mention Docker.
     */
    @Test void reportsTheFailureOfARunWithoutDocker() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            boolean list = exchange.getRequestMethod().equals("GET")
                    && exchange.getRequestURI().getPath().endsWith("/deployments");
            String json = list
                    ? "{\"kind\": \"DeploymentList\", \"apiVersion\": \"apps/v1\", \"metadata\": {}, \"items\": []}"
                    : "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"code\": 403, "
                            + "\"message\": \"forbidden by the test\"}";
            byte[] body = json.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(list ? 200 : 403, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        try {
            Path kubeconfig = Files.writeString(folder.resolve("config"), """
                    apiVersion: v1
                    kind: Config
                    contexts: [{name: east, context: {cluster: east, user: east}}]
                    clusters: [{name: east, cluster: {server: "http://127.0.0.1:%d"}}]
                    users: [{name: east, user: {token: x}}]
                    """.formatted(server.getAddress().getPort()));
            String path = withProgram("istioctl", "client version: " + Versions.ISTIO) + ":" + System.getenv("PATH");
            Shell.Result failed = Shell.run("jbang KindDemo.java --contexts east",
                    Map.of("KUBECONFIG", kubeconfig.toString(), "XDG_STATE_HOME", folder.resolve("state").toString(),
                            "DOCKER_HOST", "unix://" + folder.resolve("no.sock"), "PATH", path));
            assertEquals(Problem.FAILED, failed.exitCode(), failed.all());
            assertTrue(failed.err().contains("forbidden by the test")
                    && failed.err().contains("diagnostics, without secrets, are in "), failed.err());
            assertFalse(failed.err().matches("(?s).*(container engine|Docker does not answer).*"), failed.err());
        } finally {
            server.stop(0);
        }
    }

    /** A folder with a program that prints this text. */
    private String withProgram(String program, String text) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("old"));
        Path file = Files.writeString(bin.resolve(program), "#!/bin/sh\necho '%s'\n".formatted(text));
        file.toFile().setExecutable(true);
        return bin.toString();
    }

    @Test void portsInUse() throws IOException {
        try (ServerSocket ingress = new ServerSocket(32012, 50, InetAddress.getByName("127.0.0.1"))) {
            refused(Problem.UNMET, "port %d (so2)".formatted(ingress.getLocalPort()), "");
        }
    }

    /**
     * Follows both hints: another port in a copy of the manifests, which preflight then checks, and another demo.
     */
    @Test void bothHintsForPortsInUseHelp() throws IOException {
        Path copy = folder.resolve("copy"), cluster = copy.resolve("kind/cluster.yaml");
        Shell.succeeds("cp -r manifests '%s'".formatted(copy));
        Files.writeString(cluster, Files.readString(cluster).replace("hostPort: ${HTTP_PORT}", "hostPort: 34012"));
        String manifests = "--clusters 1 --manifests '%s'".formatted(copy),
                preflight = "jbang Verify.java --preflight ";
        Map<String, String> own = Map.of("XDG_STATE_HOME", folder.resolve("state").toString());
        try (ServerSocket _ = new ServerSocket(32011, 50, InetAddress.getByName("127.0.0.1"))) {
            assertTrue(Shell.run(preflight + manifests, own).out().contains("✓ ports: 3 free"));
            assertTrue(Shell.run(preflight + "--name-prefix demo", own).out().contains("✓ ports: 6 free"));
        }
        try (ServerSocket _ = new ServerSocket(34012, 50, InetAddress.getByName("127.0.0.1"))) {
            refused(Problem.UNMET, "port 34012 (so1)", manifests);
        }
    }

    /** Docker reports the ports of the nodes' containers, even of stopped ones. */
    @Test void readsThePortsOfNodes() {
        String container = "kind-demo-test-node";
        try {
            Shell.succeeds(("docker create --name %s --label io.x-k8s.kind.cluster=other1 --label kind-demo=node"
                    + " --publish 127.0.0.1:34011:32211 --entrypoint sleep %s 900")
                    .formatted(container, Shell.NODE_IMAGE));
            for (String state : List.of("create", "start", "stop --time 0")) {
                if (!state.equals("create")) Shell.succeeds("docker %s %s".formatted(state, container));
                List<Docker.Node> nodes = new Docker(new Console(false)).nodes().stream()
                        .filter(node -> node.name().equals(container)).toList();
                assertEquals(List.of(new Docker.Port(32211, "127.0.0.1", 34011)), nodes.getFirst().ports(), state);
                assertEquals(2, ExistingClusters.slot("other", nodes, OptionalInt.empty(), Set.of(), _ -> true), state);
                assertEquals(1, ExistingClusters.slot("demo", nodes, OptionalInt.empty(), Set.of(0), _ -> true), state);
                assertEquals(3, ExistingClusters.slot("demo", nodes, OptionalInt.empty(), Set.of(0, 1), _ -> true),
                        state);
            }
            assertEquals(Optional.of("localhost:34011"),
                    new Docker(new Console(false)).published(new Cluster(1, "other1"), 32211));
        } finally {
            Shell.run("docker rm --force " + container);
        }
    }

    @Test void twoRunsAtTheSameTime() throws IOException {
        Path state = Files.createDirectories(folder.resolve("state/kind-demo/so"));
        Map<String, String> own = Map.of("XDG_STATE_HOME", folder.resolve("state").toString());
        try (var file = FileChannel.open(state.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock _ = file.lock(1 << 20, 1, false)) {
            file.write(ByteBuffer.wrap("KindDemo, process 4711".getBytes(StandardCharsets.US_ASCII)));
            for (String script : List.of("KindDemo", "Teardown")) {
                Shell.Result second = Shell.run("jbang %s.java".formatted(script), own);
                assertEquals(Problem.UNMET, second.exitCode(), second.all());
                assertTrue(second.err().contains("another run is working on this demo: KindDemo, process 4711"),
                        second.err());
            }
        }
        Shell.succeeds("jbang Teardown.java", own);
        assertFalse(Files.exists(state));
    }

    @Test void vaultsPortIsInUse() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))) {
            refused(Problem.UNMET, "port %d (Vault) on 127.0.0.1 is already in use".formatted(other.getLocalPort()),
                    "--ca vault --vault-port " + other.getLocalPort());
        }
    }

    @Test void noCompose() throws IOException {
        Path bin = Path.of(pathWith("jbang", "java", "kind", "istioctl", "docker")), docker = bin.resolve("docker");
        Files.writeString(docker, Files.readString(docker).replace("exec ", "[ \"$1\" = compose ] && exit 1\nexec "));
        refused(Problem.UNMET, "neither `docker compose` nor `docker-compose` answers", "--ca vault",
                Map.of("PATH", bin.toString()));
    }

    @Test void aForeignContainerWithVaultsName() {
        String id = Shell.run("docker create --name so-vault --entrypoint sleep %s 60".formatted(Shell.NODE_IMAGE))
                .out().strip();
        try {
            refused(Problem.UNMET, "a container named so-vault exists and was not created by this demo", "--ca vault");
            Shell.succeeds("jbang Teardown.java", Map.of("XDG_STATE_HOME", folder.resolve("state").toString()));
            assertEquals(0, Shell.run("docker inspect so-vault").exitCode(), "Teardown must not remove it");
        } finally {
            Shell.run("docker rm --force " + id);
        }
    }

    @Test void refusesInvalidNumbersOfClustersAndWorkers() {
        refused(Problem.USAGE, "--clusters accepts 1 to 9, not 0", "--clusters 0");
        refused(Problem.USAGE, "--workers accepts 0 to 9, not -1", "--workers -1");
    }

    /** The same line contains Docker's own reason, which depends on the network. */
    @Test void anUnknownImage() {
        refused(Problem.UNMET,
                "image no-such/node:v0 not found locally, and cannot be pulled: Error response from daemon: ",
                "--node-image no-such/node:v0");
    }

    @Test void aManifestFolderWithoutTheFile() throws IOException {
        Path copy = folder.resolve("manifests");
        Shell.succeeds("cp -r manifests '%s' && rm '%s/apps/sleep.yaml'".formatted(copy, copy));
        refused(Problem.USAGE, "apps/sleep.yaml is not in", "--manifests '%s'".formatted(copy));
    }

    /** A copy of the manifests, one of them with this text, in a folder with a name that a shell would split. */
    private String manifestsWith(String file, String text) throws IOException {
        Path copy = folder.resolve("a 'b' \"$(touch pwned)\"; touch pwned #");
        String quoted = DemoCommands.quoted(copy.toString());
        Shell.succeeds("cp -r manifests " + quoted);
        Files.writeString(copy.resolve(file), text);
        return quoted;
    }

    @Test void refusesInvalidManifests() throws IOException {
        refused(Problem.USAGE, "the manifest apps/sleep.yaml", "--manifests "
                + manifestsWith("apps/sleep.yaml", "kind: [broken\n"));
        refused(Problem.USAGE, "without a kind or an apiVersion", "--manifests "
                + manifestsWith("apps/sleep.yaml", "just: this\n"));
        refused(Problem.USAGE, "is invalid YAML", "--manifests "
                + manifestsWith("apps/sleep.yaml", "a: &a [x, x]\n" + IntStream.range(0, 60)
                .mapToObj(i -> "k%1$d: &k%1$d [*a, *a]\n".formatted(i)).collect(Collectors.joining())));
        refused(Problem.USAGE, "is larger than 1 MB", "--manifests "
                + manifestsWith("apps/sleep.yaml", "# long\n".repeat(200_000)));
    }

    @Test void aFolderWithSpacesAndQuotes() throws IOException {
        String manifests = manifestsWith("apps/sleep.yaml", "kind: A\napiVersion: v1\nmetadata: {name: a}\n");
        Shell.Result plan = Shell.succeeds(
                "jbang KindDemo.java --dry-run --manifests %s --assets %s".formatted(manifests, manifests));
        String stubs = "for name in kubectl istioctl kind docker openssl sleep; "
                + "do eval \"$name() { echo 1; }\"; export -f $name; done";
        Shell.Result run = Shell.run("cd '%s' && %s && %s"
                .formatted(folder, stubs, plan.out().replace("set -euo pipefail", "")));
        assertTrue(run.out().contains("1"), run.all());
        assertFalse(Files.exists(folder.resolve("pwned")) || Files.exists(Shell.PROJECT.resolve("pwned")), plan.out());
    }

    @Test void refusesAnInvalidKubeconfig() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken"), "{{{ no yaml");
        refused(Problem.UNMET, "is not a kubeconfig", "", Map.of("KUBECONFIG", broken.toString()));
        assertEquals("{{{ no yaml", Files.readString(broken));
        Path directory = Files.createDirectory(folder.resolve("dir"));
        refused(Problem.UNMET, "cannot read the kubeconfig", "", Map.of("KUBECONFIG", directory.toString()));
    }

    @Test void refusesAFolderThatTheLocaleCannotName() {
        // as bytes, because this test's own locale may not have the letter either
        for (String script : List.of("KindDemo.java --dry-run", "Verify.java", "Teardown.java --dry-run")) {
            Shell.Result result = Shell.run("LC_ALL=C HOME=$(printf '/tmp/j\\303\\266rg') jbang " + script,
                    Shell.SAME_JBANG);
            assertEquals(Problem.UNMET, result.exitCode(), result.all());
            assertTrue(result.err().contains("HOME has characters that the locale")
                    && result.err().contains("LC_ALL=C.UTF-8"), result.err());
        }
    }

    @Test void aStateFolderThatCannotBeCreated() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        Shell.Result teardown = Shell.run("jbang Teardown.java", Map.of("XDG_STATE_HOME", file.toString()));
        assertEquals(Problem.UNMET, teardown.exitCode(), teardown.all());
        assertTrue(teardown.err().contains("cannot create the folder"), teardown.err());
    }

    @Test void aTamperedAsset() throws IOException {
        Path assets = Files.createDirectory(folder.resolve("assets"));
        Files.writeString(assets.resolve(Versions.METALLB_MANIFEST.file()), "kind: List\n");
        refused(Problem.UNMET, "is not the pinned file", "--assets '%s'".formatted(assets));
    }

    @Test void aFullDisk() throws IOException {
        Path small = Files.createDirectory(folder.resolve("small"));
        int mounted = Shell.run("mount -t tmpfs -o size=8m tmpfs '%s'".formatted(small)).exitCode();
        org.junit.jupiter.api.Assumptions.assumeTrue(mounted == 0, "needs permission to mount");
        try {
            Map<String, String> environment = new HashMap<>(Shell.SAME_JBANG);
            environment.put("XDG_CACHE_HOME", small.toString());
            refused(Problem.UNMET, "is nearly full", "", environment);
        } finally {
            Shell.run("umount '%s'".formatted(small));
        }
    }

    @Test void refusesAForeignClusterOfTheSameName() {
        // KindDemo recognizes nodes by their labels, so this container is a foreign cluster to it
        String id = Shell.run(
                "docker run --detach --label io.x-k8s.kind.cluster=so1 --label io.x-k8s.kind.role=control-plane"
                + " --entrypoint sleep %s 60".formatted(Shell.NODE_IMAGE)).out().strip();
        try {
            refused(Problem.UNMET, "a kind cluster named so1 exists and was not created by this demo", "");
            Shell.succeeds("jbang Teardown.java", Map.of("XDG_STATE_HOME", folder.resolve("state").toString()));
            String find = "docker ps --quiet --no-trunc --filter id=" + id;
            String onTerminal = "printf '%s\\n' | script -qec 'jbang Teardown.java --force' /dev/null";
            assertEquals(id, Shell.run(find).out().strip(), "Teardown must not remove it");
            Shell.Result noTerminal = Shell.run("jbang Teardown.java --force");
            assertEquals(Problem.UNMET, noTerminal.exitCode(), noTerminal.all());
            Shell.succeeds(onTerminal.formatted("n"));
            assertEquals(id, Shell.run(find).out().strip(), "the user answered no");
            Shell.Result agreed = Shell.run(onTerminal.formatted("y"));
            assertEquals("", Shell.run(find).out(), agreed.all());
        } finally {
            Shell.run("docker rm --force " + id);
        }
    }
}
