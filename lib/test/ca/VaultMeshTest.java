package lib.ca;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A mesh with its root CA in a real Vault, from KindDemo to Teardown. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class VaultMeshTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final Path STATE = DEMO.state();
    private static final String CACERTS =
            "for i in 1 2; do kubectl --context kind-so$i get secret cacerts -n istio-system -o jsonpath='{.data}'"
            + " | sha256sum; done";

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @Test @Order(1) void createsTheMeshWithoutShowingSecrets() throws Exception {
        succeeds("jbang build KindDemo.java");
        createsWithoutShowingSecrets(DEMO, Docs.command("jbang KindDemo.java --ca vault"),
                "docker inspect so-vault so1-control-plane; docker logs so-vault");
    }

    /** Runs KindDemo. Vault's keys and tokens must be in files that only the user can read, and nowhere else. */
    static void createsWithoutShowingSecrets(OwnDemo own, String command, String logs) throws IOException {
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
        assertFalse(seen.contains("PRIVATE KEY") || seen.contains("hvs."), "a key or a token is visible");
    }

    @Test @Order(2) void verifyShowsVaultsRoot() {
        Shell.Result verify = succeeds("jbang Verify.java");
        for (String words : List.of("same-root: CN=sample.mesh, SHA-256", "The mesh works.",
                "so1: intermediate: CN=istiod,L=istio-so1, issued by "
                        + "CN=sample.mesh Intermediate Authority,L=istio-so1",
                "so2: intermediate: CN=istiod,L=istio-so2, issued by "
                        + "CN=sample.mesh Intermediate Authority,L=istio-so2"))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    /** Runs the documented commands, with the test's own state folder. */
    @Test @Order(3) void documentedCommandsShowTheIssuer() throws IOException {
        String login = Docs.command("export VAULT_ADDR").replace("~/.local/state/kind-demo/so", STATE.toString())
                + " && ";
        assertTrue(succeeds(login + Docs.command("openssl x509")).out().contains("sample.mesh Intermediate Authority"));
        assertTrue(succeeds(login + Docs.command("vault policy read")).out().contains("pki_int1/sign/cluster1-issuer"));
        assertTrue(succeeds(login + Docs.command("docker exec")).out().contains("spiffe://*"));
        assertEquals(1, succeeds(login + Docs.command("vault list")).out().lines().filter(l -> l.contains(":"))
                .count());
    }

    @Test @Order(4) void refusesAnotherCa() {
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

    @Test @Order(5) void unsealsARestartedVaultAndReusesEverything() {
        String cacerts = succeeds(CACERTS).out();
        succeeds("docker restart so-vault");
        System.out.println("KindDemo with a sealed Vault: " + succeeds("jbang KindDemo.java").took().toMillis()
                + " ms");
        assertTrue(succeeds("curl -s http://127.0.0.1:8200/v1/sys/health").out().contains("\"sealed\":false"));
        assertEquals(cacerts, succeeds(CACERTS).out());
        succeeds("jbang Verify.java");
    }

    @Test @Order(6) void removesEverything() {
        assertTrue(succeeds("jbang Teardown.java --dry-run").out().contains("docker rm --force so-vault"));
        assertTrue(succeeds("jbang Teardown.java").out().contains("removed [so1, so2, so-vault]"));
        assertEquals(DEMO.before(), OwnDemo.existing());
        assertFalse(Files.exists(STATE));
        assertFalse(succeeds("docker network inspect kind").out().contains("so-vault"));
    }
}
