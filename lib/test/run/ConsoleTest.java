package lib.run;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The status lines on a real terminal, whose size only stty tells. */
@Tag("unit")
class ConsoleTest {
    @TempDir Path folder;

    /** What runs in the terminal: a step that gives it another width by this stty, and takes four seconds. */
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

    /** Runs it with this text as the program stty. */
    private Terminal.Result slow(String stty) throws IOException {
        String real = Shell.run("command -v stty").out().strip();
        Files.writeString(folder.resolve("stty"), "#!/bin/sh\n" + stty.replace("REAL", real)).toFile().setExecutable(true);
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        String command = "%s -cp %s '%s' %s".formatted(java, System.getProperty("java.class.path"), Slow.class.getName(), real);
        return Terminal.run(command, 60, Map.of("TERM", "xterm", "PATH", folder + ":" + System.getenv("PATH")));
    }

    @Test void askForTheSizeOnlyWhenItChanges() throws IOException {
        Path asked = folder.resolve("asked");
        Terminal.Result slow = slow("[ \"$1\" = size ] && echo >> %s\nexec REAL \"$@\"\n".formatted(asked));
        assertTrue(slow.written().contains("… slow"), slow.written());
        assertTrue(slow.written().contains("\033[H\033[2J"), "it was not written again for the other width: " + slow.written());
        assertEquals(3, Files.readAllLines(asked).size(), "at the start, in the status lines, for the other width");
    }

    @Test void anSttyThatHangsIsEnded() throws IOException {
        Terminal.Result slow = slow("[ \"$1\" = size ] && exec sleep 7351\nexec REAL \"$@\"\n");
        assertTrue(slow.written().contains("✓ slow"), slow.written());
        assertEquals("", Shell.run("pgrep -fx 'sleep 7351'").out());
    }
}
