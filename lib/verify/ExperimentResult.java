package lib.verify;

import module java.base;
import lib.run.*;

/**
 * The result of an experiment.
 *
 * @param status          SKIPPED when the mesh's settings rule it out
 * @param observations    what was observed, a line each; the reason when it was skipped
 * @param failures        what did not hold; empty when all held
 * @param metrics         measured values by name; the unit is part of the name
 * @param traffic         the requests that were sent meanwhile
 * @param durationSeconds how long it took, including the restoration
 */
public record ExperimentResult(String name, String title, Status status, List<String> observations, List<String> failures,
        Map<String, Number> metrics, List<Requests> traffic, double durationSeconds) {
    /**
     * One request.
     *
     * @param at              when it was sent, in seconds since the first one
     * @param durationSeconds until it was answered or given up
     * @param code            the HTTP status; 0 when there was no answer
     * @param cluster         where the pod runs that answered; empty when none did
     */
    public record Reply(double at, double durationSeconds, int code, String cluster) {
        public boolean lost() { return code < 200 || code > 299; }
    }

    /** A change that was made while the requests were sent. */
    public record Event(double at, String text) {}

    /** Requests at a steady rate from one client. */
    public record Requests(String title, List<Reply> replies, List<Event> events) {}
}
