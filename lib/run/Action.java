package lib.run;

import module java.base;

/**
 * The work of a step, as code and as shell commands.
 *
 * @param toShell commands that do the same, for KindDemo's --dry-run; they read no other file. Empty if never printed
 */
public record Action(String toShell, Task task) {
    /** Code that reports to {@code progress} what it waits for. It throws when it fails. */
    public interface Task {
        void run(Consumer<String> progress) throws Exception;
    }
}
