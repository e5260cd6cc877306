package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.kubeconfig.*;
import lib.report.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The whole path on real clusters, with the commands of README. All tests use one demo, in order. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
public class DemoTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final Map<String, String> OWN = DEMO.environment;
    private static final Path KUBECONFIG = DEMO.kubeconfig(), STATE = DEMO.folder();
    private static String rootBefore;

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @Test @Order(1) void dryRunNeedsNoDocker() throws IOException {
        var noDocker = new HashMap<>(OWN);
        noDocker.put("DOCKER_HOST", "unix:///no/engine.sock");
        Shell.Result plan = Shell.succeeds(Docs.command("jbang KindDemo.java --dry-run"), noDocker);
        assertEquals("", Shell.run(plan.out().replaceFirst("^bash ", "bash -n ")).all(),
                "the output is not a valid shell script");
        for (String words : List.of("kind create cluster --name so2",
                "istioctl create-remote-secret --context kind-so1", "metallb-native", "openssl"))
            assertTrue(plan.out().contains(words), words);
    }

    @Test @Order(2) void namesHalfCreatedClustersAfterAnInterruption() {
        succeeds("jbang build KindDemo.java");
        // first a run that is killed: it prints nothing, and its child processes keep running
        Shell.run("timeout --foreground --signal KILL 9 jbang KindDemo.java", OWN);
        List<String> orphans = kindCreates();
        Shell.Result interrupted = Shell.interrupt("jbang KindDemo.java", OWN, said -> {
            List<String> running = kindCreates();
            return running.size() == 2 && Collections.disjoint(running, orphans);
        });
        assertEquals(Problem.INTERRUPTED, interrupted.exitCode(), interrupted.all());
        assertTrue(interrupted.err().contains("interrupted; unfinished steps: ")
                && interrupted.err().contains("jbang Teardown.java"), interrupted.err());
        assertTrue(Shell.inTime("Ctrl-C", interrupted.took(), Duration.ofSeconds(3)), "it took " + interrupted.took());
        assertEquals(List.of(), kindCreates(), "child processes are still running");
    }

    /** The process IDs of `kind create cluster` for this test's clusters. */
    private static List<String> kindCreates() {
        return Shell.run("pgrep -f 'kind create cluster --name so[12] .*--kubeconfig %s/'".formatted(STATE)).out()
                .lines().toList();
    }

    /** Resumes after the interrupted run. */
    @Test @Order(3) void createsTheMeshWithOneCommand() throws IOException {
        succeeds("jbang build KindDemo.java");
        Shell.Result demo = succeeds(Docs.command("jbang KindDemo.java") + " --timings");
        System.out.println("KindDemo, first run: " + demo.took().toSeconds() + " s\n" + demo.out());
        assertTrue(demo.out().contains("http://localhost:32011/hello") && demo.out().contains("jbang Verify.java"),
                demo.out());
        assertFalse(demo.out().contains("✓"), "progress belongs to stderr");
        assertTrue(demo.err().contains("✓ so1: kind cluster"), demo.err());
    }

    @Test @Order(4) void verifyPasses() throws IOException {
        Shell.Result verify = succeeds(Docs.command("jbang Verify.java"));
        System.out.println("Verify: " + verify.took().toMillis() + " ms");
        for (String words : List.of("same-root", "so1: responding-clusters: {so1=40} of 40",
                "so2: responding-clusters: {so2=40} of 40", "2 local, 1 on 15443", "The mesh works."))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    /** The resources that an experiment could leave behind. */
    private static String resources() {
        return Stream.of("so1", "so2")
                .map(c -> succeeds(("kubectl --context kind-%s get deployments,destinationrules,virtualservices,"
                        + "gateways.networking.istio.io,serviceentries,envoyfilters,sidecars.networking.istio.io -A -o "
                        + "custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,"
                        + "REPLICAS:.spec.replicas,SPEC:.spec.trafficPolicy").formatted(c)).out())
                .collect(Collectors.joining());
    }

    @Test @Order(5) void experimentsPassAndRestoreEverything() throws IOException {
        String before = resources(), containers = Shell.run("docker ps -aq | sort").out();
        Path report = STATE.resolve("report.html");
        Shell.Result all = succeeds(Docs.command("--report report.html").replace("report.html", "" + report)
                + " -o json");
        System.out.println("All experiments: " + all.took().toSeconds() + " s\n" + all.err());
        JsonNode found = new ObjectMapper().readTree(all.out());
        assertTrue(found.path("ok").asBoolean());
        assertEquals(List.of("failover", "broken-app", "gateway-down", "control-plane-down", "locality", "ingress",
                "egress"), found.path("experiments").findValuesAsText("name").stream().toList());
        assertTrue(found.path("experiments").get(0).path("traffic").get(0).path("replies").size() > 50);
        assertTrue(all.took().toMinutes() < 4, "took " + all.took());
        assertTrue(Files.readString(report).contains("\"ok\" : true"));
        assertEquals(before, resources());
        assertEquals(containers, Shell.run("docker ps -aq | sort").out());
    }

    @Test @Order(8) void anInterruptedExperimentRestoresEverything() {
        String before = resources();
        Shell.Result interrupted = Shell.interrupt(Docs.command("--experiments failover"), OWN,
                said -> said.contains("is scaled to zero"));
        assertEquals(Problem.INTERRUPTED, interrupted.exitCode(), interrupted.all());
        assertTrue(interrupted.err().contains("is scaled to zero"), interrupted.err());
        assertTrue(interrupted.err().contains("→ everything that the experiment changed is restored"),
                interrupted.err());
        assertEquals(before, resources());
        succeeds("jbang Verify.java"); // waits until the restored pods are ready in every proxy
    }

    /** The restored pods cannot be scheduled: the experiment itself would wait two minutes for them. */
    @Test @Order(7) void ctrlCDoesNotWaitForRestoredPods() {
        String before = resources(), kubectl = "kubectl --context kind-so1 ";
        succeeds(kubectl + "cordon so1-control-plane");
        try {
            Shell.Result interrupted = Shell.interrupt("jbang Verify.java --experiments failover", OWN,
                    said -> said.contains("helloworld of so1 is restored")
                            && succeeds(kubectl + "get deployments -n sample -o jsonpath='{.items[*].spec.replicas}'")
                            .out().equals("1 1 1"));
            assertEquals(Problem.INTERRUPTED, interrupted.exitCode(), interrupted.all());
            assertTrue(Shell.inTime("Ctrl-C", interrupted.took(), Duration.ofSeconds(5)),
                    "it took " + interrupted.took());
            assertTrue(interrupted.err().contains("→ everything that the experiment changed is restored"),
                    interrupted.err());
            assertEquals(before, resources());
        } finally {
            succeeds(kubectl + "uncordon so1-control-plane");
        }
    }

    @Test @Order(6) void verifiesAnyMeshByItsContexts() throws IOException {
        Shell.Result verify = succeeds(Docs.command("--contexts kind-so1"));
        assertTrue(verify.out().contains("kind-so2: responding-clusters: {kind-so2=40} of 40")
                && verify.out().contains("The mesh works."), verify.out());
        for (String script : List.of("KindDemo", "Verify", "Teardown")) {
            Shell.Result unknown = Shell.run("jbang %s.java --contexts kind-so1,nowhere".formatted(script), OWN);
            assertEquals(Problem.USAGE, unknown.exitCode(), unknown.all());
            assertTrue(unknown.err().contains("no context nowhere\n    → kubectl config get-contexts"), unknown.err());
        }
    }

    @Test @Order(9) void oneOfThreeEndpointsIsTheEastWestGateway() throws IOException {
        for (String cluster : List.of("so1", "so2")) {
            List<String> endpoints = succeeds(Docs.command("proxy-config endpoints").replace("so1", cluster)).out()
                    .lines().toList();
            assertEquals(3, endpoints.size(), endpoints.toString());
            assertEquals(1, endpoints.stream().filter(e -> e.contains(":15443")).count(), endpoints.toString());
        }
        assertEquals("istio-remote-secret-istio-so2",
                succeeds("kubectl --context kind-so1 get secrets -n istio-system -l istio/multiCluster=true"
                        + " -o jsonpath='{.items[*].metadata.name}'").out());
        assertEquals(2, succeeds(Docs.command("remote-clusters")).out().lines().filter(l -> l.contains("synced"))
                .count());
    }

    @Test @Order(11) void theIngressAnswersRequestsFromThisMachine() throws IOException {
        assertTrue(succeeds(Docs.command("curl http://localhost:32011/hello")).out().startsWith("Hello version"));
        assertTrue(succeeds(Docs.command("curl http://localhost:32011/hello").replace("32011", "32012")).out()
                .startsWith("Hello version"));
    }

    /** The failover in README: so2 answers while so1 has no helloworld, then so1 answers again. */
    @Test @Order(10) void failsOverByHand() throws IOException {
        String requests = Docs.command("hello?[1-10]");
        assertEquals(Set.of("so1"), answering(requests));
        succeeds(Docs.command("--replicas 0"));
        awaitAnswers(requests, "so2");
        succeeds(Docs.command("--replicas 1"));
        awaitAnswers(requests, "so1");
    }

    private static void awaitAnswers(String requests, String cluster) throws IOException {
        Await.until("answers from " + cluster, Duration.ofSeconds(60), Duration.ofSeconds(1), _ -> {},
                () -> answering(requests).equals(Set.of(cluster)) ? "" : "answers from " + answering(requests));
    }

    /** The clusters with pods that answer these requests. */
    private static Set<String> answering(String requests) {
        String answers = DEMO.run(requests).out();
        return Stream.of("so1", "so2")
                .filter(cluster -> succeeds("kubectl --context kind-%s get pods -n sample -l app=helloworld "
                        .formatted(cluster) + "-o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'").out()
                        .lines().anyMatch(answers::contains))
                .collect(Collectors.toSet());
    }

    @Test @Order(12) void clustersHaveTheirNetworksRegionsAndPorts() throws IOException {
        for (String i : List.of("1", "2")) {
            String kubectl = "kubectl --context kind-so" + i;
            assertEquals("network" + i, succeeds(kubectl
                    + " get namespace istio-system -o jsonpath='{.metadata.labels.topology\\.istio\\.io/network}'")
                    .out());
            assertEquals("region" + i, succeeds(kubectl
                    + " get nodes -o jsonpath='{.items[0].metadata.labels.topology\\.kubernetes\\.io/region}'").out());
            assertEquals("15021 15443 15012 15017", succeeds(kubectl
                    + " get service istio-eastwestgateway -n istio-system -o jsonpath='{.spec.ports[*].port}'").out());
            assertEquals("AUTO_PASSTHROUGH", succeeds(kubectl
                    + " get gateways.networking.istio.io cross-network-gateway -n istio-system"
                    + " -o jsonpath='{.spec.servers[0].tls.mode}'").out());
            assertTrue(succeeds(kubectl
                    + " get deployment istio-egressgateway -n istio-system -o jsonpath='{.status.readyReplicas}'").out()
                    .equals("1"));
            assertTrue(succeeds(kubectl
                    + " get pods -n metallb-system -o jsonpath='{.items[*].spec.containers[*].image}'").out()
                    .contains(Versions.METALLB));
        }
        assertEquals("127.0.0.1",
                succeeds("docker inspect so1-control-plane --format"
                        + " '{{(index (index .HostConfig.PortBindings \"32031/tcp\") 0).HostIp}}'").out().strip());
    }

    @Test @Order(13) void keysArePrivateAndNotInTheLog() throws IOException {
        Path state = STATE.resolve("kind-demo/so");
        for (String file : List.of("root-key.pem", "root-cert.pem"))
            assertEquals("rw-------", PosixFilePermissions.toString(
                    Files.getPosixFilePermissions(state.resolve(file))));
        String log = Files.readString(state.resolve("KindDemo.log"));
        assertTrue(log.contains("kind create cluster"), "the log contains the commands");
        for (String secret : List.of("PRIVATE KEY", "client-key-data", "token:"))
            assertFalse(log.contains(secret), secret + " is in the log");
        rootBefore = Files.readString(state.resolve("root-cert.pem"));
    }

    @Test @Order(15) void allClustersAnswerWithoutTheLocalityRuleAndTheRootIsKept() throws IOException {
        Shell.Result without = succeeds(Docs.command("--no-locality"));
        assertTrue(without.err()
                .contains("Changed: so1: DestinationRule helloworld, so2: DestinationRule helloworld\n"),
                without.err());
        assertFalse(Files.readString(STATE.resolve("kind-demo/so/KindDemo.log")).contains("manifest generate"),
                "the manifest has not changed, so the one of the first run is used");
        Shell.Result again = succeeds(Docs.command("--no-locality"));
        System.out.println("KindDemo, everything is up: " + again.took().toMillis() + " ms");
        assertTrue(again.err().contains("Nothing had to be changed."), again.err());
        Shell.Result verify = succeeds("jbang Verify.java");
        String both = ": responding-clusters: \\{so1=\\d+, so2=\\d+} of 40.*";
        assertTrue(verify.out().matches("(?s).*so1" + both + "so2" + both)
                || verify.out().matches("(?s).*so2" + both + "so1" + both), verify.out());
        String before = resources();
        succeeds("jbang Verify.java --experiments locality");
        assertEquals(before, resources(), "the rule that the experiment needed is removed again");
        assertEquals(rootBefore, Files.readString(STATE.resolve("kind-demo/so/root-cert.pem")));
        assertEquals(rootBefore,
                succeeds("kubectl --context kind-so1 get secret cacerts -n istio-system"
                        + " -o jsonpath='{.data.root-cert\\.pem}' | base64 -d").out());
    }

    @Test @Order(14) void aTerminalShowsTheRunningSteps() {
        var noColor = new HashMap<>(OWN);
        noColor.putAll(Map.of("NO_COLOR", "1", "TERM", "xterm"));
        Terminal.Result again = Terminal.run("jbang KindDemo.java", 60, noColor);
        assertEquals(0, again.exitCode(), again.written());
        assertTrue(again.written().contains("\033[J… ") || again.written().contains("\r… "),
                "no line shows the running steps: " + again.written());
        assertFalse(again.written().matches("(?s).*\033\\[[0-9;]*m.*"), "NO_COLOR");
        assertTrue(again.screen().stream().anyMatch(line -> line.startsWith("✓ so2: endpoints of all clusters")),
                "" + again.screen());
        assertEquals(List.of(), again.screen().stream().filter(line -> line.startsWith("… ")).toList(),
                "no status line is left at the end");
        String preflight = Docs.command("jbang Verify.java --preflight");
        assertTrue(Terminal.run(preflight, 80, Map.of("TERM", "xterm", "NO_COLOR", "")).written()
                .contains("\033[32m✓"));
        assertFalse(Terminal.run(preflight, 80, Map.of("TERM", "dumb")).written().contains("\033"));
    }

    @Test @Order(16) void keepsAClusterThatDoesNotAnswer() {
        String before = Shell.run("docker ps -aq | sort").out();
        succeeds("docker pause so2-control-plane");
        try {
            Shell.Result refused = Shell.run("jbang KindDemo.java", OWN);
            assertEquals(Problem.FAILED, refused.exitCode(), refused.all());
            assertTrue(refused.err().contains("is paused")
                    && refused.err().contains("docker unpause so2-control-plane"), refused.err());
            assertTrue(Shell.inTime("a paused node", refused.took(), Duration.ofSeconds(15)),
                    "it took " + refused.took());
        } finally {
            succeeds("docker unpause so2-control-plane");
        }
        assertEquals(before, Shell.run("docker ps -aq | sort").out());
    }

    @Test @Order(17) void refusesChangesThatKindCannotMake() {
        String before = Shell.run("docker ps -aq --filter name=^so").out();
        Map.of("--workers 1", "so1 has 0 workers, not 1",
                "--node-image docker.io/curlimages/curl:8.16.0", "so1 was created from",
                "--clusters 1", "--clusters 1 would delete so2 and everything in it").forEach((options, words) -> {
            Shell.Result refused = Shell.run("jbang KindDemo.java " + options, OWN);
            assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
            assertTrue(refused.err().contains(words), refused.err());
        });
        assertEquals(before, Shell.run("docker ps -aq --filter name=^so").out());
    }

    /** Secrets in all places where users could write them, in the sample's namespace and in one of their own. */
    private static Path secretsToPlant() throws IOException {
        String all = String.join("\n", DiagnosticsTest.SHAPES);
        List<Object> items = new ArrayList<>(List.of(
                Map.of("apiVersion", "v1", "kind", "Namespace", "metadata", Map.of("name", "users-own"))));
        for (String namespace : List.of("sample", "users-own")) {
            var meta = Map.of("name", "planted", "namespace", namespace, "labels",
                    Map.of("sidecar.istio.io/inject", "false"), "annotations",
                    Map.of("kubectl.kubernetes.io/last-applied-configuration", all, "example.org/note", "SECRET0"));
            items.add(Map.of("apiVersion", "v1", "kind", "ConfigMap", "metadata", meta, "data", Map.of("all", all)));
            items.add(Map.of("apiVersion", "v1", "kind", "Secret", "metadata", meta, "stringData", Map.of("all", all)));
            // the pod prints the secrets and ends, again and again
            items.add(Map.of("apiVersion", "v1", "kind", "Pod", "metadata", meta, "spec",
                    Map.of("containers", List.of(Map.of("name", "main", "image", "docker.io/curlimages/curl:8.16.0",
                            "command", List.of("sh", "-c", "echo \"$ALL\"; exit 1", "SECRET0"),
                            "args", List.of("--pin", "SECRET0"), "env", List.of(Map.of("name", "ALL", "value", all)),
                            "terminationMessagePolicy", "FallbackToLogsOnError")))));
            for (int i = 0; i < DiagnosticsTest.SHAPES.size(); i++)
                items.add(Map.of("apiVersion", "v1", "kind", "Event",
                        "metadata", Map.of("name", "planted-" + i, "namespace", namespace),
                        "involvedObject", Map.of("kind", "Pod", "name", "planted", "namespace", namespace),
                        "type", "Warning", "reason", "Planted", "message", DiagnosticsTest.SHAPES.get(i)));
        }
        return Files.writeString(STATE.resolve("planted.json"), new ObjectMapper().writeValueAsString(
                Map.of("apiVersion", "v1", "kind", "List", "items", items)));
    }

    @Test @Order(18) void diagnosticsHaveNoSecrets() throws IOException {
        Path folder = STATE.resolve("diagnostics");
        String kubectl = "kubectl --context kind-so1 ";
        succeeds(kubectl + "create -f " + secretsToPlant());
        try {
            succeeds(kubectl + "wait pod/planted -n sample"
                    + " --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 --timeout 60s");
            succeeds("jbang Verify.java --diagnostics " + folder);
        } finally {
            Shell.run(kubectl + "delete --now --wait=false -f " + STATE.resolve("planted.json"), OWN);
        }
        assertEquals("", Shell.run("grep -rniE 'SECRET[0-9]|secret\\.28' " + folder).out());
        assertTrue(Files.readString(folder.resolve("so1/not-ready.txt")).contains("planted"),
                "the diagnostics contain the pod's log");
        assertTrue(Files.readString(folder.resolve("so1/events.txt")).contains("Planted: "),
                "the diagnostics contain the events");
        assertEquals("", Shell.run("grep -rl users-own %s --include '*.yaml' --include '*.txt'".formatted(folder))
                .out());
        assertTrue(Files.readString(STATE.resolve("kind-demo/so/Verify.log")).contains("The mesh works."));
        for (String file : List.of("versions.txt", "so1/pods.yaml", "so1/events.txt", "so1/istiod.txt",
                "so2/endpoints.txt", "so2/node-so2-control-plane.txt"))
            assertFalse(Files.readString(folder.resolve(file)).matches("(?s)|not available.*"), file);
        assertEquals("", Shell.secretsIn(folder));
    }

    @Test @Order(19) void repairsSwappedAddresses() {
        Shell.swapAddresses();
        System.out.println("KindDemo after addresses swapped: " + succeeds("jbang KindDemo.java").took().toMillis()
                + " ms");
        succeeds("jbang Verify.java --wait 60");
    }

    @Test @Order(20) void teardownLeavesNothing() throws IOException {
        assertTrue(succeeds("jbang Teardown.java --dry-run").out().contains("clusters [so1, so2]"));
        succeeds("docker inspect so1-control-plane so2-control-plane");
        Shell.Result teardown = succeeds(Docs.command("jbang Teardown.java"));
        System.out.println("Teardown: " + teardown.took().toMillis() + " ms");
        assertTrue(teardown.out().contains("so1") && teardown.out().contains("so2"), teardown.out());
        assertEquals(DEMO.before(), OwnDemo.existing());
        assertFalse(Files.exists(STATE.resolve("kind-demo/so")));
        var kubeconfig = new Kubeconfig(List.of(KUBECONFIG));
        assertFalse(kubeconfig.has("kind-so1") || kubeconfig.has("kind-so2"));
        assertTrue(kubeconfig.has("mine"));
        assertTrue(Files.readString(KUBECONFIG).contains("current-context: \"mine\""));
        assertTrue(succeeds("jbang Teardown.java").out().contains("nothing to remove"));
    }
}
