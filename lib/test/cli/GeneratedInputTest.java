package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.kubeconfig.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.client.utils.Serialization;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * Hundreds of mutations of valid input. Each must be accepted, or refused with a message: any other exception is a
 * defect. With another seed and more cases: {@code jbang -R-Dseed=42 -R-Dcases=2000 lib/test/Tests.java
 * --include-classname '.*GeneratedInputTest'}
 */
@Tag("unit")
class GeneratedInputTest {
    private static final long SEED = Long.getLong("seed", 1);
    private static final int CASES = Integer.getInteger("cases", 200);
    private static final String KUBECONFIG = """
            apiVersion: v1
            kind: Config
            current-context: kind-so1
            preferences: {colors: true}
            clusters:
            - name: kind-so1
              cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: QUJD}
            - name: work
              cluster: {server: "https://10.0.0.1", insecure-skip-tls-verify: true, proxy-url: "http://proxy:3128"}
            contexts:
            - name: kind-so1
              context: {cluster: kind-so1, user: kind-so1}
            - name: work
              context: {cluster: work, user: work, namespace: "0123"}
            users:
            - name: kind-so1
              user: {client-certificate-data: QUJD, client-key-data: QUJD}
            - name: work
              user:
                exec: {apiVersion: client.authentication.k8s.io/v1, command: get-token, args: [a],
                  env: [{name: A, value: b}]}
            """;
    private static final String OPERATOR = """
            apiVersion: install.istio.io/v1alpha1
            kind: IstioOperator
            spec:
              meshConfig: {accessLogEncoding: JSON}
              components:
                pilot: {enabled: true, k8s: {replicaCount: 2}}
              values:
                global: {proxy: {logLevel: info}, variant: distroless}
            """;
    private static final List<Object> OTHERS = List.of("", " ", "text", "jörg-漢字-🙂", "x".repeat(100_000), "a\nb",
            "\u0000", "\uFEFF", "${NOWHERE}", "-1", 0, -1, Long.MAX_VALUE, 1.5, true, List.of(), List.of("a", 1),
            List.of(List.of()), Map.of(), Map.of("name", "x"),
            Map.of("a", Map.of("b", List.of())), "*", "'", "--privileged", "$(touch pwned)", "127.0.0.1:99999");
    @TempDir Path folder;
    private final Random random = new Random(SEED);

    @BeforeAll static void printSeed() { System.out.println("generated with seed " + SEED); }

    private interface Case {
        void run() throws Exception;
    }

    /** Runs a case. Any exception other than a message for the user fails the test, and its error shows the input. */
    private static void acceptedOrRefused(Object input, Case work) {
        try {
            work.run();
        } catch (Problem | ParameterException e) {
            assertNotNull(e.getMessage());
        } catch (Throwable e) {
            String text = "" + input;
            throw new AssertionError("seed %d: %s from:\n%s".formatted(SEED, e,
                    text.substring(0, Math.min(3000, text.length()))), e);
        }
    }

    private <T> T any(List<T> of) { return of.get(random.nextInt(of.size())); }

    /** The YAML with one to three changes in its structure, or with one in its text. */
    private String mutated(String yaml) {
        return random.nextInt(3) == 0 ? mutatedText(yaml) : Arrays.stream(yaml.split("(?m)^---.*$")).map(document -> {
            Object whole = Serialization.unmarshal(document.replaceAll("\\$\\{(\\w+)}", "PLACEHOLDER_$1"),
                    Object.class);
            for (int i = random.nextInt(3); i >= 0; i--) whole = mutatedTree(whole);
            return Serialization.asYaml(whole).replaceAll("PLACEHOLDER_(\\w+)", "\\${$1}");
        }).collect(Collectors.joining("---\n"));
    }

    @SuppressWarnings("unchecked") private Object mutatedTree(Object node) {
        if (random.nextInt(4) == 0) return random.nextInt(4) == 0 ? null : any(OTHERS);
        if (node instanceof Map<?, ?> map && !map.isEmpty()) {
            Map<Object, Object> changed = new LinkedHashMap<>(map);
            Object key = any(List.copyOf(map.keySet()));
            switch (random.nextInt(6)) {
                case 0 -> changed.remove(key);
                case 1 -> changed.put(any(OTHERS).toString(), changed.remove(key));
                default -> changed.put(key, mutatedTree(map.get(key)));
            }
            return changed;
        }
        if (node instanceof List<?> list && !list.isEmpty()) {
            List<Object> changed = new ArrayList<>(list);
            int at = random.nextInt(list.size());
            switch (random.nextInt(5)) {
                case 0 -> changed.remove(at);
                case 1 -> changed.add(list.get(at));
                default -> changed.set(at, mutatedTree(list.get(at)));
            }
            return changed;
        }
        return random.nextInt(4) == 0 ? null : any(OTHERS);
    }

    private String mutatedText(String yaml) {
        List<String> lines = new ArrayList<>(yaml.lines().toList());
        int at = random.nextInt(lines.size());
        switch (random.nextInt(17)) {
            case 0 -> { return yaml.substring(0, random.nextInt(yaml.length())); }
            case 1 -> { return "\uFEFF" + yaml; }
            case 2 -> { return yaml.replace("\n", "\r\n"); }
            case 3 -> { return "# nothing but a comment\n"; }
            case 4 -> { return "---\n---\n" + yaml + "---\n# end\n...\n"; }
            case 5 -> { return any(List.of("", "null\n", "~", "--- |\n text\n", "[]", "{}", "a: &a [*a]\n", "\t",
                    "%YAML 1.2\n---\n" + yaml)); }
            case 6 -> { return "apiVersion: v1\nkind: List\nitems:\n" + yaml.indent(2).replaceFirst(" ", "-"); }
            case 7 -> { return "[".repeat(20_000); }
            case 15 -> {
                return "{apiVersion: v1, kind: Service, metadata: {name: x}, nodes: [{role: worker}], "
                        + "spec: {ports: }}\n";
            }
            case 8 -> lines.set(at, "\t" + lines.get(at));
            case 9 -> lines.add(at, lines.get(at));
            case 10 -> lines.remove(at);
            case 11 -> lines.add(at, any(OTHERS).toString());
            case 12 -> lines.set(at, " " + lines.get(at));
            case 13 -> lines.set(at, lines.get(at).replace(":", ": &x !!binary"));
            case 14 -> lines.set(at, lines.get(at).replace(": ", ": *x "));
            default -> lines.set(at, lines.get(at) + any(OTHERS));
        }
        return String.join("\n", lines) + "\n";
    }

    @Test void kubeconfigs() throws IOException {
        Path file = folder.resolve("config");
        Kubeconfig kubeconfig = new Kubeconfig(List.of(file));
        for (int i = 0; i < CASES; i++) {
            String text = mutated(KUBECONFIG);
            for (Case use : List.<Case>of(kubeconfig::check, () -> kubeconfig.has("kind-so1"),
                    () -> kubeconfig.merge(KUBECONFIG), () -> kubeconfig.remove("kind-so1"))) {
                Files.writeString(file, text);
                acceptedOrRefused(text, use);
            }
            Files.writeString(file, KUBECONFIG);
            acceptedOrRefused(text, () -> kubeconfig.merge(text));
        }
    }

    /** The options of these arguments, after the checks that every script starts with. */
    private static DemoOptions options(String... words) {
        DemoOptions options = Probe.options(words);
        options.check();
        return options;
    }

    private static IstioSettings istio(String... words) { return options(words).istio(Optional.empty()); }

    @Test void manifests() throws IOException {
        Manifests own = new Manifests(null);
        Manifests.export(folder, false);
        for (int i = 0; i < CASES; i++) {
            String path = any(Manifests.ALL), text = mutated(own.read(path));
            Files.writeString(folder.resolve(path), text);
            acceptedOrRefused(path + "\n" + text, () -> useManifests(path));
            Files.writeString(folder.resolve(path), own.read(path));
        }
    }

    /** Reads the manifests as the steps do, but connects to no cluster. One of the manifests was changed. */
    private void useManifests(String changed) throws Exception {
        DemoContext demo = Probe.demo("--manifests", folder.toString(), "--ca", "istio-csr");
        Manifests manifests = demo.manifests;
        manifests.check();
        Cluster cluster = new Cluster(1, "so1");
        Kube kube = new Kube(cluster, new Console(false));
        IstioInstaller istio = demo.istioInstaller();
        for (Action action : List.of(demo.metalLb.install(kube), istio.crds(kube), istio.expose(kube),
                demo.sampleApp().install(kube, true, istio), demo.authority.install(kube)))
            assertFalse(action.toShell().isBlank());
        demo.sampleApp().images();
        demo.kind.config(cluster, Optional.of("/store"));
        String text = manifests.read(changed).replaceAll("\\$\\{\\w+}", "0");
        if (!changed.equals("kind/cluster.yaml") && !Manifests.OTHERS.contains(changed))
            for (var resource : YamlDocuments.parse(text)) {
                Manifests.namesNodePorts(resource);
                InstalledIstio.isGateway(resource);
            }
        if (changed.endsWith("probes.yaml"))
            Manifests.patch(YamlDocuments.parse(new Manifests(null).read(changed)), text);
    }

    @Test void istioSettings() throws IOException {
        List<String> keys = List.of("revision", "values.revision", "meshConfig.enableTracing", "profile",
                "values.global.meshID", "hub", "a", "components.ingressGateways[0].enabled",
                "spec.values.global.network", "", "=", "-f", "jörg", "a..b", "a\nb", " ");
        Path file = folder.resolve("values.yaml");
        for (int i = 0; i < CASES; i++) {
            String set = any(keys) + (random.nextInt(5) == 0 ? "" : "=") + any(OTHERS), values = mutated(OPERATOR);
            Files.writeString(file, values);
            acceptedOrRefused(set, () -> istio("--istio-set", set).keep(folder.resolve("kept")));
            acceptedOrRefused(values, () -> {
                istio("--istio-values", file.toString()).keep(folder.resolve("kept"));
                IstioSettings kept = IstioSettings.kept(folder.resolve("kept")).orElseThrow();
                assertEquals(values, kept.valuesAsText().replaceFirst("\n$", ""));
                assertNotNull(kept.arguments() + kept.toString() + kept.images());
            });
        }
    }

    @Test void environment() {
        List<String> variables = DemoCommand.commandLine(new Probe(), System.getenv()).getCommandSpec().mixins()
                .get("options").options().stream()
                .flatMap(option -> Pattern.compile("KIND_DEMO_\\w+").matcher(String.join("", option.description()))
                        .results())
                .map(MatchResult::group).toList();
        List<Object> values = Stream.concat(OTHERS.stream(),
                Stream.of("2", "so", "local", "a,b", ",", "a,,b", "http://user:p%40ss@proxy:3128",
                "http://proxy:99999", "http://[::1", "socks5://proxy:1080", ":", "://", "http://", "%",
                "*,::1,10.0.0.0/8", "proxy", "https://proxy:443/", "/nowhere", "1.31.4", "kindest/node:v1.2.3"))
                .toList();
        assertTrue(variables.size() > 10, variables::toString);
        for (int i = 0; i < CASES; i++) {
            String variable = any(variables), value = any(values).toString();
            acceptedOrRefused(variable + "=" + value, () -> {
                Probe probe = new Probe();
                DemoCommand.commandLine(probe, Map.of(variable, value)).parseArgs();
                probe.options.check();
                assertNotNull(new DemoContext(probe.options, new Console(false), List.of()).clusters.wanted() + ""
                        + probe.options.commands());
            });
            Map<String, String> proxies = Map.of("HTTPS_PROXY", any(values).toString(),
                    "http_proxy", any(values).toString(), "NO_PROXY", any(values) + "," + any(values));
            acceptedOrRefused(proxies, () -> new HttpProxies(proxies).select(URI.create("https://example.org/file")));
            acceptedOrRefused(proxies, () -> new HttpProxies(proxies).select(URI.create("http://[2001:db8::1]:8080/")));
        }
    }
}
