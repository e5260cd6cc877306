package lib.ca;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.observe.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A mesh with its root CA in a real Vault and with Kiali, from KindDemo to Teardown. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class VaultMeshTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final ObservedDemo OBSERVED = new ObservedDemo(DEMO);
    private static final Path STATE = DEMO.state();
    private static final String CACERTS =
            "for i in 1 2; do kubectl --context kind-so$i get secret cacerts -n istio-system -o jsonpath='{.data}'"
            + " | sha256sum; done";

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    /** Without the locality rule there are requests between the clusters: Prometheus must read both ends of them. */
    @Test @Order(1) void createsTheMeshWithoutShowingSecrets() throws Exception {
        succeeds("jbang build KindDemo.java");
        OBSERVED.prepare();
        Shell.Result demo = createsWithoutShowingSecrets(DEMO,
                Docs.command("jbang KindDemo.java --ca vault") + " --observe --no-locality",
                "docker inspect so-vault so1-control-plane; docker logs so-vault");
        OBSERVED.applyStandIn();
        assertTrue(demo.out().stripTrailing().lines().toList().getLast().strip()
                .startsWith("http://localhost:32031/kiali/console/graph/namespaces?namespaces=sample"), demo.out());
    }

    /** Runs KindDemo. Vault's keys and tokens must be in files that only the user can read, and nowhere else. */
    static Shell.Result createsWithoutShowingSecrets(OwnDemo own, String command, String logs) throws IOException {
        Path state = own.state();
        var demo = new AtomicReference<Shell.Result>();
        String seen = Shell.processesDuring(() -> demo.set(own.run(command)));
        assertEquals(0, demo.get().exitCode(), demo.get().all());
        assertTrue(seen.contains("kind create cluster") && seen.contains("so-vault"), "no process lists were recorded");
        System.out.println("%s: %d s%n%s".formatted(command, demo.get().took().toSeconds(), demo.get().out()));
        Shell.Result logged = own.succeeds(logs);
        seen += demo.get().all() + Files.readString(state.resolve("KindDemo.log")) + logged.all();
        for (String secret : List.of("root-token", "unseal-key", "so1-token", "so2-token")) {
            Path file = state.resolve("vault").resolve(secret);
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertFalse(seen.contains(Files.readString(file)), secret + " is visible");
        }
        assertFalse(seen.contains("PRIVATE KEY") || seen.contains("hvs.") || seen.contains("eyJhbGci"),
                "a key or a token is visible");
        return demo.get();
    }

    /** The short form of ObservabilityTest. */
    @Test @Order(2) void observesTheMesh() throws IOException {
        String reporters = OBSERVED.readsEveryPodOfBothClusters();
        assertTrue(reporters.contains("istio-so1 → istio-so2"), reporters);
    }

    @Test @Order(3) void unsealsARestartedVaultAndRemovesKiali() {
        String cacerts = succeeds(CACERTS).out();
        succeeds("docker restart so-vault");
        System.out.println("KindDemo with a sealed Vault: "
                + succeeds(Docs.command("jbang KindDemo.java --observe=")).took().toMillis() + " ms");
        DEMO.environment.remove("KIND_DEMO_MANIFESTS");
        assertTrue(succeeds("curl -s http://127.0.0.1:8200/v1/sys/health").out().contains("\"sealed\":false"));
        assertEquals(cacerts, succeeds(CACERTS).out());
        String names = " get deployments,services,secrets,configmaps,serviceaccounts -n istio-system -o name";
        for (String cluster : List.of("so1", "so2"))
            assertFalse(succeeds("kubectl --context kind-" + cluster + names).out()
                    .matches("(?s).*(prometheus|kiali|observer).*"), cluster);
    }

    @Test @Order(4) void verifyShowsVaultsRoot() {
        Shell.Result verify = succeeds("jbang Verify.java");
        for (String words : List.of("same-root: CN=sample.mesh, SHA-256", "The mesh works.",
                "so1: intermediate: CN=istiod,L=istio-so1, issued by "
                        + "CN=sample.mesh Intermediate Authority,L=istio-so1",
                "so2: intermediate: CN=istiod,L=istio-so2, issued by "
                        + "CN=sample.mesh Intermediate Authority,L=istio-so2"))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    /** Runs the documented commands, with the test's own state folder. */
    @Test @Order(5) void documentedCommandsShowTheIssuer() throws IOException {
        String login = Docs.command("export VAULT_ADDR").replace("~/.local/state/kind-demo/so", STATE.toString())
                + " && ";
        assertTrue(succeeds(login + Docs.command("openssl x509")).out().contains("sample.mesh Intermediate Authority"));
        assertTrue(succeeds(login + Docs.command("vault policy read")).out().contains("pki_int1/sign/cluster1-issuer"));
        assertTrue(succeeds(login + Docs.command("docker exec")).out().contains("spiffe://*"));
        assertEquals(1, succeeds(login + Docs.command("vault list")).out().lines().filter(l -> l.contains(":"))
                .count());
    }

    @Test @Order(6) void refusesAnotherCa() {
        String before = OwnDemo.existing(), cacerts = succeeds(CACERTS).out();
        for (String command : List.of("jbang KindDemo.java --ca local", "KIND_DEMO_CA=local jbang KindDemo.java")) {
            Shell.Result refused = DEMO.run(command);
            assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
            assertTrue(refused.err().contains("the demo uses --ca vault")
                    && refused.err().contains("jbang Teardown.java"), refused.err());
        }
        assertEquals(before, OwnDemo.existing());
        assertEquals(cacerts, succeeds(CACERTS).out());
    }

    @Test @Order(7) void removesEverything() {
        assertTrue(succeeds("jbang Teardown.java --dry-run").out().contains("docker rm --force so-vault"));
        assertTrue(succeeds("jbang Teardown.java").out().contains("removed [so1, so2, so-vault]"));
        assertEquals(DEMO.before(), OwnDemo.existing());
        assertFalse(Files.exists(STATE));
        assertFalse(succeeds("docker network inspect kind").out().contains("so-vault"));
    }
}
