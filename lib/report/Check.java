package lib.report;

import module java.base;
import lib.run.*;

/**
 * Something that must be true in a working mesh.
 *
 * @param id       stable; docs/troubleshooting.md has a section of this name
 * @param title    what must be true
 * @param cluster  the cluster's name, or empty for the whole mesh
 * @param severity whether the mesh can work when the check fails
 * @param deadline how long a failing check is repeated: a mesh needs some seconds to converge
 * @param attempt  checks once; returns what it found, or throws a {@link Problem} with a hint
 */
public record Check(String id, String title, String cluster, Severity severity, Duration deadline, Attempt attempt) {
    public interface Attempt {
        String run() throws Exception;
    }

    /** Repeats the attempt until it succeeds or the deadline is over. */
    public CheckResult run(String layer) {
        long start = System.nanoTime(), end = start + deadline.toNanos();
        while (true) {
            try {
                return result(layer, Status.PASSED, attempt.run(), "", start);
            } catch (Throwable e) { // an Error, too: the other results must not be lost
                String hint = e instanceof Problem p ? p.hint() : "run again with --verbose";
                if (System.nanoTime() > end || Thread.currentThread().isInterrupted())
                    return failed(layer, message(e), hint, start);
                LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
            }
        }
    }

    /** The result when an attempt has not ended long after the deadline. */
    public CheckResult timedOut(String layer, long start) {
        return failed(layer, "the check did not end in time", "run again with --verbose to see where it hangs", start);
    }

    public CheckResult skipped(String layer) {
        return result(layer, Status.SKIPPED, "an earlier layer failed", "", System.nanoTime());
    }

    private CheckResult failed(String layer, String message, String hint, long start) {
        return result(layer, severity == Severity.FATAL ? Status.FAILED : Status.WARNING, message, hint, start);
    }

    private CheckResult result(String layer, Status status, String message, String hint, long start) {
        double seconds = (System.nanoTime() - start) / 1e9;
        return new CheckResult(layer, id, title, cluster, severity, status, message, hint, seconds);
    }

    /** The message of a {@link Problem}; of any other failure its root cause. */
    public static String message(Throwable e) {
        Throwable root = Problem.rootCause(e);
        return e instanceof Problem ? e.getMessage() : root.getClass().getSimpleName() + ": " + root.getMessage();
    }
}
