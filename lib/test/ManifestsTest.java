package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ManifestsTest {
    private static Set<String> listed(String directive) throws IOException {
        return Files.readAllLines(Shell.PROJECT.resolve("lib/Lib.java")).stream()
                .filter(l -> l.startsWith("//" + directive + " "))
                .map(l -> l.substring(directive.length() + 3)).collect(Collectors.toSet());
    }

    private static Set<String> below(String folder, String ending) throws IOException {
        try (Stream<Path> all = Files.walk(Shell.PROJECT.resolve(folder))) {
            return all.filter(f -> f.toString().endsWith(ending))
                    .map(f -> Shell.PROJECT.resolve(folder).relativize(f).toString())
                    .collect(Collectors.toSet());
        }
    }

    @Test void everySourceIsListed() throws IOException {
        Set<String> sources = below("lib", ".java");
        sources.removeIf(s -> s.startsWith("test/") || s.equals("Lib.java"));
        assertEquals(sources, listed("SOURCES"));
    }

    @Test void everyManifestIsListed() throws IOException {
        Set<String> manifests = below("manifests", ".yaml");
        Set<String> files = manifests.stream().map(m -> "manifests/%s=../manifests/%s".formatted(m, m))
                .collect(Collectors.toSet());
        files.addAll(Set.of("report.html=report/report.html", "completion.sh=cli/completion.sh",
                "docs/troubleshooting.md=../docs/troubleshooting.md"));
        assertEquals(files, listed("FILES"));
        assertEquals(manifests, new HashSet<>(Manifests.ALL));
    }

    @Test void everyTestIsListed() throws IOException {
        Set<String> listed = Files.readAllLines(Shell.PROJECT.resolve("lib/test/Tests.java")).stream()
                .filter(l -> l.startsWith("//SOURCES ") && !l.contains("..")).map(l -> l.substring(10))
                .collect(Collectors.toSet());
        Set<String> tests = below("lib/test", ".java");
        tests.removeAll(Set.of("Tests.java", "Bench.java"));
        assertEquals(tests, listed);
    }

    @Test void theCatalogHasEveryScriptAndItsDescription() throws IOException {
        JsonNode aliases = new ObjectMapper().readTree(Shell.PROJECT.resolve("jbang-catalog.json").toFile())
                .path("aliases");
        Map<String, String> described = new HashMap<>();
        aliases.forEach(alias -> described.put(alias.path("script-ref").asText(), alias.path("description").asText()));
        assertEquals(Set.of("KindDemo.java", "Verify.java", "Teardown.java"), described.keySet());
        for (String script : described.keySet())
            assertTrue(Files.readString(Shell.PROJECT.resolve(script))
                    .contains("//DESCRIPTION " + described.get(script) + "\n"), script);
    }

    @Test void troubleshootingHasASectionForEveryCheck() throws IOException {
        String page = Files.readString(Shell.PROJECT.resolve("docs/troubleshooting.md"));
        Set<String> ids = new TreeSet<>(Probe.preflightChecks());
        for (DataPlane dataPlane : DataPlane.values())
            ids.addAll(new Checks(List.of(new Kube(new Cluster(1, "so1"), null)), SampleApp.TARGET, dataPlane, true,
                    null, null, null, null).ids());
        for (String id : ids) assertTrue(page.contains("\n## %s\n".formatted(id)), id);
    }

    @Test void fillsPlaceholdersAndRefusesUnknownOnes(@TempDir Path folder) throws IOException {
        Files.createDirectories(folder.resolve("apps"));
        Files.writeString(folder.resolve("apps/a.yaml"), "network: ${NETWORK}\nprice: $5\n");
        Files.writeString(folder.resolve("apps/b.yaml"), "what: ${NO_SUCH_THING}\n");
        Manifests manifests = new Manifests(folder);
        assertEquals("network: network1\nprice: $5\n", manifests.filled("apps/a.yaml", Map.of("NETWORK", "network1")));
        Problem problem = assertThrows(Problem.class,
                () -> manifests.filled("apps/b.yaml", Map.of("NETWORK", "network1")));
        assertTrue(problem.getMessage().contains("NO_SUCH_THING") && problem.getMessage().contains("apps/b.yaml"),
                problem.getMessage());
    }

    @Test void refusesAFolderWithoutAManifest(@TempDir Path folder) {
        Problem problem = assertThrows(Problem.class, () -> new Manifests(folder).check());
        assertEquals(Problem.USAGE, problem.exitCode());
        assertTrue(problem.getMessage().contains("kind/cluster.yaml"), problem.getMessage());
    }

    /** kubectl accepts all of these documents, too. The text has a byte order mark, as editors on Windows write it. */
    @Test void expandsListsAndSkipsEmptyDocuments() {
        String yaml = "\uFEFF---\n# a comment\n--- {apiVersion: v1, kind: A, metadata: {name: a}}\n---\nnull\n---\n"
                + """
                apiVersion: v1
                kind: List
                items:
                - {apiVersion: v1, kind: B, metadata: {name: b}}
                - {apiVersion: v1, kind: CList, items: [{apiVersion: v1, kind: C, metadata: {name: c}}]}
                ---  # the last one
                apiVersion: v1
                kind: D
                metadata: {name: d}
                """;
        for (String text : List.of(yaml, yaml.replace("\n", "\r\n")))
            assertEquals(List.of("A a", "B b", "C c", "D d"), YamlDocuments.parse(text).stream()
                    .map(r -> r.getKind() + " " + r.getMetadata().getName()).toList());
    }

    @Test void refusesADocumentWithoutAName(@TempDir Path folder) throws IOException {
        Manifests.export(folder, false);
        for (String text : List.of("apiVersion: v1\nkind: Namespace\n",
                "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]\n",
                "just text\n", "# nothing\n", "a: &a [*a]\n")) {
            Files.writeString(folder.resolve("apps/namespace.yaml"), text);
            Problem problem = assertThrows(Problem.class, () -> new Manifests(folder).check(), text);
            assertTrue(problem.getMessage().startsWith("the manifest apps/namespace.yaml in "), problem.getMessage());
        }
    }

    @Test void findsImagesInAnyStyleOfYaml() {
        assertEquals(Set.of("a/b:1", "c:2", "d@sha256:0"), Manifests.images("""
                containers:
                - image: a/b:1
                - {image: "c:2", name: x}
                - name: y
                  image: 'd@sha256:0'
                - image: auto
                """));
    }

    @Test void mergesAPatchByName() {
        var target = new LinkedHashMap<String, Object>(Map.of("containers",
                List.of(new LinkedHashMap<>(Map.of("name", "a", "image", "x")),
                new LinkedHashMap<>(Map.of("name", "b", "image", "y")))));
        Manifests.merge(target, Map.of("containers", List.of(Map.of("name", "b", "probe", 1)), "new", true));
        assertEquals(Map.of("containers",
                List.of(Map.of("name", "a", "image", "x"), Map.of("name", "b", "image", "y", "probe", 1)),
                "new", true), target);
    }

    @Test void recognizesServicesWithNodePorts() {
        String service =
                "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec: {ports: [{port: 1}, {port: 2%s}]}\n";
        assertTrue(Manifests.namesNodePorts(YamlDocuments.parse(service.formatted(", nodePort: 32011")).getFirst()));
        assertFalse(Manifests.namesNodePorts(YamlDocuments.parse(service.formatted("")).getFirst()));
        assertFalse(Manifests.namesNodePorts(YamlDocuments.parse("kind: Service\napiVersion: v1\nmetadata: {name: a}\n"
                + "spec: {type: ExternalName, externalName: example.org}\n").getFirst()));
    }

    /**
     * Endpoints behind another cluster's gateway carry only network and cluster labels, so the network comes first.
     * Other manifests set the labels that the rule names.
     */
    @Test void theLocalityRuleNamesTheSampleServiceAndExistingLabels() {
        Manifests manifests = new Manifests(null);
        GenericKubernetesResource rule = YamlDocuments.parse(manifests.read("apps/locality.yaml")).getFirst();
        GenericKubernetesResource service = Manifests.find(YamlDocuments.parse(manifests.read("apps/helloworld.yaml")),
                "Service", "helloworld").orElseThrow();
        assertEquals("helloworld.%s.svc.cluster.local".formatted(service.getMetadata().getNamespace()),
                rule.get("spec", "host"));
        assertNotNull(rule.get("spec", "trafficPolicy", "outlierDetection"),
                "without it no endpoint is ever unhealthy");
        assertEquals(true, rule.get("spec", "trafficPolicy", "loadBalancer", "localityLbSetting", "enabled"));
        List<String> labels = rule.get("spec", "trafficPolicy", "loadBalancer", "localityLbSetting",
                "failoverPriority");
        assertTrue(manifests.read("istio/namespace.yaml").contains(labels.getFirst() + ": ${NETWORK}"), "" + labels);
        String nodes = manifests.read("kind/cluster.yaml");
        assertTrue(nodes.contains(labels.get(1) + ": ${REGION}") && nodes.contains(labels.get(2) + ": ${ZONE}"),
                "" + labels);
    }
}
