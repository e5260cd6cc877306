package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The output of the real scripts for --help, --explain, --export-manifests and --completion. */
@Tag("unit")
class HelpTest {
    private static String printed(String command) { return Shell.succeeds(command, Map.of("COLUMNS", "80")).out(); }

    @ParameterizedTest @ValueSource(strings = {"KindDemo", "Verify", "Teardown"})
    void helpIsAManualPageOf80Columns(String script) throws IOException {
        String help = printed("jbang %s.java --help".formatted(script));
        help.lines().forEach(line -> assertTrue(line.length() <= 80, line));
        int at = 0;
        boolean teardown = script.equals("Teardown");
        for (String heading : List.of("Usage: jbang %s.java [OPTION]...".formatted(script), "Clusters:",
                teardown ? "Output:" : "Mesh:", teardown ? "Output:" : "Files:", "Output:", "Environment:",
                "Exit codes:", "Examples:")) {
            assertTrue(help.indexOf("\n" + heading, at - 1) >= 0 || help.startsWith(heading),
                    heading + " is not in its place\n" + help);
            at = Math.max(at, help.indexOf("\n" + heading) + 1);
        }
        assertEquals(teardown, !help.contains("--workers"), "a script has only the options that it uses");
        // a wrapped URL cannot be copied
        assertFalse(Pattern.compile("(?m)\\w://\\S+[/.-]$").matcher(help).find(), help);
    }

    /** The benchmark has sources and dependencies of its own. */
    @Test void theBenchmarkHasHelp() {
        assertTrue(printed("jbang lib/test/Bench.java --help").contains("--rounds"));
    }

    @Test void explainsChecks() {
        String explained = printed("jbang Verify.java --explain cgroups");
        assertTrue(explained.startsWith("cgroups\n\nChecks that the kubelet starts"), explained);
        assertTrue(explained.endsWith("\n    jbang KindDemo.java --kubernetes-version 1.34.4\n"), explained);
        Shell.Result unknown = Shell.run("jbang Verify.java --explain cgroup");
        assertEquals(Problem.USAGE, unknown.exitCode(), unknown.all());
        assertTrue(unknown.err().contains("no check has the ID 'cgroup'") && unknown.err().contains("cgroups"),
                unknown.err());
    }

    /** --export-manifests writes the demo's own manifests, and keeps those that the user changed. */
    @Test void exportsManifestsAndKeepsChangedOnes(@TempDir Path folder) throws IOException {
        Path target = folder.resolve("my copy");
        String export = "jbang KindDemo.java --export-manifests '%s'".formatted(target);
        assertTrue(printed(export).contains("--manifests '%s'".formatted(target)));
        assertEquals("", Shell.run("diff -r manifests '%s'".formatted(target)).all());
        printed(export);
        Path sleep = target.resolve("apps/sleep.yaml");
        Files.writeString(sleep, "mine");
        Shell.Result refused = Shell.run(export);
        assertEquals(Problem.USAGE, refused.exitCode(), refused.all());
        assertTrue(refused.err().contains("apps/sleep.yaml") && refused.err().contains("--force"), refused.err());
        assertEquals("mine", Files.readString(sleep));
        for (String kept : List.of("sleep.yaml.bak", "sleep.yaml.bak2")) {
            Files.writeString(sleep, kept);
            printed(export + " --force");
            assertEquals("", Shell.run("diff -r --exclude '*.bak*' manifests '%s'".formatted(target)).all());
        }
        for (String kept : List.of("sleep.yaml.bak", "sleep.yaml.bak2"))
            assertEquals(kept, Files.readString(sleep.resolveSibling(kept)));
    }

    /** Calls the function that bash calls at TAB. This bash already has another completion for jbang. */
    @Test void bashCompletesTheOptionsOfTheScripts() {
        String answers = printed("""
                own() { COMPREPLY=("jbang's own"); }
                complete -F own jbang
                for script in KindDemo Verify Teardown; do source <(jbang $script.java --completion bash); done
                read -r _ _ _ _ complete _ <<< "$(complete -p jbang)"
                tab() {
                  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
                  $complete 2> /dev/null; echo "${COMPREPLY[*]}"
                }
                tab jbang KindDemo.java --ca va
                tab jbang ./KindDemo.java --clusters 3 --exp
                tab jbang verify -o js
                tab jbang verify@kind-demo --preflight --expe
                tab jbang Teardown.java --work
                tab jbang Other.java --ca va
                """);
        assertEquals(List.of("vault", "--export-manifests", "json", "--experiments", "", "jbang's own"),
                answers.lines().toList());
    }
}
