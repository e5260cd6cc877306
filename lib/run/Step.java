package lib.run;

import module java.base;

/** A step of a plan: its cluster (empty when it belongs to none), its action and its state. */
public final class Step {
    public enum State { WAITING, RUNNING, DONE, FAILED, SKIPPED }

    /** Stands for a step that is not needed: other steps do not wait for it. */
    public static final Step NONE = new Step("", "", null, List.of());

    private final String cluster, what;
    private final Action action;
    private final List<Step> after;
    private final CompletableFuture<State> ended = new CompletableFuture<>();
    private volatile State state = State.WAITING;
    private volatile String progress = "";
    private volatile long started, finished;

    /** @param after the steps that must be done first */
    Step(String cluster, String what, Action action, List<Step> after) {
        this.cluster = cluster;
        this.what = what;
        this.action = action;
        this.after = after.stream().filter(step -> step != NONE).toList();
    }

    public String title() { return cluster.isEmpty() ? what : cluster + ": " + what; }

    public State state() { return state; }

    /** The last progress that the step reported, or an empty text. */
    public String progress() { return progress; }

    /** Seconds since its start, until now or its end. */
    public double seconds() { return (finished > 0 ? finished - started : System.nanoTime() - started) / 1e9; }

    Action action() { return action; }

    List<Step> after() { return after; }

    /** Seconds from a moment of {@link System#nanoTime} to the step's start. */
    double startedAfter(long moment) { return (started - moment) / 1e9; }

    double finishedAfter(long moment) { return (finished - moment) / 1e9; }

    /** Waits for the steps that it needs; returns whether it can run. */
    boolean begin() {
        boolean ready = awaitSteps();
        started = System.nanoTime();
        state = ready ? State.RUNNING : State.SKIPPED;
        return ready;
    }

    /** Runs the action; returns why it failed. */
    Optional<Throwable> execute() {
        Throwable failure = null;
        try {
            action.task().run(now -> progress = now);
            state = State.DONE;
        } catch (Throwable cause) { // an Error too: the steps after this one would wait forever
            failure = cause;
            state = State.FAILED;
        }
        finished = System.nanoTime();
        return Optional.ofNullable(failure);
    }

    /** Lets the steps that need this one begin. */
    void finish() { ended.complete(state); }

    /** Whether all steps that it needs are done; false too when the plan is interrupted. */
    private boolean awaitSteps() {
        try {
            for (Step needed : after) if (needed.ended.get() != State.DONE) return false;
            return !Thread.currentThread().isInterrupted();
        } catch (InterruptedException | ExecutionException e) {
            return false;
        }
    }
}
