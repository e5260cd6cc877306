package lib.verify;

import lib.run.*;

/**
 * The result of a check; docs/verify.md documents the fields as JSON.
 *
 * @param message         what was found
 * @param hint            what to do; empty if the check passed
 * @param durationSeconds how long it took, with all attempts
 */
public record CheckResult(String layer, String id, String title, String cluster, Severity severity, Status status,
        String message, String hint, double durationSeconds) {
    /** The check with its cluster, such as so1: endpoints. */
    public String name() { return cluster.isEmpty() ? id : cluster + ": " + id; }
}
