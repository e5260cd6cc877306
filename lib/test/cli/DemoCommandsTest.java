package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.sample.*;
import lib.test.*;
import lib.verify.*;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Hints that contain one of the demo's commands: each command has the options of the user's demo. */
@Tag("unit")
class DemoCommandsTest {
    private static final String MINE = " --name-prefix mine", ISTIOD = "/api/v1/namespaces/istio-system/";
    private static final String CONFIGMAP = "/api/v1/namespaces/sample/configmaps/istio-ca-root-cert";

    private final Console console = new Console(false, new DemoCommands(MINE, ""),
            failure -> Kube.explain(failure, new DemoCommands(MINE, "")));
    private final Cluster first = new Cluster(1, "mine1"), second = new Cluster(2, "mine2");
    private final List<FakeApiServer> servers = new ArrayList<>();
    @TempDir Path folder;
    private Docker docker;

    /** A stub of docker that reports one node, that of mine1, in the state that is in the file. */
    @BeforeEach void fakeDocker() throws IOException {
        node("true", "false");
        docker = new Docker(new ExternalCommand(script("docker", """
                case "$1" in
                  ps) cat nodes > /dev/null && echo 1;;
                  inspect | container) cat nodes;;
                esac
                """), "", console), "mine");
    }

    private void node(String running, String paused) throws IOException {
        Files.writeString(folder.resolve("nodes"), """
                [{"Name": "/mine1-control-plane",
                "Config": {"Labels": {"io.x-k8s.kind.cluster": "mine1", "kind-demo": "node"}},
                "State": {"Running": %s, "Paused": %s},
                "NetworkSettings": {"Networks": {"%s": {"IPAddress": "172.18.0.2"}}}}]"""
                .formatted(running, paused, Docker.network()));
    }

    private String script(String name, String body) throws IOException {
        Path script = Files.writeString(folder.resolve(name), "#!/bin/bash\ncd '%s'\n%s".formatted(folder, body));
        script.toFile().setExecutable(true);
        return script.toString();
    }

    @AfterEach void stop() { servers.forEach(FakeApiServer::close); }

    private Kube kube(Cluster cluster, Map<String, String> objects) throws IOException {
        servers.add(new FakeApiServer(objects));
        return servers.getLast().kube(cluster, console);
    }

    /** A stub of istioctl, for a demo with these settings of Istio. */
    private Istioctl istioctl(Optional<IstioSettings> current) throws IOException {
        String istioctl = script("istioctl",
                "[[ $1 == version ]] && echo %s || echo 'NAME  SECRET  STATUS  ISTIOD'".formatted(Versions.ISTIO));
        var required = new Binary.Requirement(istioctl, Versions.ISTIO, null, "", List.of("version"), _ -> "");
        return new Istioctl(new Binary(required, null, folder, console), IstioSettings.PINNED, current,
                new Manifests(null), "", folder, console);
    }

    private static String json(Map<String, String> data) {
        String entries = data.entrySet().stream().map(e -> "\"%s\": \"%s\"".formatted(e.getKey(), e.getValue()))
                .collect(Collectors.joining(", "));
        return "{\"metadata\": {\"name\": \"x\"}, \"data\": {%s}}".formatted(entries);
    }

    /** A certificate authority that expires after this time. */
    private static Certificates.Authority authority(Duration life) throws Exception {
        KeyPair keys = Certificates.newKeys();
        Instant end = Instant.now().plus(life);
        X500Name name = new X500Name("CN=ends soon");
        Date from = Date.from(end.minus(Duration.ofDays(9)));
        var builder = new JcaX509v3CertificateBuilder(name, BigInteger.ONE, from, Date.from(end), name,
                keys.getPublic())
                        .addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
        return new Certificates.Authority(new JcaX509CertificateConverter().getCertificate(builder.build(
                new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()))), keys.getPrivate());
    }

    private static String pem(Certificates.Authority authority) throws Exception {
        return Certificates.pem(authority.certificate());
    }

    /** The JSON of a Secret with this data. */
    private static String secret(Map<String, String> parts) {
        return json(parts.entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
                part -> Certificates.encode(part.getValue()))));
    }

    private static String inJson(String pem) { return pem.replace("\n", "\\n").replace("\r", ""); }

    private interface Failing {
        void run() throws Exception;
    }

    private static String hint(Failing failing) { return assertThrows(Problem.class, failing::run).hint(); }

    /** Expects at least one of the demo's commands in the text, and this demo's options in each. */
    private static void assertThisDemo(String text) {
        List<String> commands = Pattern.compile("jbang (--offline )?\\w+\\.java.{0,%d}".formatted(MINE.length()))
                .matcher(text).results().map(MatchResult::group).toList();
        assertFalse(commands.isEmpty(), text);
        for (String command : commands) assertTrue(command.endsWith(MINE), text);
    }

    @Test void hintsOfTheChecks() throws Exception {
        var root = Certificates.createRoot();
        var other = Certificates.createRoot();
        String trusted = json(Map.of("root-cert.pem", inJson(pem(root))));
        String foreign = json(Map.of("root-cert.pem", inJson(pem(other))));
        Kube empty = kube(first, Map.of());
        Kube one = kube(first, Map.of(CONFIGMAP, trusted)), two = kube(second, Map.of(CONFIGMAP, foreign));
        Kube misled = kube(second, Map.of(ISTIOD + "secrets/istio-remote-secret-istio-mine1",
                secret(Map.of("istio-mine1", "clusters: [{cluster: {server: \"https://172.18.0.9:6443\"}}]"))));
        ClusterChecks platform = new ClusterChecks(List.of(empty, misled), SampleApp.TARGET, docker, null, null);
        assertThisDemo(hint(() -> platform.remoteAddress(empty)));
        assertThisDemo(hint(() -> platform.addresses(empty)));
        Map<String, String> pool = Map.of(
                "/apis/metallb.io/v1beta1", """
                        {"kind": "APIResourceList", "groupVersion": "metallb.io/v1beta1", "resources": [
                        {"name": "ipaddresspools", "kind": "IPAddressPool", "namespaced": true, "verbs": ["list"]}]}""",
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ipaddresspools.metallb.io",
                "{\"metadata\": {\"name\": \"x\"}}",
                "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools",
                "{\"metadata\": {\"name\": \"x\"}, \"spec\": {\"addresses\": [\"172.18.255.1-172.18.255.9\"]}}");
        Kube pooled = kube(first, pool);
        ClusterChecks overlapping = new ClusterChecks(List.of(pooled, kube(second, pool)), SampleApp.TARGET, docker,
                null, null);
        assertThisDemo(hint(() -> overlapping.addresses(pooled)));
        node("false", "false");
        assertThisDemo(hint(() -> platform.reachable(empty)));
        Files.writeString(folder.resolve("nodes"), "[]");
        assertThisDemo(hint(() -> platform.reachable(empty)));

        TrustChecks trust = new TrustChecks(List.of(one, two), SampleApp.TARGET);
        assertThisDemo(hint(trust::sameRoot));
        assertThisDemo(hint(() -> trust.intermediate(one)));
        Kube wrong = kube(first, Map.of(CONFIGMAP, trusted, ISTIOD + "secrets/cacerts", secret(Map.of(
                "ca-cert.pem", pem(Certificates.createIntermediate(other, first)), "cert-chain.pem", pem(other)))));
        assertThisDemo(hint(() -> trust.intermediate(wrong)));
        var ending = authority(Duration.ofHours(1));
        Kube soon = kube(first, Map.of(CONFIGMAP, json(Map.of("root-cert.pem", inJson(pem(ending)))),
                ISTIOD + "secrets/cacerts",
                secret(Map.of("ca-cert.pem", pem(Certificates.createIntermediate(ending, first))))));
        assertThisDemo(hint(() -> trust.intermediate(soon)));
        Kube ended = kube(first, Map.of(CONFIGMAP, trusted,
                ISTIOD + "secrets/istiod-tls", secret(Map.of("tls.crt", pem(authority(Duration.ofHours(-1))))),
                "/apis/apps/v1/namespaces/cert-manager/deployments", """
                        {"metadata": {"name": "x", "generation": 1}, "spec": {"replicas": 0},
                        "status": {"observedGeneration": 1}}"""));
        assertThisDemo(hint(() -> trust.intermediate(ended)));
        assertThisDemo(hint(() -> Cacerts.install(wrong, new Manifests(null), root.certificate(), null)));
        assertThisDemo(hint(new Deployments(empty, "sample")::ready));
        MeshChecks mesh = new MeshChecks(List.of(empty), SampleApp.TARGET, istioctl(Optional.empty()));
        assertThisDemo(hint(() -> mesh.remoteClusters(empty)));
        assertThisDemo(hint(() -> new Kube(new Cluster(1, "no-such-cluster"), console).client()));
    }

    @Test void hintsBeforeAnythingIsCreated() throws Exception {
        Optional<IstioSettings> old = Optional.of(IstioSettings.PINNED.with("1.20.0", null, null, null, null));
        assertThisDemo(hint(() -> istioctl(old).check(Mesh.of("mine", 1))));
        var nodes = new NodeSettings(1, true, Versions.NODE_IMAGE, false);
        var kind = new Kind(new Binary(Kind.BINARY, null, folder, console), docker, new Manifests(null), nodes,
                folder, console);
        var checks = new KindChecks(kind, nodes, ExistingClusters.of("mine", 0, docker.nodes()), docker,
                console.commands());
        assertThisDemo(hint(() -> checks.checkExisting(Mesh.of("mine", 1))));
        var state = new DemoState(1, Optional.of(CertificateAuthority.Choice.vault), Optional.empty(), false,
                OptionalInt.empty());
        String ca = hint(() -> state.requireAuthority(CertificateAuthority.Choice.local, console.commands()));
        assertTrue(ca.endsWith(MINE + " --ca local"), ca);
        assertThisDemo(ca);
        assertThisDemo(hint(() -> new Bundle(folder.resolve("none"), Versions.ISTIO, console).open(folder)));
    }

    @Test void printsNextSteps() throws Exception {
        Probe probe = new Probe();
        DemoCommand.commandLine(probe, System.getenv())
                .parseArgs("--name-prefix", "mine", "--offline", "my bundle.tar.gz");
        assertThisDemo(new SampleApp(new Manifests(null), DataPlane.sidecar, false, false)
                .nextSteps(Mesh.of("mine", 2), _ -> Optional.empty(), probe.commands()));
        assertThisDemo(probe.afterInterrupt());
        String resume = probe.afterInterrupt();
        assertTrue(resume.contains("KindDemo.java%s --offline 'my bundle.tar.gz'".formatted(MINE)), resume);
        DemoCommands commands = probe.commands();
        assertEquals("jbang --offline KindDemo.java%s --offline 'a b'".formatted(MINE), commands.fromBundle("a b"));
        assertEquals("jbang KindDemo.java%s --bundle 'a b'".formatted(MINE), commands.bundle("a b"));

        Path log = folder.resolve("log");
        console.keepLog(log);
        console.problem("", new io.fabric8.kubernetes.client.KubernetesClientException("gone"));
        assertThisDemo(Files.readString(log));
        Path copy = folder.resolve("copy");
        assertTrue(Shell.succeeds("jbang KindDemo.java --name-prefix mine --export-manifests " + copy).out()
                .contains("jbang KindDemo.java%s --manifests %s".formatted(MINE, copy)));
    }

    @Test void verifyWithoutADemo() throws IOException {
        script("docker", "[[ $1 != info ]] || echo '{\"ServerVersion\": \"28.0.0\"}'");
        Shell.Result verify = Shell.run("PATH='%s':$PATH jbang Verify.java --name-prefix mine".formatted(folder));
        assertEquals(Problem.UNMET, verify.exitCode(), verify.all());
        assertThisDemo(verify.err());
    }

    @Test void commandsQuoteTheContexts() {
        assertEquals("jbang Teardown.java --contexts 'prod (eu),it'\\''s'",
                Probe.options("--contexts", "prod (eu),it's").commands().teardown());
    }

    /** Only DemoCommands builds commands: other code could forget the options. Examples in --help are not hints. */
    @Test void onlyDemoCommandsBuildsCommands() throws IOException {
        List<Path> sources;
        try (Stream<Path> all = Stream.concat(Files.list(Shell.PROJECT), Files.walk(Shell.PROJECT.resolve("lib"))
                .filter(f -> !f.startsWith(Shell.PROJECT.resolve("lib/test"))))) {
            sources = all.filter(f -> f.toString().endsWith(".java") && !f.endsWith("DemoCommands.java")).toList();
        }
        assertTrue(sources.size() > 60, "" + sources);
        List<String> found = new ArrayList<>();
        for (Path source : sources) {
            String code = Files.readString(source).replaceAll("(?s)/\\*.*?\\*/|footer = \\{.*?}\\)|(?m)^\\s*//.*$", "")
                    .replace("\"jbang %s.java [OPTION]...\"", "").replace("%n    → jbang %s.java --help%n", "");
            code.lines().filter(line -> line.matches(".*(jbang [^\"]*\\.java|(KindDemo|Verify|Teardown)\\.java).*")
                    || line.contains("new Console(") && !source.endsWith("DemoCommand.java"))
                    .forEach(line -> found.add(source.getFileName() + ": " + line.strip()));
        }
        assertEquals(List.of(), found);
    }
}
