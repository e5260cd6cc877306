package lib.report;

import module java.base;
import lib.run.*;

/** The result of a check; docs/verify.md documents the fields. The hint of a check that passed is empty. */
public record CheckResult(String layer, String id, String title, String cluster, Severity severity, Status status,
        String message, String hint, double durationSeconds) {
    /** The check with its cluster, such as so1: endpoints. */
    public String name() { return cluster.isEmpty() ? id : cluster + ": " + id; }
}
