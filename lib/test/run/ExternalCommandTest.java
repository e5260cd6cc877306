package lib.run;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Time limits, streams and pipes of external commands. */
@Tag("unit")
@Timeout(30)
class ExternalCommandTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private final ExternalCommand shell = new ExternalCommand("sh", "", new Console(false));

    private static void assertEnded(String command) throws InterruptedException {
        String find = "pgrep -fx '%s'".formatted(command);
        for (int i = 0; i < 50 && !Shell.run(find).out().isEmpty(); i++) Thread.sleep(100);
        assertEquals("", Shell.run(find).out());
    }

    @Test void separatesOutputAndErrors() {
        assertEquals(new ExternalCommand.Result(3, "out\n", "err\n"),
                shell.attempt(LIMIT, "-c", "echo out; echo err >&2; exit 3"));
        Problem problem = assertThrows(Problem.class, () -> shell.run(LIMIT, "-c", "echo out; echo err >&2; exit 3"));
        assertEquals("`sh -c 'echo out; echo err >&2; exit 3'` ended with exit code 3:\nerr", problem.getMessage());
    }

    @Test void endsACommandAndItsChildrenAtTheTimeLimit() throws InterruptedException {
        Problem problem = assertThrows(Problem.class,
                () -> shell.attempt(Duration.ofSeconds(1), "-c", "echo words >&2; sleep 7352; true"));
        String message = problem.getMessage();
        assertTrue(message.endsWith("did not end within 1 s; its last output:\nwords"), message);
        assertEnded("sleep 7352");
    }

    @Test void endsACommandIfWritingItsOutputFails() throws InterruptedException {
        for (RuntimeException failure : List.of(new CancellationException(), new IllegalStateException())) {
            OutputStream refuses = new ByteArrayOutputStream() {
                @Override public void write(byte[] bytes, int from, int count) { throw failure; }
            };
            assertSame(failure, assertThrows(RuntimeException.class,
                    () -> shell.into(LIMIT, refuses, "-c", "echo words; exec sleep 7353")));
            assertEnded("sleep 7353");
        }
    }

    @Test void endsACommandIfReadingItsInputFails() throws InterruptedException {
        InputStream broken = new SequenceInputStream(new ByteArrayInputStream(new byte[100_000]), new InputStream() {
            @Override public int read() throws IOException { throw new IOException("broken"); }
        });
        String script = "cat > /dev/null; exec sleep 7354";
        IOException failure = assertThrows(IOException.class, () -> shell.from(LIMIT, broken, "-c", script));
        assertEquals("broken", failure.getMessage());
        assertEnded("sleep 7354");
    }

    @Test void aCommandMayIgnoreItsInput() {
        assertEquals("done\n", shell.feed(LIMIT, "x".repeat(1_000_000), "-c", "echo done"));
        assertEquals("1000000\n", shell.feed(LIMIT, "x".repeat(1_000_000), "-c", "wc -c"));
    }

    @Test void aPipeFailsWhenEitherSideDoes() {
        shell.pipe(LIMIT, new String[] {"-c", "echo words"}, new String[] {"-c", "grep -q words"});
        for (String[] sides : new String[][] {{"echo a; exit 4", "cat"}, {"echo a", "cat >&2; exit 4"}}) {
            Problem problem = assertThrows(Problem.class, () -> shell.pipe(LIMIT, new String[] {"-c", sides[0]},
                    new String[] {"-c", sides[1]}));
            assertTrue(problem.getMessage().endsWith("ended with exit code 4:\na"), problem.getMessage());
            assertTrue(problem.getMessage().startsWith("`sh -c '" + sides[0] + "' | sh -c "), problem.getMessage());
        }
    }
}
