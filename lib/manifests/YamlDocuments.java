package lib.manifests;

import module java.base;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The documents of a YAML text, such as upstream's manifests.
 *
 * @param crds   its CRDs as unparsed text: they are by far the largest documents, and never changed
 * @param others all other resources, in a list that can be changed
 */
public record YamlDocuments(List<String> crds, List<GenericKubernetesResource> others) {
    /** In front of a text that begins with a brace, it makes fabric8 read YAML and not JSON. */
    public static final String YAML = "---\n";

    public static YamlDocuments of(String yaml) {
        var documents = split(yaml).stream().collect(Collectors.partitioningBy(YamlDocuments::isCrd));
        return new YamlDocuments(documents.get(true), documents.get(false).stream().map(YamlDocuments::parseOne)
                .collect(Collectors.toCollection(ArrayList::new)));
    }

    private static boolean isCrd(String document) {
        return document.lines().anyMatch("kind: CustomResourceDefinition"::equals);
    }

    /** Every document as a resource; the items of a list instead of the list, as kubectl applies them. */
    public static List<GenericKubernetesResource> parse(String yaml) {
        return split(yaml).stream().map(YamlDocuments::parseOne).flatMap(YamlDocuments::items).toList();
    }

    private static Stream<GenericKubernetesResource> items(GenericKubernetesResource document) {
        if (document == null) return Stream.empty(); // the YAML word null
        if (!(document.getAdditionalProperties().get("items") instanceof List<?> items)) return Stream.of(document);
        return items.stream().map(Serialization::asYaml).map(YamlDocuments::parseOne).flatMap(YamlDocuments::items);
    }

    /** Drops the byte order mark that some editors write, and documents that only have comments. */
    private static List<String> split(String yaml) {
        return Arrays.stream(yaml.replaceFirst("^\uFEFF", "").split("(?m)^---(?=\\s|$)"))
                .filter(d -> d.lines().map(String::strip).anyMatch(l -> !l.isEmpty() && !l.startsWith("#"))).toList();
    }

    /** The resources as one YAML text. */
    public static String print(List<GenericKubernetesResource> resources) {
        return resources.stream().map(Serialization::asYaml).collect(Collectors.joining());
    }

    public static GenericKubernetesResource parseOne(String document) {
        try {
            return Serialization.unmarshal(YAML + document, GenericKubernetesResource.class);
        } catch (StackOverflowError e) {
            throw new IllegalArgumentException("it is nested too deeply, or an alias contains itself");
        }
    }
}
