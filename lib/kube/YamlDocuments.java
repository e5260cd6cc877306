package lib.kube;

import module java.base;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The documents of a text of YAML, such as upstream's manifests.
 *
 * @param definitions its resource definitions, as the text they are: by far the largest, and nothing in them is changed
 * @param others      all else, to be changed as one likes
 */
public record YamlDocuments(List<String> definitions, List<GenericKubernetesResource> others) {
    /** Put before a text, it keeps the client from reading YAML that begins with a brace as JSON. */
    public static final String YAML = "---\n";

    public static YamlDocuments of(String yaml) {
        Map<Boolean, List<String>> documents = split(yaml).stream().collect(Collectors.partitioningBy(YamlDocuments::isDefinition));
        return new YamlDocuments(documents.get(true), documents.get(false).stream().map(YamlDocuments::parseOne)
                .collect(Collectors.toCollection(ArrayList::new)));
    }

    private static boolean isDefinition(String document) { return document.lines().anyMatch("kind: CustomResourceDefinition"::equals); }

    /** Every document as a resource; in place of a list its items, as kubectl applies them. */
    public static List<GenericKubernetesResource> parse(String yaml) {
        return split(yaml).stream().map(YamlDocuments::parseOne).flatMap(YamlDocuments::items).toList();
    }

    private static Stream<GenericKubernetesResource> items(GenericKubernetesResource document) {
        if (document == null) return Stream.empty(); // the YAML word null
        if (!(document.getAdditionalProperties().get("items") instanceof List<?> items)) return Stream.of(document);
        return items.stream().map(Serialization::asYaml).map(YamlDocuments::parseOne).flatMap(YamlDocuments::items);
    }

    /** Without the byte order mark, which some editors write, and without documents that are only comments. */
    private static List<String> split(String yaml) {
        return Arrays.stream(yaml.replaceFirst("^\uFEFF", "").split("(?m)^---(?=\\s|$)"))
                .filter(d -> d.lines().map(String::strip).anyMatch(l -> !l.isEmpty() && !l.startsWith("#"))).toList();
    }

    static GenericKubernetesResource parseOne(String document) {
        try {
            return Serialization.unmarshal(YAML + document, GenericKubernetesResource.class);
        } catch (StackOverflowError e) {
            throw new IllegalArgumentException("it is nested too deeply, or contains itself by an alias");
        }
    }
}
