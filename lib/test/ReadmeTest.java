package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Command lines that a user copies are typed, unchanged, into an interactive zsh, the default shell of macOS: it takes comments for
 * arguments, and refuses a pattern that fits no file. Stubs stand for the programs: each must get the words that it gets from a bash
 * script, which is how such a line is meant.
 */
@Tag("unit")
class ReadmeTest {
    private static final String STUB = """
            #!/bin/sh
            { printf '[%s]' "$@"; echo; } >> "$CALLS/$(basename "$0")"
            """;
    @TempDir Path folder;

    @BeforeEach void stubs() throws IOException {
        Shell.needs("zsh");
        Path bin = Files.createDirectory(folder.resolve("bin")), token = folder.resolve("home/.local/state/kind-demo/so/vault/root-token");
        for (String program : List.of("jbang", "kubectl", "istioctl", "curl", "docker", "vault", "openssl", "bash", "grep"))
            assertTrue(Files.writeString(bin.resolve(program), STUB).toFile().setExecutable(true));
        Files.createDirectories(token.getParent());
        Files.writeString(token, "a-token");
    }

    /** What each program is called with, and each line's exit code, when a shell reads these lines. */
    private Map<String, String> calls(String shell, List<String> lines) throws IOException {
        Path calls = Files.createTempDirectory(folder, "calls"), empty = Files.createTempDirectory(folder, "empty");
        String typed = lines.stream().map(line -> line + "\necho \"$? after %s\" >> \"$CALLS/codes\"\n".formatted(
                line.replaceAll("[^\\w -]", ""))).collect(Collectors.joining());
        Path script = Files.writeString(calls.resolveSibling(calls.getFileName() + ".typed"), typed);
        Shell.run("cd '%s' && export HOME='%s/home' ZDOTDIR=\"$PWD\" CALLS='%s' PATH='%2$s/bin':$PATH; exec %s < '%s'".formatted(empty, folder,
                calls, shell, script));
        Map<String, String> called = new TreeMap<>();
        try (Stream<Path> files = Files.list(calls)) {
            for (Path file : files.toList()) called.put(file.getFileName().toString(), Files.readString(file));
        }
        return called;
    }

    /** Expects zsh to take the lines as they are meant, without an error. */
    private void areTakenByZsh(List<String> lines) throws IOException {
        assertFalse(lines.isEmpty());
        Map<String, String> meant = calls("/bin/bash", lines), taken = calls("zsh -i", lines);
        assertEquals(meant, taken);
        assertEquals(lines.size(), taken.get("codes").lines().filter(line -> line.startsWith("0 ")).count(), taken.get("codes"));
    }

    @ParameterizedTest @ValueSource(strings = {"README.md", "CONTRIBUTING.md"})
    void everyCommandLineIsTakenByZsh(String page) throws IOException {
        List<String> lines = new ArrayList<>();
        boolean inside = false;
        for (String line : Files.readAllLines(Shell.PROJECT.resolve(page))) {
            if (line.startsWith("```")) inside = line.matches("```(shell|sh|bash|console)");
            else if (inside) lines.add(line);
        }
        areTakenByZsh(lines);
    }

    @ParameterizedTest @ValueSource(strings = {"KindDemo", "Verify", "Teardown"})
    void everyExampleOfTheHelpIsTakenByZsh(String script) throws IOException {
        String help = Shell.succeeds("jbang %s.java --help".formatted(script)).out();
        areTakenByZsh(commands(help.substring(help.indexOf("Examples:"))));
    }

    @Test void whatKindDemoSaysToTryIsTakenByZsh() throws IOException {
        for (List<String> options : List.of(List.<String>of(), List.of("--name-prefix", "demo"), List.of("--contexts", "east,my prod (eu)"))) {
            DemoContext demo = Probe.demo(options.toArray(String[]::new));
            List<String> commands = commands(demo.sampleApp().nextSteps(demo.mesh(), _ -> Optional.empty(), demo.commands()));
            assertEquals(5, commands.size(), "" + commands);
            areTakenByZsh(commands);
        }
    }

    /** The lines that begin with a program, without their indentation. */
    private static List<String> commands(String text) {
        return text.lines().map(String::strip).filter(line -> line.matches("(jbang|kubectl|istioctl|curl|docker) .*")).toList();
    }
}
