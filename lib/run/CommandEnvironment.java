package lib.run;

import module java.base;

/** The environment of external commands. */
public final class CommandEnvironment {
    /** Variables that would make a command use other files, names or clusters than its arguments say. */
    private static final Pattern UNWANTED =
            Pattern.compile("(COMPOSE|ISTIOCTL)_.*|ISTIOCONFIG|TAR_OPTIONS|DOCKER_DEFAULT_PLATFORM");

    private CommandEnvironment() {}

    /**
     * How the environment of commands differs from this program's. Every command uses Docker, Docker's own platform,
     * the demo's network and Istio's namespace, whatever the user has exported. The variables also override
     * ~/.istioctl/config.yaml.
     *
     * @param own this program's environment
     * @return the variables to set; those with the value null are removed
     */
    public static Map<String, String> changes(Map<String, String> own) {
        Map<String, String> changes = new HashMap<>();
        own.keySet().stream().filter(UNWANTED.asMatchPredicate()).forEach(name -> changes.put(name, null));
        String network = "KIND_EXPERIMENTAL_DOCKER_NETWORK";
        if (own.getOrDefault(network, "").isBlank()) changes.put(network, null);
        changes.putAll(Map.of("KIND_EXPERIMENTAL_PROVIDER", "docker", "DOCKER_CLI_HINTS", "false",
                "ISTIOCTL_ISTIONAMESPACE", "istio-system", "ISTIOCTL_XDS_ADDRESS", "",
                "ISTIOCTL_CERT_DIR", "", "ISTIOCTL_PREFER_EXPERIMENTAL", "false"));
        return changes;
    }

    /** A command that is started with these changes. */
    static ProcessBuilder builder(List<String> words) {
        var builder = new ProcessBuilder(words);
        changes(System.getenv()).forEach((name, value) -> builder.environment().compute(name, (_, _) -> value));
        return builder;
    }
}
