package lib.report;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
public class DiagnosticsTest {
    @ParameterizedTest @ValueSource(strings = {"client-key-data: S0VZS0VZS0VZ", "token: abcdefghijkl",
            "\"token\": \"abcdefghijkl\"",
            "Authorization: Bearer abcdefghijkl", "password=abcdefghijkl is no option, but password: abcdefghijkl is",
            "eyJhbGciOiJS.eyJpc3Mi.c2ln"})
    void removesSecrets(String text) {
        String left = Redactor.redact("before\n" + text + "\nafter");
        assertTrue(left.contains("(left out)") && left.startsWith("before\n") && left.endsWith("\nafter"), left);
        for (String secret : List.of("S0VZ", "token: abc", "\"abc", "Bearer abc", ": abc", "eyJ"))
            assertFalse(left.contains(secret), left);
    }

    @Test void removesKeysAndKeepsCertificates() throws Exception {
        var root = Certificates.createRoot();
        String certificate = Certificates.pem(root.certificate()), key = Certificates.pem(root.key());
        assertEquals("a: (left out)\n" + certificate, Redactor.redact("a: " + key + certificate));
        assertEquals("(left out)", Redactor.redact(key.substring(0, 90)));
        assertEquals("made (left out) now", Redactor.redact("made hvs.CAESIJ_x-0123456789 now"));
    }

    @Test void keepsTextsThatOnlyMentionTokens() {
        String text = "--service-account-token-path=/var/run/token, tokenreviews, name: kube-api-access-x,"
                + " so1: remote secret: skipped";
        assertEquals(text, Redactor.redact(text));
    }

    /** The name that identifies a value as a secret may be above the lines that are shown. */
    @Test void removesTruncatedSecrets() {
        assertEquals("  value: (left out)\nlast", Redactor.lastLines(2,
                "first\n- name: API_TOKEN\n  value: SECRET25\nlast"));
    }

    /** Shapes of secrets as programs print them; each contains a word such as SECRET1 in place of the secret. */
    public static final List<String> SHAPES = List.of("DB_PASSWORD=SECRET1xx", "level=info msg=\"login\" token=SECRET2",
            "run --token SECRET3 --verbose", "aws_secret_access_key = SECRET4/abc+def", "key AKIASECRET5ABCDEFGHI used",
            "dial postgres://app:SECRET6@db.example.org:5432/app", "clone https://SECRET7@git.example.org/x.git",
            "{\"user\": \"a\", \"password\": \"SECRET8 with words\", \"b\": 1}",
            "{\\\"apiKey\\\":\\\"SECRET9\\\",\\\"n\\\":1}",
            "-----BEGIN EC PRIVATE KEY-----\nSECRET10\n-----END EC PRIVATE KEY-----",
            "Authorization: Basic SECRET11xxx==",
            "curl -H 'authorization: Bearer SECRET12abc' x", "jwt eyJSECRET13abc.eyJzdWIiOiJ4In0.c2lnbmF0dXJl seen",
            "vault hvs.SECRET14abcdef",
            "remote ghp_SECRET15abcdefghijklmnop", "glpat-SECRET16abcdefghijk", "xoxb-SECRET17-abcdefgh",
            "config YXBpVmVyc2lvbjogdjEKSECRET18abcdefgh",
            "EnvVar{Name:MYSQL_ROOT_PASSWORD,Value:SECRET19,ValueFrom:nil,}",
            "password: |\n  SECRET20\n", "app:SECRET21@tcp(db:3306)/app", "curl --user admin:SECRET22 http://x",
            "Set-Cookie: session=SECRET23; Path=/",
            "AccountName=x;AccountKey=SECRET24==;Suffix=y", "- name: API_TOKEN\n  value: SECRET25\n",
            "map[secret:SECRET26 user:a]",
            "pass='SECRET27 x'", "kubeadm join --token secret.28secret28secret --x", "--client-secret \"SECRET29\"");

    private static void assertNone(String text) {
        assertFalse(text.toLowerCase(Locale.ROOT).contains("secret28") || text.matches("(?s).*SECRET\\d.*"), text);
    }

    @Test void removesAllShapesOfSecretsFromLogs() {
        for (String shape : SHAPES) {
            String left = Redactor.redact("before\n12:00:01 " + shape + "\nafter " + shape + " more\nlast\n");
            assertNone(left);
            assertTrue(left.startsWith("before\n12:00:01 ") && left.endsWith("\nlast\n"), left);
        }
        assertNone(Redactor.redact(String.join("\n", SHAPES)));
    }

    @Test void readsLongLogsQuickly() {
        String log = (String.join("\n", SHAPES) + "x".repeat(5_000) + ":" + "a.b-".repeat(2_000) + "\n").repeat(20);
        assertTimeout(Duration.ofSeconds(5), () -> Redactor.redact(log));
    }

    /** These values are secret because of their fields: no pattern could recognize them. */
    @Test void removesContentsOfResourcesByStructure() throws IOException {
        Pod pod = new PodBuilder().withNewMetadata().withName("shop").withLabels(Map.of("app", "shop"))
                .addToAnnotations("kubectl.kubernetes.io/last-applied-configuration", "{\"env\": \"SECRET1\"}")
                .addToAnnotations("example.org/note", "SECRET2").endMetadata().withNewSpec()
                .addNewContainer().withName("main").withImage("shop:1").withCommand("sh", "-c", "SECRET3")
                .withArgs("--level", "SECRET4")
                .addNewEnv().withName("PIN").withValue("SECRET5").endEnv()
                .addNewEnv().withName("REF").withNewValueFrom().withNewSecretKeyRef("key", "named", false)
                .endValueFrom().endEnv()
                .withNewLivenessProbe().withNewHttpGet().addNewHttpHeader("X-Key", "SECRET6").endHttpGet()
                .endLivenessProbe()
                .withNewReadinessProbe().withNewExec().withCommand("check", "SECRET7").endExec().endReadinessProbe()
                .withNewLifecycle().withNewPreStop().withNewExec().withCommand("SECRET8").endExec().endPreStop()
                .endLifecycle().endContainer()
                .addNewInitContainer().withName("init").withArgs("SECRET9").addNewEnv().withName("A")
                .withValue("SECRET10").endEnv()
                .endInitContainer()
                .addNewVolume().withName("v").withNewCsi().withDriver("d").addToVolumeAttributes("a", "SECRET11")
                .endCsi().endVolume()
                .endSpec().withNewStatus().withPhase("Running").addNewContainerStatus().withName("main")
                .withNewLastState().withNewTerminated()
                .withMessage("cannot log in: DB_PASSWORD=SECRET12").endTerminated().endLastState().endContainerStatus()
                .endStatus().build();
        ConfigMap config = new ConfigMapBuilder().withNewMetadata().withName("c").endMetadata()
                .addToData("a", "SECRET13")
                .addToBinaryData("b", "SECRET14").build();
        Secret secret = new SecretBuilder().withNewMetadata().withName("s").endMetadata().addToData("a", "SECRET15")
                .addToStringData("b", "SECRET16").build();
        String yaml = Diagnostics.yaml(List.of(pod, config, secret));
        assertNone(Redactor.redact(yaml));
        for (String kept : List.of("name: \"PIN\"", "shop:1", "phase: \"Running\"", "key: \"key\"", "example.org/note",
                "app: \"shop\""))
            assertTrue(yaml.contains(kept), kept + " is missing in\n" + yaml);
        assertTrue(pod.getSpec().getContainers().getFirst().getEnv().getFirst().getValue().equals("SECRET5"),
                "the original must not change");
    }

    @Test void removesOtherNamespacesFromIstiodsLog() {
        String own = """
                info ads Push debounce stable[40] 1 for config \
                Endpoints/istio-system/istiod.istio-system.svc.cluster.local: 100ms
                info delta CDS: PUSH for node:sleep-5c8d7f6b4-x7k2p.sample-12 resources:40
                info ads ADS: new delta connection for node:istio-ingressgateway-bd4f-vfksz.istio-system-3
                """;
        String other = """
                info ads Push debounce stable[41] 1 for config Secret/users-own/planted: 100.193199ms since last change
                info ads Incremental push, service web.users-own.svc.cluster.local at shard
                info delta LDS: PUSH for node:web-5c8d7f6b4-abcde.users-own-7 resources:4
                """;
        assertEquals(own.strip(), Diagnostics.ofTheDemo(own + other, Set.of("istio-system", "sample")));
    }

    @Test void removesOtherNamespacesFromNodeLogs() {
        String own = "kubelet[1]: I1 \"Pod ready\" pod=\"istio-system/istiod-1\"\ncontainerd[2]: RunPodSandbox for "
                + "&PodSandboxMetadata{Name:coredns,Uid:1,Namespace:kube-system,Attempt:0,}\nsystemd[1]: started\n";
        String other = "kubelet[1]: E1 \"Error syncing pod\" err=\"SECRET1\" pod=\"shop/web-1\" podUID=\"1\"\n"
                + "containerd[2]: RunPodSandbox for &PodSandboxMetadata{Name:SECRET2,Uid:1,Namespace:shop,Attempt:0,}\n"
                + "kubelet[1]: \"SyncLoop ADD\" pods=[\"shop/SECRET3\"]\n";
        String whole = "kubelet[1]: E1 kuberuntime_manager.go: \"Unhandled Error\" err=\"init container &Container{"
                + "Name:x,Args:[SECRET4],Env:[]EnvVar{EnvVar{Name:PIN,Value:SECRET5,},},} start failed"
                + " in pod sleep-1_sample(1): CreateContainerError\"\n";
        String left = Diagnostics.ofTheDemo(own + other + whole, Set.of("istio-system", "kube-system", "sample"));
        assertNone(left);
        assertTrue(left.startsWith(own) && left.contains("init container &(left out)"), left);
    }

    @Test void writesOnlyToNewFoldersAndEarlierDiagnostics(@TempDir Path folder) throws IOException {
        Diagnostics.check(folder.resolve("new"));
        Diagnostics.check(Files.createDirectory(folder.resolve("empty")));
        Path mine = Files.createDirectory(folder.resolve("mine")),
                file = Files.writeString(mine.resolve("log.txt"), "mine");
        for (Path wrong : List.of(mine, file)) {
            Problem problem = assertThrows(Problem.class, () -> Diagnostics.check(wrong));
            assertEquals(Problem.USAGE, problem.exitCode());
        }
        Files.writeString(mine.resolve(Diagnostics.MARKER), "");
        Diagnostics.check(mine);
    }
}
