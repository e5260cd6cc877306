package lib.run;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The status lines on a real terminal; a script replaces stty, which reports the size. */
@Tag("unit")
class ConsoleTest {
    @TempDir Path folder;

    /** Runs in the terminal: a step of four seconds, which changes the width with the stty in the argument. */
    public static final class Slow {
        public static void main(String[] arguments) {
            try (Console console = new Console(false)) {
                Plan plan = new Plan(console);
                plan.step("slow", new Action("", _ -> {
                    Thread.sleep(2000);
                    new ProcessBuilder(arguments[0], "cols", "50").inheritIO().start().waitFor();
                    Thread.sleep(2000);
                }));
                plan.run();
            }
        }
    }

    /** Runs {@link Slow} with this script as stty. */
    private Terminal.Result slow(String stty) throws IOException {
        String real = Shell.run("command -v stty").out().strip();
        Files.writeString(folder.resolve("stty"), "#!/bin/sh\n" + stty.replace("REAL", real)).toFile()
                .setExecutable(true);
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        String command = "%s -cp %s '%s' %s".formatted(java, System.getProperty("java.class.path"),
                Slow.class.getName(), real);
        return Terminal.run(command, 60, Map.of("TERM", "xterm", "PATH", folder + ":" + System.getenv("PATH")));
    }

    @Test void redrawsWhenTheWidthChanges() throws IOException {
        Path calls = folder.resolve("calls");
        long start = System.nanoTime();
        Terminal.Result slow = slow("[ \"$1\" = size ] && echo >> %s\nexec REAL \"$@\"\n".formatted(calls));
        assertTrue(slow.written().contains("… slow"), slow.written());
        assertTrue(slow.written().contains("\033[H\033[2J"),
                "the status lines were not redrawn for the new width: " + slow.written());
        assertEquals(List.of(), slow.screen().stream().filter(line -> line.startsWith("… ")).toList(),
                "no status line is left");
        int asked = Files.readAllLines(calls).size();
        long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
        assertTrue(asked >= 3 && asked <= 2 + seconds,
                "once at the start, then at most once per second: %d calls in %d s".formatted(asked, seconds));
    }

    @Test void endsAnSttyThatHangs() throws IOException {
        Terminal.Result slow = slow("[ \"$1\" = size ] && exec sleep 7351\nexec REAL \"$@\"\n");
        assertTrue(slow.written().contains("✓ slow"), slow.written());
        assertEquals("", Shell.run("pgrep -fx 'sleep 7351'").out());
    }
}
