package lib.docker;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Scripts replace docker and docker-compose, and record their arguments. */
@Tag("unit")
class ComposeTest {
    private static final String PLUGIN = "Docker Compose version v2.39.1";
    private static final String STANDALONE = "docker-compose version 1.29.2, build unknown";
    private static final String UP =
            "(?s).*--project-name so-vault --env-file \\S+\\.env --file - up --detach\nservices: \\{}";
    @TempDir Path folder;

    private String program(String name, String output, int exitCode) throws IOException {
        Path file = Files.writeString(folder.resolve(name), """
                #!/bin/sh
                echo "$*" >> %1$s.calls
                case "$*" in *--file*) cat >> %1$s.calls;; esac
                echo '%2$s'
                exit %3$d
                """.formatted(folder.resolve(name), output, exitCode));
        assertTrue(file.toFile().setExecutable(true));
        return file.toString();
    }

    private String calls(String name) throws IOException { return Files.readString(folder.resolve(name + ".calls")); }

    private static Compose compose(String docker, String standalone) {
        return new Compose(docker, standalone, new Console(false));
    }

    @Test void prefersThePlugin() throws IOException {
        Compose compose = compose(program("docker", PLUGIN, 0), program("docker-compose", STANDALONE, 0));
        assertEquals(PLUGIN, compose.version());
        compose.up("so-vault", "services: {}");
        assertTrue(calls("docker").matches(UP.replace("--project-name", "compose --project-name")), calls("docker"));
        assertFalse(Files.exists(folder.resolve("docker-compose.calls")));
    }

    @Test void usesTheOlderCommandWithoutThePlugin() throws IOException {
        Compose compose = compose(program("docker", "unknown command", 1), program("docker-compose", STANDALONE, 0));
        assertEquals(STANDALONE, compose.version());
        compose.up("so-vault", "services: {}");
        assertTrue(calls("docker-compose").matches(UP), calls("docker-compose"));
    }

    @Test void doesNotMistakeHelpForThePlugin() throws IOException {
        String docker = program("docker", "Usage:  docker [OPTIONS] COMMAND", 0);
        assertEquals(STANDALONE, compose(docker, program("docker-compose", STANDALONE, 0)).version());
    }

    @Test void reportsThatBothAreMissing() throws IOException {
        Compose compose = compose(program("docker", "unknown", 1), folder.resolve("none").toString());
        Problem problem = assertThrows(Problem.class, compose::version);
        assertEquals(Problem.UNMET, problem.exitCode());
        assertTrue(problem.getMessage().contains("`docker compose`"), problem.getMessage());
        assertTrue(problem.hint().contains("https://docs.docker.com/compose/install"), problem.hint());
    }
}
