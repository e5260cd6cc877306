package lib.ca;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import module java.net.http;
import lib.docker.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.cert.X509Certificate;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A real Vault without clusters. Its name prefix and its port differ from those of a running demo. */
@Tag("e2e")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class VaultTest {
    private static final String PREFIX = "vault-test", NAME = PREFIX + "-vault",
            URI_SAN = "spiffe://cluster.local/ns/sample/sa/helloworld";
    private static final Cluster FIRST = new Cluster(1, PREFIX + "1"), SECOND = new Cluster(2, PREFIX + "2");
    @TempDir static Path folder;
    private static Console console;
    private static AppDirs dirs;
    private static Docker docker;
    private static Vault vault;
    private static int port;

    private static Vault newVault() {
        return new Vault(PREFIX, Optional.of(port), 0, docker, docker.images()::whyNotPullable, new Manifests(null),
                dirs.state(), console);
    }

    /** A new Vault object, as in another run of KindDemo. */
    private static Vault fresh() throws IOException {
        Vault vault = newVault();
        vault.start(_ -> {});
        return vault;
    }

    @BeforeAll static void createVault() throws IOException {
        assertEquals("", Shell.run("docker ps -aq --filter name=^%1$s$; docker volume ls -q --filter name=^%1$s$"
                .formatted(NAME)).out());
        Shell.run("docker network inspect kind || docker network create kind");
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        dirs = AppDirs.of(PREFIX).create();
        console = new Console(false, new DemoCommands(" --name-prefix " + PREFIX, ""), UnaryOperator.identity());
        console.keepLog(folder.resolve("log"));
        docker = new Docker(console, PREFIX);
        vault = newVault();
    }

    @AfterAll static void removeVault() throws Exception {
        vault.remove().task().run(_ -> {});
        dirs.delete(false).task().run(_ -> {});
    }

    @Test @Order(1) void setsUpWithoutShowingSecrets() throws Exception {
        assertTrue(vault.check().contains("port " + port), vault.check());
        var processes = new ConcurrentLinkedQueue<String>();
        Thread watch = Thread.startVirtualThread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                ProcessHandle.allProcesses().map(p -> p.info().commandLine().orElse("")).forEach(processes::add);
                LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
            }
        });
        long start = System.nanoTime();
        try {
            vault.start(_ -> {});
            System.out.printf("Vault is unsealed after %.1f s%n", (System.nanoTime() - start) / 1e9);
            vault.pki().root();
            for (Cluster cluster : List.of(FIRST, SECOND)) vault.pki().intermediate(cluster);
            System.out.printf("root and two intermediates after %.1f s%n", (System.nanoTime() - start) / 1e9);
        } finally {
            watch.interrupt();
            watch.join();
        }

        assertTrue(processes.stream().anyMatch(p -> p.contains("compose")), "no process of Compose was recorded");
        String docker = Shell.run("docker inspect %1$s; docker logs %1$s; docker volume inspect %1$s".formatted(NAME))
                .all();
        assertTrue(docker.contains("vault server") && docker.contains("post-unseal"), docker);
        String seen = String.join("\n", processes) + docker + Files.readString(folder.resolve("log"));
        List<Path> files;
        try (Stream<Path> all = Files.list(dirs.state().resolve("vault"))) {
            files = all.toList();
        }
        assertEquals(Set.of("root-token", "unseal-key", FIRST + "-token", SECOND + "-token"),
                files.stream().map(f -> f.getFileName().toString()).collect(Collectors.toSet()));
        for (Path file : files) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertFalse(seen.contains(Files.readString(file)), file + " is visible");
        }
        assertFalse(seen.contains("PRIVATE KEY"));
        assertEquals("127.0.0.1", Shell.run("docker port %s 8200".formatted(NAME)).out().split(":")[0]);
        String networks = "docker inspect --format '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}' ";
        assertEquals("kind", Shell.run(networks + NAME).out().strip());
    }

    @Test @Order(2) void intermediatesChainToTheRoot() throws Exception {
        X509Certificate root = vault.pki().root();
        X509Certificate first = vault.pki().intermediate(FIRST), second = vault.pki().intermediate(SECOND);
        assertEquals("CN=sample.mesh", root.getSubjectX500Principal().getName());
        assertNotEquals(first.getPublicKey(), second.getPublicKey());
        for (X509Certificate intermediate : List.of(first, second)) {
            Certificates.validate("", List.of(intermediate), root, "");
            assertEquals(1, intermediate.getBasicConstraints());
        }
    }

    private static int status(Path token, String method, String path, Object body) throws Exception {
        return send(token, method, path, body).statusCode();
    }

    private static HttpResponse<String> send(Path token, String method, String path, Object body) throws Exception {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d/v1/%s".formatted(port, path)))
                    .header("X-Vault-Token", Files.readString(token)).timeout(Duration.ofSeconds(10))
                    .method(method, HttpRequest.BodyPublishers.ofString(new ObjectMapper().writeValueAsString(body)))
                    .build(), HttpResponse.BodyHandlers.ofString());
        }
    }

    /** A certificate request like that of a workload: without a name, but with its SPIFFE identity. */
    private static String request() throws Exception {
        KeyPair keys = Certificates.newKeys();
        var names = new Extensions(new Extension(Extension.subjectAlternativeName, false,
                new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, URI_SAN)).getEncoded()));
        var request = new JcaPKCS10CertificationRequestBuilder(new X500Name(""), keys.getPublic())
                .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, names)
                .build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()));
        StringWriter pem = new StringWriter();
        try (PemWriter writer = new PemWriter(pem)) {
            writer.writeObject(new PemObject("CERTIFICATE REQUEST", request.getEncoded()));
        }
        return pem.toString();
    }

    @Test @Order(3) void aTokenSignsOnlyWorkloadsOfItsCluster() throws Exception {
        Path token = vault.pki().token(FIRST);
        var body = Map.of("csr", request(), "ttl", "1h");
        HttpResponse<String> answer = send(token, "POST", "pki_int1/sign/cluster1-issuer", body);
        assertEquals(200, answer.statusCode(), answer.body());
        JsonNode data = new ObjectMapper().readTree(answer.body()).path("data");
        List<X509Certificate> chain = Certificates.readChain(data.path("certificate").asText() + "\n"
                + data.path("ca_chain").toString().replace("\\n", "\n"));
        Certificates.validate(URI_SAN, chain, vault.pki().root(), "");
        assertEquals(Set.of(URI_SAN), Certificates.uris(chain.getFirst()));
        assertEquals("CN=sample.mesh Intermediate Authority,L=" + FIRST.id(),
                chain.getFirst().getIssuerX500Principal().getName());

        assertEquals(403, status(token, "POST", "pki_int2/sign/cluster2-issuer", body));
        assertEquals(403, status(token, "POST", "pki_int1/root/sign-intermediate",
                Map.of("csr", request(), "common_name", "mine")));
        assertEquals(403, status(token, "POST", "pki/root/sign-intermediate",
                Map.of("csr", request(), "common_name", "mine")));
        assertEquals(403, status(token, "POST", "pki_int1/issue/cluster1-issuer", Map.of("common_name", "mine")));
        assertEquals(403, status(token, "POST", "pki_int1/roles/cluster1-issuer", Map.of("max_ttl", "8760h")));
        assertEquals(403, status(token, "PUT", "sys/policies/acl/cluster1-issuer", Map.of("policy", "")));
        assertEquals(403, status(token, "GET", "sys/mounts", Map.of()));
        assertEquals(200, status(vault.pki().token(SECOND), "POST", "pki_int2/sign/cluster2-issuer", body));
        assertEquals(403, status(vault.pki().token(SECOND), "POST", "pki_int1/sign/cluster1-issuer", body));
    }

    @Test @Order(4) void workloadCertificatesAreValidForAtMostThreeDays() throws Exception {
        HttpResponse<String> answer = send(vault.pki().token(FIRST), "POST", "pki_int1/sign/cluster1-issuer",
                Map.of("csr", request(), "ttl", "1000h"));
        JsonNode data = new ObjectMapper().readTree(answer.body()).path("data");
        Instant end = Certificates.readCertificate(data.path("certificate").asText()).getNotAfter().toInstant();
        assertTrue(end.isBefore(Instant.now().plus(Duration.ofHours(73))), "" + end);
    }

    @Test @Order(5) void reusesEverythingInAnotherRunAndAfterARestart() throws Exception {
        X509Certificate root = vault.pki().root(), first = vault.pki().intermediate(FIRST);
        String token = Files.readString(vault.pki().token(FIRST));
        Vault again = fresh();
        assertEquals(List.of(root, first), List.of(again.pki().root(), again.pki().intermediate(FIRST)));
        Shell.succeeds("docker restart " + NAME);
        again = fresh();
        assertEquals(List.of(root, first), List.of(again.pki().root(), again.pki().intermediate(FIRST)));
        Shell.succeeds("docker rm --force " + NAME);
        again = fresh();
        assertEquals(List.of(root, first), List.of(again.pki().root(), again.pki().intermediate(FIRST)));
        assertEquals(token, Files.readString(vault.pki().token(FIRST)));
        assertEquals(200, status(vault.pki().token(FIRST), "POST", "pki_int1/sign/cluster1-issuer",
                Map.of("csr", request())));
    }

    @Test @Order(6) void reportsALostKeyAndALostVolume() throws Exception {
        Path key = dirs.state().resolve("vault/unseal-key"), away = folder.resolve("key");
        Files.move(key, away);
        Problem problem = assertThrows(Problem.class, VaultTest::fresh);
        assertTrue(problem.getMessage().contains("its unseal key is missing")
                && problem.hint().contains("Teardown.java --name-prefix " + PREFIX), problem.getMessage());
        Files.move(away, key);
        vault.remove().task().run(_ -> {});
        problem = assertThrows(Problem.class, VaultTest::fresh);
        assertTrue(problem.getMessage().contains("is empty")
                && problem.hint().contains("Teardown.java --name-prefix " + PREFIX), problem.getMessage());
    }

    @Test @Order(7) void removesEverything() throws Exception {
        vault.remove().task().run(_ -> {});
        assertEquals(List.of(), vault.containers());
        assertFalse(docker.describeNetwork().toString().contains(NAME));
        assertEquals("", Shell.run("docker volume ls -q --filter name=" + NAME).out());
    }
}
