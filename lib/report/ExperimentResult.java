package lib.report;

import module java.base;
import lib.run.*;

/** The result of an experiment; docs/verify.md documents the fields. The observation of a skipped one is the reason. */
public record ExperimentResult(String name, String title, Status status, List<String> observations,
        List<String> failures, Map<String, Number> metrics, double durationSeconds, List<Requests> traffic,
        List<Edge> edges) {
    /**
     * A request and its reply.
     *
     * @param at              when it was sent, in seconds since the first request
     * @param durationSeconds until the reply, or until the client gave up
     * @param code            the HTTP status; 0 for no answer
     * @param cluster         the cluster of the pod that answered; empty if none did
     */
    public record Reply(double at, double durationSeconds, int code, String cluster) {
        public boolean lost() { return code < 200 || code > 299; }
    }

    /** A change that was made while requests were sent. */
    public record Event(double at, String text) {}

    /** Requests at a steady rate from one client. */
    public record Requests(String title, List<Reply> replies, List<Event> events) {}

    /** Requests between two clusters as Prometheus has them; in an ambient mesh, connections. */
    public record Edge(String source, String destination, List<Rate> rates) {}

    /** @param at in seconds since the start of the experiment */
    public record Rate(double at, double perSecond) {}
}
