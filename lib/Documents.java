package lib;

import module java.base;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * A manifest of upstream's, taken apart.
 *
 * @param definitions its resource definitions, as the text they are: by far the largest, and nothing in them is changed
 * @param others      all else, to be changed as one likes
 */
record Documents(List<String> definitions, List<GenericKubernetesResource> others) {
    static Documents of(String yaml) {
        Map<Boolean, List<String>> documents = Kube.split(yaml).stream().collect(Collectors.partitioningBy(Documents::isDefinition));
        return new Documents(documents.get(true), documents.get(false).stream().map(Kube::parseOne)
                .collect(Collectors.toCollection(ArrayList::new)));
    }

    private static boolean isDefinition(String document) { return document.lines().anyMatch("kind: CustomResourceDefinition"::equals); }
}
