package lib.verify;

import module java.base;
import lib.cli.*;
import lib.run.*;

/**
 * One thing that must hold in a working mesh, in one place.
 *
 * @param id       stable: machines know the check by it, and README has an anchor of that name
 * @param title    what must hold, in words
 * @param where    the cluster's name, or empty for the mesh as a whole
 * @param severity whether the mesh can work without it
 * @param deadline how long it may go on failing: a mesh needs some seconds to converge
 * @param probe    looks once; returns what it saw, or throws a {@link Problem} that says what is wrong and what to type
 */
public record Check(String id, String title, String where, Severity severity, Duration deadline, Probe probe) {
    public interface Probe {
        String run() throws Exception;
    }

    /** Looks until what must hold does, or the deadline is over. */
    public CheckResult run(String layer) {
        long start = System.nanoTime(), end = start + deadline.toNanos();
        while (true) {
            try {
                return finding(layer, Status.PASSED, probe.run(), "", start);
            } catch (Throwable e) { // an Error too: the other findings must not be lost
                if (System.nanoTime() > end || Thread.currentThread().isInterrupted())
                    return failed(layer, message(e), e instanceof Problem p ? p.hint() : "run again with --verbose", start);
                LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
            }
        }
    }

    /** What is found when a look has not ended long after the deadline. */
    CheckResult timedOut(String layer, long start) {
        return failed(layer, "it did not end in time", "run again with --verbose to see where it hangs", start);
    }

    CheckResult skipped(String layer) {
        return finding(layer, Status.SKIPPED, "it stands on a layer that failed", "", System.nanoTime());
    }

    private CheckResult failed(String layer, String message, String hint, long start) {
        return finding(layer, severity == Severity.FATAL ? Status.FAILED : Status.WARNING, message, hint, start);
    }

    private CheckResult finding(String layer, Status status, String message, String hint, long start) {
        return new CheckResult(layer, id, title, where, severity, status, message, hint, (System.nanoTime() - start) / 1e9);
    }

    public static String message(Throwable e) {
        Throwable root = Problem.rootCause(e);
        return e instanceof Problem ? e.getMessage() : root.getClass().getSimpleName() + ": " + root.getMessage();
    }
}
