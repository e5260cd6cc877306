package lib.verify;

import lib.run.*;








/**
 * What a check found.
 *
 * @param saw     what it saw, or what is wrong
 * @param hint    what to type next; empty when all is well
 * @param seconds how long it looked
 */
public record CheckResult(String layer, String id, String title, String cluster, Severity severity, Status status, String message, String hint,
        double durationSeconds) {
    /** The check, and the cluster that it looked at. */
    public String name() { return cluster.isEmpty() ? id : cluster + ": " + id; }
}
