package lib.run;

import module java.base;

/**
 * What a step does, told twice: as shell commands that do the same by hand (shown by --dry-run), and as code.
 *
 * @param toShell one or more shell commands that need no file: part of what {@link Plan#toShell} makes
 * @param task   the work itself
 */
public record Action(String toShell, Task task) {
    /** The work of a step. It tells {@code progress} what it is waiting for, and throws when it gives up. */
    public interface Task {
        void run(Consumer<String> progress) throws Exception;
    }
}
