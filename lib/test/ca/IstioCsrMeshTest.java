package lib.ca;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.cli.*;
import lib.docker.*;
import lib.fetch.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.cert.X509Certificate;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A mesh with istio-csr: cert-manager gets the workload certificates from a real Vault. From KindDemo to Teardown. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class IstioCsrMeshTest {
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();
    private static final Path STATE = DEMO.state();
    private static final String PODS = "for i in 1 2; do kubectl --context kind-so$i get pods -A --no-headers"
            + " -o custom-columns=:.metadata.uid | sort; done",
            ADDRESS = "docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' so-vault";

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @BeforeAll static void requireImages() {
        Docker docker = new Docker(new Console(false));
        List<String> images = Probe.demo("--ca", "istio-csr").authority.images();
        Set<String> absent = new TreeSet<>(images);
        absent.removeAll(docker.images().present(images).keySet());
        assumeTrue(absent.isEmpty(), () -> "skipped: image %s absent".formatted(String.join(", ", absent)));
        try {
            Probe.checkCertManager();
        } catch (Problem p) {
            assumeTrue(false, "skipped: " + p.getMessage());
        }
    }

    @Test @Order(1) void createsTheMeshWithoutShowingSecrets() throws Exception {
        succeeds("jbang build KindDemo.java");
        VaultMeshTest.createsWithoutShowingSecrets(DEMO, Docs.command("jbang KindDemo.java --ca istio-csr")
                + " --timings",
                "for i in 1 2; do kubectl --context kind-so$i logs -n istio-system deploy/cert-manager-istio-csr; "
                + "kubectl --context kind-so$i logs -n cert-manager deploy/cert-manager; done; docker logs so-vault");
    }

    @Test @Order(2) void verifyShowsTheIssuer() {
        Shell.Result verify = succeeds("jbang Verify.java");
        for (String words : List.of("same-root: CN=sample.mesh, SHA-256", "The mesh works.",
                "so1: intermediate: CN=sample.mesh Intermediate Authority,L=istio-so1, issued by CN=sample.mesh",
                "so2: intermediate: CN=sample.mesh Intermediate Authority,L=istio-so2, issued by CN=sample.mesh",
                "(issued by CN=sample.mesh Intermediate Authority,L=istio-so2"))
            assertTrue(verify.out().contains(words), words + "\n" + verify.out());
    }

    /** The certificate chain of a running proxy, as istioctl shows it. */
    private static List<X509Certificate> chainOf(String cluster, String workload) throws Exception {
        String json = succeeds("istioctl --context kind-%s proxy-config secret %s -o json".formatted(cluster, workload))
                .out();
        return Certificates.readChain(Certificates.decode(new ObjectMapper().readTree(json)
                .findValue("certificateChain").path("inlineBytes").asText()));
    }

    @Test @Order(3) void vaultIssuesWorkloadCertificatesForAnHour() throws Exception {
        for (String cluster : List.of("so1", "so2"))
            for (String workload : List.of("deploy/sleep.sample", "deploy/helloworld-v1.sample",
                    "deploy/istio-ingressgateway.istio-system", "deploy/istio-eastwestgateway.istio-system")) {
                List<X509Certificate> chain = chainOf(cluster, workload);
                X509Certificate own = chain.getFirst(), signer = chain.get(1);
                assertEquals("CN=sample.mesh Intermediate Authority,L=istio-" + cluster,
                        own.getIssuerX500Principal().getName(), workload);
                assertEquals("CN=sample.mesh", signer.getIssuerX500Principal().getName(), workload);
                Duration life = Duration.between(own.getNotBefore().toInstant(), own.getNotAfter().toInstant());
                assertTrue(life.compareTo(Duration.ofMinutes(59)) > 0 && life.compareTo(Duration.ofMinutes(62)) < 0,
                        workload + " " + life);
            }
        assertEquals("", succeeds("kubectl --context kind-so1 get secret cacerts -n istio-system --ignore-not-found")
                .out());
        assertFalse(succeeds("kubectl --context kind-so1 get configmap coredns -n kube-system -o yaml").out()
                .contains("vault"));
        String issued = Docs.command("get issuer,certificate");
        assertEquals(2, succeeds(issued).out().lines().filter(l -> l.contains("True")).count(), issued);
        assertTrue(succeeds(Docs.command("deploy/sleep.sample")).out().contains("ACTIVE"));
    }

    @Test @Order(4) void refusesAnotherCa() {
        String before = OwnDemo.existing();
        for (String other : List.of("local", "vault")) {
            Shell.Result refused = DEMO.run("jbang KindDemo.java --ca " + other);
            assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
            assertTrue(refused.err().contains("the demo uses --ca istio-csr")
                    && refused.err().contains("jbang Teardown.java"), refused.err());
        }
        assertEquals(before, OwnDemo.existing());
    }

    @Test @Order(5) void reusesEverything() {
        String pods = succeeds(PODS).out(), certificate = istiodsCertificate();
        System.out.println("KindDemo on a complete demo: " + succeeds("jbang KindDemo.java").took().toMillis() + " ms");
        assertEquals(pods, succeeds(PODS).out());
        assertEquals(certificate, istiodsCertificate());
    }

    private static String istiodsCertificate() {
        return succeeds("kubectl --context kind-so1 get secret istiod-tls -n istio-system -o jsonpath='{.data}'"
                + " | sha256sum").out();
    }

    /**
     * Vault is sealed and has another address, so it issues no certificates. cert-manager would retry istiod's
     * certificate only after an hour.
     */
    @Test @Order(6) void repairsAMovedVault() throws Exception {
        String address = succeeds(ADDRESS).out();
        succeeds("docker stop so-vault && docker run --detach --name so-in-its-place --network kind --entrypoint sleep "
                + "docker.io/hashicorp/vault:%s 600 && docker start so-vault".formatted(Versions.VAULT));
        try {
            assertNotEquals(address, succeeds(ADDRESS).out());
            succeeds("kubectl --context kind-so1 delete secret istiod-tls -n istio-system");
            succeeds("kubectl --context kind-so1 wait certificate istiod -n istio-system --timeout 120s"
                    + " --for=jsonpath='{.status.failedIssuanceAttempts}'=1");
            System.out.println("KindDemo after Vault got another address: "
                    + succeeds("jbang KindDemo.java").took().toMillis() + " ms");
            succeeds("kubectl --context kind-so1 get secret istiod-tls -n istio-system");
            for (String cluster : List.of("so1", "so2")) {
                Instant start = Instant.now().truncatedTo(ChronoUnit.SECONDS);
                succeeds("kubectl --context kind-%1$s rollout restart deployment/sleep -n sample".formatted(cluster));
                succeeds("kubectl --context kind-%1$s rollout status deployment/sleep -n sample --timeout 120s"
                        .formatted(cluster));
                Instant end = chainOf(cluster, "deploy/sleep.sample").getFirst().getNotAfter().toInstant();
                assertTrue(end.isAfter(start.plus(Duration.ofMinutes(59))), "" + end);
            }
            succeeds("jbang Verify.java");
        } finally {
            Shell.run("docker rm --force so-in-its-place");
        }
    }

    @Test @Order(7) void removesEverything() {
        assertTrue(succeeds("jbang Teardown.java").out().contains("removed [so1, so2, so-vault]"));
        assertEquals(DEMO.before(), OwnDemo.existing());
        assertFalse(Files.exists(STATE));
    }
}
