package lib.docker;

import module java.base;
import lib.run.*;

/** Docker Compose: the plugin {@code docker compose} or, where there is none, the older command {@code docker-compose}. */
public final class Compose {
    private static final String INSTALL = "install the plugin: https://docs.docker.com/compose/install/";
    private static final Duration SHORT = Duration.ofSeconds(20), LONG = Duration.ofMinutes(20);

    /** A way to call it: a program, and the words before Compose's own. */
    private record Way(ExternalCommand tool, List<String> first) {
        String[] words(String... more) { return Stream.concat(first.stream(), Arrays.stream(more)).toArray(String[]::new); }
    }

    private final List<Way> ways;

    public Compose(Console console) { this("docker", "docker-compose", console); }

    /** The same with other programs, for tests. */
    public Compose(String docker, String standalone, Console console) {
        ways = List.of(new Way(new ExternalCommand(docker, INSTALL, console), List.of("compose")),
                new Way(new ExternalCommand(standalone, INSTALL, console), List.of()));
    }

    /** What it says of its version; a {@link Problem} when there is none. */
    public String version() { return find().getValue(); }

    /** The first way that answers with a version: older engines take an unknown command for a call for help. */
    private Map.Entry<Way, String> find() {
        for (Way way : ways) {
            try {
                String output = way.tool.attempt(SHORT, way.words("version")).out();
                if (output.matches("(?is).*compose version.*")) return Map.entry(way, output.lines().findFirst().orElseThrow());
            } catch (Problem p) {
                if (p.exitCode() != Problem.UNMET) throw p;
            }
        }
        throw Problem.unmet("neither `docker compose` nor `docker-compose` answers, and Vault is started by it", INSTALL);
    }

    /**
     * Brings a project's containers up as the file says, and waits until they run; those that run so already stay. A file
     * .env in the user's current folder is not read.
     */
    public void up(String project, String file) throws IOException {
        Way way = find().getKey();
        Path empty = Files.createTempFile("compose", ".env"); // the older command takes no /dev/null
        try {
            way.tool.feed(LONG, file, way.words("--project-name", project, "--env-file", "" + empty, "--file", "-", "up",
                    "--detach"));
        } finally {
            Files.delete(empty);
        }
    }
}
