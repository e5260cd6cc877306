package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.Model.OptionSpec;

@Tag("unit")
class DemoOptionsTest {
    @ParameterizedTest @ValueSource(strings = {"--clusters 0", "--clusters 10", "--clusters two", "--workers -1",
            "--workers 10", "--name-prefix So", "--name-prefix a_b", "--name-prefix x;rm", "--name-prefix -",
            "--node-image --privileged", "--node-image=a b", "--manifests /nowhere/at/all",
            "--assets /nowhere/at/all", "--no-such-option", "--ca step-ca", "--contexts a --ca istio-csr",
            "--vault-port 0", "--vault-port 65536", "--mirror github.com", "--mirror file:///tmp",
            "--istio-version 1.31", "--istio-version latest", "--kubernetes-version 1.36",
            "--kubernetes-version 1.36.4 --node-image kindest/node:v1.36.4", "--istio-set garbage",
            "--istio-set =x", "--istio-values /nowhere/at/all", "--istio-set revision=canary",
            "--istio-set values.revision=canary", "--istio-set values.global.network=net",
            "--istio-set values.global.meshID=other", "--istio-set namespace=mesh"})
    void refusesInvalidOptions(String arguments) {
        String[] words = arguments.startsWith("--node-image=") ? new String[] {arguments} : arguments.split(" ");
        assertEquals(Problem.USAGE, new Probe().exitCode(words));
    }

    /** docs/cli.md lists exactly the shared options of picocli's model, each with its value, variable and default. */
    @Test void cliPageHasEverySharedOption() throws IOException {
        List<String> rows = rows("Options of KindDemo and Verify");
        List<OptionSpec> options = DemoCommand.commandLine(new Probe(), System.getenv()).getCommandSpec().mixins()
                .get("options").options().stream().filter(option -> !option.hidden()).toList();
        assertEquals(options.size(), rows.size());
        for (OptionSpec option : options) {
            String name = option.longestName(),
                    typed = option.arity().max() == 0 ? name : name + " " + option.paramLabel();
            String row = rows.stream().filter(r -> r.startsWith("| `" + name)).findFirst().orElse("no row for " + name);
            String[] cells = row.replace("`", "").split(" *(?<!\\\\)\\| *", -1);
            assertTrue(cells[1].replace("\\|", "|").startsWith(typed), row);
            String description = String.join("", option.description());
            String described = description.replace("${DEFAULT-VALUE}", "" + option.defaultValueString(true));
            assertEquals(first("\\[(KIND_DEMO_[^]]+)]", described), cells[2], row);
            String otherwise = first("Default: (.+?)[.;]( |$)", described);
            assertTrue(otherwise.isEmpty() || !cells[3].isEmpty() && otherwise.startsWith(cells[3]),
                    row + ", but --help says: " + otherwise);
        }
    }

    @ParameterizedTest @ValueSource(strings = {"KindDemo", "Verify", "Teardown"})
    void cliPageHasEveryOptionOfTheScript(String script) throws IOException {
        String source = Files.readString(Shell.PROJECT.resolve(script + ".java"));
        Set<String> options = Pattern.compile("@Option\\(names = \\{?(?:\"-\\w\", )?\"(--[\\w-]+)\"").matcher(source)
                .results().map(found -> found.group(1)).collect(Collectors.toCollection(TreeSet::new));
        assertFalse(options.isEmpty());
        Set<String> documented = rows("Options of " + script).stream().map(row -> first("`(--[\\w-]+)", row))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(options, documented);
    }

    @Test void cliPageHasEveryExitCode() throws IOException {
        List<String> codes =
                Arrays.stream(DemoCommand.class.getAnnotation(picocli.CommandLine.Command.class).exitCodeList())
                        .map(code -> "| %s | %s".formatted(code.split(":")[0], code.split(":")[1])).toList();
        List<String> rows = rows("Exit codes");
        assertEquals(codes.size(), rows.size());
        for (String code : codes)
            assertTrue(rows.stream().anyMatch(row -> row.startsWith(code)), code + " is not in " + rows);
    }

    /** The rows of the table below a heading of docs/cli.md. */
    private static List<String> rows(String heading) throws IOException {
        return Files.readAllLines(Shell.PROJECT.resolve("docs/cli.md")).stream()
                .dropWhile(line -> !line.equals("## " + heading))
                .dropWhile(line -> !line.startsWith("|")).skip(2).takeWhile(line -> line.startsWith("|")).toList();
    }

    private static String first(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        return matcher.find() ? matcher.group(1) : "";
    }

    @Test void theOptionsDetermineTheMesh() {
        Probe probe = new Probe();
        assertEquals(0, probe.exitCode("--clusters", "3", "--name-prefix", "demo"));
        assertEquals(List.of("demo1", "demo2", "demo3"), probe.mesh.clusters().stream().map(Cluster::name).toList());
        assertEquals(0, probe.exitCode("--clusters", "3"));
        Cluster third = probe.mesh.clusters().getLast();
        assertEquals(List.of("kind-so3", "istio-so3", "network3", "region3"),
                List.of(third.context(), third.id(), third.network(), third.region()));
        assertEquals(List.of(32013, 32023, 32033), third.ports());
    }

    @Test void acceptsTheNameIstioCsrWithItsHyphen() {
        Probe probe = new Probe();
        assertEquals(0, probe.exitCode("--ca", "istio-csr"));
        assertEquals(CertificateAuthority.Choice.istioCsr, probe.options.ca);
    }

    @Test void newSettingsReplaceKeptOnes(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("my values.yaml"), "a: 1"), state = folder.resolve("istio");
        assertEquals(Optional.empty(), IstioSettings.kept(state));
        IstioSettings.PINNED.with("1.31.2", DataPlane.ambient, true, List.of("a.b=c d", "e=f"), List.of(file))
                .keep(state);
        Files.writeString(file, "a: 2");
        IstioSettings kept = IstioSettings.kept(state).orElseThrow();
        assertEquals(List.of("a.b=c d", "e=f"), kept.set());
        assertEquals("1.31.2", kept.version());
        assertTrue(kept.dataPlane() == DataPlane.ambient && kept.waypoints(), "" + kept);
        assertEquals("a: 1", Files.readString(kept.values().getFirst()));
        kept.with(null, null, null, List.of("g=h"), null).keep(state);
        kept = IstioSettings.kept(state).orElseThrow();
        assertEquals(List.of("g=h"), kept.set());
        assertEquals("a: 1", Files.readString(kept.values().getFirst()),
                "kept files are still available after the next change");
        assertEquals(List.of("-f", kept.values().getFirst().toString(), "--set", "g=h"), kept.arguments());
        kept.with(Versions.ISTIO, DataPlane.sidecar, false, List.of(""), List.of(Path.of(""))).keep(state);
        assertEquals(IstioSettings.PINNED, IstioSettings.kept(state).orElseThrow());
    }

    /** Runs the script with its own variables, because the environment of the tests may already set this one. */
    @Test void optionsOverrideVariables() {
        Map<String, String> environment = Map.of("KIND_DEMO_NODE_IMAGE", "kindest/node:v1.2.3");
        String plan = "jbang KindDemo.java --dry-run ", create = "kind create cluster --name so1 --image ";
        assertTrue(Shell.succeeds(plan, environment).out().contains(create + "kindest/node:v1.2.3 "));
        assertTrue(Shell.succeeds(plan + "--kubernetes-version v9.8.7", environment).out()
                .contains(create + "kindest/node:v9.8.7 "));
        assertTrue(Shell.succeeds(plan + "--node-image a/b:c", environment).out().contains(create + "a/b:c "));
    }

    @Test void valuesOfVariablesAreNotExpanded() {
        Probe probe = new Probe();
        DemoCommand.commandLine(probe, Map.of("KIND_DEMO_NAME_PREFIX", "${HOME}")).parseArgs();
        assertEquals("${HOME}", probe.options.prefix());
    }

    @Test void refusesUnsupportedIstioSettings(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("values.yaml"),
                "kind: IstioOperator\nspec: {values: {revision: canary}}\n");
        assertEquals(Optional.of(
                "values.revision=canary is not supported: the demo needs one Istio per cluster, without a revision"),
                IstioSettings.PINNED.with(null, null, null, null, List.of(file)).unsupported());
        assertEquals(Optional.empty(),
                IstioSettings.PINNED.with(null, null, null,
                        List.of("values.global.meshID=mesh1", "revision=", "a=b"), null).unsupported());
        assertEquals(Problem.USAGE, new Probe().exitCode("--istio-values", "" + file));
        assertEquals(Problem.USAGE, new Probe().exitCode("--istio-values", "" + Files.writeString(file, "a: [")));
    }

    /** Tests the variables of all options and of the folders. */
    @Test void anEmptyVariableIsIgnored() throws IOException {
        String sources = Files.readString(Shell.PROJECT.resolve("lib/cli/DemoOptions.java"))
                + Files.readString(Shell.PROJECT.resolve("Verify.java"));
        Set<String> variables = Pattern.compile("\\[(KIND_DEMO_\\w+)").matcher(sources).results().map(m -> m.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
        assertTrue(variables.containsAll(Set.of("KIND_DEMO_CLUSTERS", "KIND_DEMO_NAME_PREFIX", "KIND_DEMO_WAIT")));
        variables.addAll(Set.of("XDG_STATE_HOME", "XDG_CACHE_HOME", "KUBECONFIG"));
        Map<String, String> empty = variables.stream().collect(Collectors.toMap(v -> v, _ -> ""));
        Map<String, String> blank = new HashMap<>(empty);
        blank.replaceAll((variable, _) -> variable.startsWith("KIND_DEMO_") ? " " : "");
        String unset = "env -u " + String.join(" -u ", variables), dryRun = " jbang KindDemo.java --dry-run";
        String printed = Shell.succeeds(unset + dryRun).out();
        assertTrue(printed.contains("kind create cluster --name so2"), printed);
        assertEquals(printed, Shell.succeeds(dryRun, empty).out());
        assertEquals(printed, Shell.succeeds(dryRun, blank).out());
        Shell.succeeds("jbang Verify.java --completion bash", empty);
    }

    @Test void olderReleasesHaveTheirImagesOnDockerHub() {
        assertEquals(Set.of("docker.io/istio/pilot:1.29.4", "docker.io/istio/proxyv2:1.29.4"),
                IstioSettings.PINNED.with("1.29.4", null, null, null, null).images());
        assertTrue(IstioSettings.PINNED.images().contains("registry.istio.io/release/pilot:" + Versions.ISTIO));
    }

    @Test void clustersHaveDistinctNamesPortsAndSubnets() {
        List<Cluster> clusters = Mesh.of("so", 9).clusters();
        for (String key : List.of("POD_SUBNET", "SERVICE_SUBNET", "NETWORK", "CLUSTER_ID", "REGION", "ZONE")) {
            assertEquals(9, clusters.stream().map(c -> c.placeholders().get(key)).distinct().count(), key);
        }
        assertEquals(27, clusters.stream().flatMap(c -> c.ports().stream()).distinct().count());
    }
}
