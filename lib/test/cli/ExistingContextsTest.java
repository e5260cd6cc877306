package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** --contexts: names that are derived from those of contexts, which may have any characters and any length. */
@Tag("unit")
class ExistingContextsTest {
    private static final List<String> PRINTED = List.of("arn:aws:eks:eu-west-1:123456789012:cluster/prod", "prod (eu)",
            "team.prod", "team-prod", "it's $HOME; `true`", "=x");
    /** Names that could be confused with one another. */
    private static final List<String> ALL = Stream.concat(PRINTED.stream(), Stream.of("team_prod", "Team-Prod",
            "team--prod", "-team-prod", "生产", "測試", "@", "-", "a".repeat(63), "a".repeat(64), "a".repeat(300),
            "b" + "a".repeat(300), "a".repeat(300) + "b", DnsLabel.of("team.prod"), DnsLabel.hashed("team-prod"),
            "deadbeef", "gke_my-project_europe-west3-b_prod", "so", "..")).toList();

    @Test void idsAndNetworksAreUniqueAndValid() {
        List<Cluster> clusters = Mesh.of(ALL).clusters();
        for (var name : List.<Function<Cluster, String>>of(
                Cluster::id, Cluster::network, Cluster::filePrefix, Cluster::region)) {
            assertEquals(ALL.size(), clusters.stream().map(name).distinct().count());
            // a DNS label is also valid as the value of a label, the name of a file and a key of a Secret
            clusters.stream().map(name).forEach(n -> assertTrue(n.matches("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), n));
        }
        assertEquals(ALL, clusters.stream().map(Cluster::context).toList(), "in the order of the option");
    }

    @Test void keepsNamesThatAreValid() {
        List<Cluster> clusters = Mesh.of(List.of("kind-east", "prod-eu-1")).clusters();
        assertEquals(List.of("istio-kind-east", "istio-prod-eu-1"), clusters.stream().map(Cluster::id).toList());
        assertTrue(DnsLabel.of(ALL.getFirst()).contains("-cluster-prod-"), DnsLabel.of(ALL.getFirst()));
    }

    @Test void idsDoNotDependOnOtherContexts() {
        Set<Cluster> clusters = Set.copyOf(Mesh.of(ALL).clusters());
        List<String> shuffled = new ArrayList<>(ALL);
        Collections.shuffle(shuffled, new Random(1));
        assertEquals(clusters, Set.copyOf(Mesh.of(shuffled).clusters()));
        for (Cluster cluster : clusters) {
            assertEquals(cluster.id(), Mesh.of(List.of(cluster.context())).clusters().getFirst().id());
        }
    }

    @Test void theOrderOfContextsDoesNotMatter() {
        assertEquals(DemoState.dirs(List.of("east", "west")), DemoState.dirs(List.of("west", "east")));
        assertNotEquals(DemoState.dirs(List.of("east", "west")), DemoState.dirs(List.of("east", "west", "north")));
        assertNotEquals(AppDirs.of("so"), DemoState.dirs(List.of("so")),
                "a demo of kind clusters has its own state");
        List<String> names = ALL.stream().map(context -> "" + DemoState.dirs(List.of(context)).state().getFileName())
                .toList();
        assertEquals(ALL.size(), Set.copyOf(names).size());
        String longest = "" + DemoState.dirs(ALL).state().getFileName();
        assertTrue(longest.length() < 220 && longest.matches("[a-z0-9+-]+"), longest);
    }

    @Test void adoptsTheStateOfAnEarlierVersion(@TempDir Path states) throws IOException {
        Path state = states.resolve("contexts+new");
        DemoState.adopt(List.of("east", "west"), state);
        assertFalse(Files.exists(state));
        Files.createDirectories(states.resolve("east"));
        Files.writeString(Files.createDirectories(states.resolve("west+east")).resolve("root-key.pem"), "other order");
        Files.writeString(Files.createDirectories(states.resolve("east+west")).resolve("root-key.pem"), "as typed");
        DemoState.adopt(List.of("east", "west"), state);
        assertEquals("as typed", Files.readString(state.resolve("root-key.pem")));
        DemoState.adopt(List.of("east", "west"), state);
        assertEquals("as typed", Files.readString(state.resolve("root-key.pem")), "the existing state is kept");
        DemoState.adopt(List.of("east", "west"), states.resolve("contexts+again"));
        assertEquals("other order", Files.readString(states.resolve("contexts+again/root-key.pem")));

        Files.writeString(Files.createDirectories(states.resolve("so")).resolve("istio-so1.yaml"), "");
        DemoState.adopt(List.of("so"), states.resolve("contexts+so"));
        assertTrue(Files.exists(states.resolve("so")), "another demo, with the prefix so");
        Files.writeString(states.resolve("east/istio-east.yaml"), "");
        DemoState.adopt(List.of("east"), states.resolve("contexts+east"));
        assertTrue(Files.exists(states.resolve("contexts+east/istio-east.yaml")));
    }

    /** Earlier versions gave team.prod and team-prod the same ID. Installed clusters keep it, new ones get another. */
    @Test void anInstalledMeshKeepsItsIds() throws IOException {
        String istiod = """
                {"metadata": {"name": "istiod", "managedFields": [{"manager": "%s"}]},
                "spec": {"template": {"spec": {"containers": [
                {"name": "discovery", "env": [{"name": "CLUSTER_ID", "value": "%s"}]}]}}}}""";
        Cluster dotted = Mesh.of(List.of("team.prod")).clusters().getFirst();
        String path = "/apis/apps/v1/namespaces/istio-system/deployments";
        try (FakeApiServer ours = new FakeApiServer(Map.of(path, istiod.formatted("kind-demo", "istio-team-prod")));
                FakeApiServer others = new FakeApiServer(Map.of(path, istiod.formatted("helm", "istio-other")));
                FakeApiServer none = new FakeApiServer(Map.of())) {
            Console console = new Console(false);
            Cluster kept = InstalledIstio.withKeptIds(ours.kube(dotted, console));
            assertEquals(List.of("istio-team-prod", "network-team-prod"), List.of(kept.id(), kept.network()));
            assertEquals(dotted, InstalledIstio.withKeptIds(others.kube(dotted, console)));
            assertEquals(dotted, InstalledIstio.withKeptIds(none.kube(dotted, console)));

            Cluster hyphened = Mesh.of(List.of("team-prod")).clusters().getFirst();
            assertEquals(kept.id(), hyphened.id());
            List<Cluster> both = InstalledIstio.distinct(List.of(hyphened, kept)).clusters();
            assertEquals(kept, both.getLast());
            assertEquals("istio-" + DnsLabel.hashed("team-prod"), both.getFirst().id());
            assertEquals(both, InstalledIstio.distinct(both).clusters());
        }
    }

    /** In every command that --dry-run prints, a shell reads the context as one word. */
    @Test void printedCommandsQuoteTheContext(@TempDir Path folder) throws IOException {
        Requirements.programs("openssl");
        String contexts = DemoCommands.quoted(String.join(",", PRINTED));
        Shell.Result printed = Shell.succeeds("jbang KindDemo.java --dry-run --contexts " + contexts,
                Map.of("XDG_STATE_HOME", "" + folder));
        Path script = Files.writeString(folder.resolve("script"), printed.out());
        for (String program : List.of("kubectl", "istioctl"))
            assertTrue(Files.writeString(folder.resolve(program), """
                    #!/bin/bash
                    for word; do [[ $last != --context ]] || printf '%s\\n' "$word" >> "$CONTEXTS"; last=$word; done
                    printf 'helloworld :15443\\n%.0s' {1..9}
                    """).toFile().setExecutable(true));
        Shell.succeeds("cd '%1$s' && CONTEXTS='%1$s/contexts' PATH='%1$s':$PATH bash '%2$s'".formatted(folder, script));
        assertEquals(Set.copyOf(PRINTED), Set.copyOf(Files.readAllLines(folder.resolve("contexts"))));
    }
}
