package lib.docker;

import static lib.docker.DockerCli.*;

import module java.base;
import lib.run.*;

/** Docker Compose: the plugin {@code docker compose} or, if it is missing, the older command {@code docker-compose}. */
public final class Compose {
    private static final String INSTALL = "install the plugin: https://docs.docker.com/compose/install/";

    /** A command, its first arguments, and its answer to {@code version}. */
    private record Variant(ExternalCommand command, String[] first, String version) {}

    private final ExternalCommand docker, standalone;

    public Compose(Console console) { this("docker", "docker-compose", console); }

    /** Both commands by their names or paths. */
    Compose(String docker, String standalone, Console console) {
        this.docker = new ExternalCommand(docker, INSTALL, console);
        this.standalone = new ExternalCommand(standalone, INSTALL, console);
    }

    /** The first line of its version. Throws a Problem when neither command answers. */
    public String version() { return find().version; }

    private Variant find() {
        return find(docker, "compose").or(() -> find(standalone)).orElseThrow(() -> Problem.unmet(
                "neither `docker compose` nor `docker-compose` answers, and Vault needs Docker Compose", INSTALL));
    }

    /** Empty if the output has no version: older versions of docker answer an unknown command with their help. */
    private static Optional<Variant> find(ExternalCommand command, String... first) {
        try {
            String output = command.attempt(SHORT, words(List.of("version"), first)).out();
            if (output.matches("(?is).*compose version.*"))
                return Optional.of(new Variant(command, first, output.lines().findFirst().orElseThrow()));
        } catch (Problem p) {
            if (p.exitCode() != Problem.UNMET) throw p;
        }
        return Optional.empty();
    }

    /** Starts a project's containers and recreates those that differ from the file. Ignores a file .env of the user. */
    public void up(String project, String file) throws IOException {
        Variant variant = find();
        Path empty = Files.createTempFile("compose", ".env"); // the older command rejects /dev/null
        try {
            variant.command.feed(LONG, file, words(List.of("--project-name", project, "--env-file", "" + empty,
                    "--file", "-", "up", "--detach"), variant.first));
        } finally {
            Files.delete(empty);
        }
    }
}
