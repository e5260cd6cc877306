package lib.docker;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** What the classes that run the docker command share: time limits, labels, arguments and the reading of its JSON. */
final class DockerCli {
    static final Duration SHORT = Duration.ofSeconds(20), LONG = Duration.ofMinutes(20);
    /** The label of everything that the demo creates. A node has it from its image; nodes of other clusters lack it. */
    static final String LABEL = "kind-demo";
    /** The label that names the node image of kind that a node image of the demo is made of. */
    static final String BASE_LABEL = LABEL + ".base";
    private static final ObjectMapper JSON = new ObjectMapper();

    private DockerCli() {}

    /** Arguments that end with a list. */
    static String[] words(Collection<String> last, String... first) {
        return Stream.concat(Arrays.stream(first), last.stream()).toArray(String[]::new);
    }

    static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            String line = text.lines().findFirst().orElse("");
            throw Problem.failed("docker printed invalid JSON: " + line, "docker version");
        }
    }
}
