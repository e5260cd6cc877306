package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Types the commands that users copy into an interactive zsh, the default shell of macOS. It passes comments on as
 * arguments, and rejects a pattern that matches no file. Stubs replace the programs: each must get the same arguments
 * as from a bash script.
 */
@Tag("unit")
class DocsTest {
    private static final String STUB = """
            #!/bin/sh
            { printf '[%s]' "$@"; echo; } >> "$CALLS/$(basename "$0")"
            """;
    @TempDir Path folder;

    @BeforeEach void stubs() throws IOException {
        Requirements.programs("zsh");
        Path bin = Files.createDirectory(folder.resolve("bin")),
                token = folder.resolve("home/.local/state/kind-demo/so/vault/root-token");
        for (String program : List.of("jbang", "kubectl", "istioctl", "curl", "docker", "vault", "openssl", "bash",
                "grep"))
            assertTrue(Files.writeString(bin.resolve(program), STUB).toFile().setExecutable(true));
        Files.createDirectories(token.getParent());
        Files.writeString(token, "a-token");
    }

    /** The arguments of each program and the exit code of each line, when a shell reads these lines. */
    private Map<String, String> calls(String shell, List<String> lines) throws IOException {
        Path calls = Files.createTempDirectory(folder, "calls"), empty = Files.createTempDirectory(folder, "empty");
        String typed = lines.stream().map(line -> line + "\necho \"$? after %s\" >> \"$CALLS/codes\"\n".formatted(
                line.replaceAll("[^\\w -]", ""))).collect(Collectors.joining());
        Path script = Files.writeString(calls.resolveSibling(calls.getFileName() + ".typed"), typed);
        Shell.run(("cd '%s' && export HOME='%s/home' ZDOTDIR=\"$PWD\" CALLS='%s' PATH='%2$s/bin':$PATH;"
                + " exec %s < '%s'").formatted(empty, folder, calls, shell, script));
        Map<String, String> called = new TreeMap<>();
        try (Stream<Path> files = Files.list(calls)) {
            for (Path file : files.toList()) called.put(file.getFileName().toString(), Files.readString(file));
        }
        return called;
    }

    /** Expects zsh to run the lines like bash, without an error. */
    private void runAlikeInZsh(List<String> lines) throws IOException {
        assertFalse(lines.isEmpty());
        Map<String, String> bash = calls("/bin/bash", lines), zsh = calls("zsh -i", lines);
        assertEquals(bash, zsh);
        assertEquals(lines.size(), zsh.get("codes").lines().filter(line -> line.startsWith("0 ")).count(),
                zsh.get("codes"));
    }

    static List<Path> pages() throws IOException { return Docs.pages(); }

    @ParameterizedTest @MethodSource("pages")
    void zshRunsEveryCommandAsBashDoes(Path page) throws IOException {
        List<String> lines = Docs.lines(page, "shell|sh|bash|console");
        if (!lines.isEmpty()) runAlikeInZsh(lines);
    }

    /** A test runs each command that readers run on a demo, and gets it with Docs.command. */
    @Test void everyCommandIsRunByATest() throws IOException {
        List<String> asked = new ArrayList<>();
        try (Stream<Path> sources = Files.walk(Shell.PROJECT.resolve("lib/test"))) {
            for (Path source : sources.filter(Files::isRegularFile).toList())
                Pattern.compile("Docs\\.command\\(\"((?:\\\\.|[^\"\\\\])+)\"\\)").matcher(Files.readString(source))
                        .results().forEach(found -> asked.add(found.group(1)));
        }
        Set<String> run = new HashSet<>();
        for (String words : asked) run.add(Docs.command(words));
        List<String> notRun = new ArrayList<>(Docs.commands());
        notRun.removeAll(run);
        // the tests themselves
        notRun.removeIf(line -> line.contains("jbang lib/test/"));
        assertEquals(List.of(), notRun);
    }

    @ParameterizedTest @ValueSource(strings = {"KindDemo", "Verify", "Teardown"})
    void zshRunsEveryExampleOfTheHelp(String script) throws IOException {
        String help = Shell.succeeds("jbang %s.java --help".formatted(script)).out();
        runAlikeInZsh(commands(help.substring(help.indexOf("Examples:"))));
    }

    @Test void zshRunsTheNextStepsOfKindDemo() throws IOException {
        for (List<String> options : List.of(List.<String>of(), List.of("--name-prefix", "demo"),
                List.of("--contexts", "east,my prod (eu)"))) {
            DemoContext demo = Probe.demo(options.toArray(String[]::new));
            List<String> commands = commands(demo.sampleApp().nextSteps(demo.clusters.wanted(), _ -> Optional.empty(),
                    demo.commands()));
            assertEquals(5, commands.size(), "" + commands);
            runAlikeInZsh(commands);
        }
    }

    /** The lines that begin with a program, without their indentation. */
    private static List<String> commands(String text) {
        return text.lines().map(String::strip).filter(line -> line.matches("(jbang|kubectl|istioctl|curl|docker) .*"))
                .toList();
    }
}
