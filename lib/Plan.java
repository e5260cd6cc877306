package lib;

import module java.base;

/**
 * Steps and what each waits for. Whatever can go together goes together, each step on a virtual thread. A step that fails
 * stops those that need it; the others finish, so that nothing is left half-done that could have been whole.
 */
public final class Plan {
    /** A step's life. */
    public enum State { WAITING, RUNNING, DONE, FAILED, SKIPPED }

    /** One step: where it acts (a cluster's name, or empty), what it does, and, once it ran, how it went. */
    public static final class Step {
        public final String where, what;
        public final Action action;
        public final List<Step> after;
        private final CompletableFuture<State> ended = new CompletableFuture<>();
        private volatile State state = State.WAITING;
        private volatile String seen = "";
        private volatile long started, finished;

        private Step(String where, String what, Action action, List<Step> after) {
            this.where = where;
            this.what = what;
            this.action = action;
            this.after = after;
        }

        public String title() { return where.isEmpty() ? what : where + ": " + what; }

        public State state() { return state; }

        /** What the step said last of what it waits for; empty when it said nothing. */
        public String seen() { return seen; }

        /** Seconds the step took, or has taken until now. */
        public double seconds() { return (finished > 0 ? finished - started : System.nanoTime() - started) / 1e9; }
    }

    /** A step that is not taken: nobody waits for it. */
    public static final Step NOTHING = new Step("", "", null, List.of());

    /** One failed step and why. */
    public record Failure(Step step, Throwable cause) {}

    private final List<Step> steps = new ArrayList<>();
    private final List<Failure> failures = new CopyOnWriteArrayList<>();
    private final Console console;
    private long began;

    public Plan(Console console) { this.console = console; }

    /** Adds a step in a cluster that starts when all of {@code after} are done. */
    public Step step(Cluster where, String what, Action action, Step... after) { return step(where, what, action, List.of(after)); }

    public Step step(Cluster where, String what, Action action, List<Step> after) { return add(where.name(), what, action, after); }

    /** Adds a step that belongs to no single cluster. */
    public Step step(String what, Action action, Step... after) { return add("", what, action, List.of(after)); }

    private Step add(String where, String what, Action action, List<Step> after) {
        Step step = new Step(where, what, action, after.stream().filter(s -> s != NOTHING).toList());
        steps.add(step);
        return step;
    }

    public List<Step> steps() { return List.copyOf(steps); }

    /** Failures of the last run, in the order in which they happened. */
    public List<Failure> failures() { return List.copyOf(failures); }

    /**
     * Runs every step and returns when the last has ended. Interrupting the calling thread interrupts the steps that run and
     * skips those that have not begun.
     *
     * @return whether all steps are done
     */
    public boolean run() {
        began = System.nanoTime();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Step step : steps) threads.submit(() -> run(step));
        }
        return steps.stream().allMatch(s -> s.state == State.DONE);
    }

    /** Whether all that the step waits for is done; false too when the plan is interrupted before. */
    private static boolean ready(Step step) {
        try {
            for (Step needed : step.after) if (needed.ended.get() != State.DONE) return false;
            return !Thread.currentThread().isInterrupted();
        } catch (InterruptedException | ExecutionException e) {
            return false;
        }
    }

    private void run(Step step) {
        boolean ready = ready(step);
        step.started = System.nanoTime();
        step.state = ready ? State.RUNNING : State.SKIPPED;
        try {
            if (ready) {
                console.started(step);
                step.action.task().run(seen -> step.seen = seen);
                step.state = State.DONE;
            }
        } catch (Throwable cause) { // an Error too: the steps that need this one would wait forever
            failures.add(new Failure(step, cause));
            step.state = State.FAILED;
        }
        step.finished = System.nanoTime();
        try {
            console.ended(step);
        } finally {
            step.ended.complete(step.state);
        }
    }

    /** Tells each failure, and where the log is. */
    public void report() {
        failures.forEach(f -> console.problem(f.step.title(), f.cause));
        console.logFile().ifPresent(log -> console.say("All that was run and printed is in " + log));
    }

    /**
     * The plan as one shell command: each step, what it waits for, and how to do it by hand, in an order that works. A bash of its own
     * reads it as its input, so that it can be pasted into a shell that knows no comments, and a failure does not end that shell; it
     * reads all of it before it begins, so that no command takes the rest for its own input.
     */
    public String byHand() {
        StringBuilder text = new StringBuilder("""
                # What KindDemo does, step by step, as shell commands. Steps that do not wait for one another run together in KindDemo.
                demo() {
                set -euo pipefail

                # runs a command until it succeeds, with the same input each time; gives up after two minutes
                retry() {
                  local input
                  input=$(cat)
                  for _ in {1..60}; do
                    if "$@" <<< "$input"; then return; fi
                    sleep 2
                  done
                  echo "gave up: $*" >&2
                  return 1
                }
                """);
        for (Step step : steps) {
            text.append("\n# ").append(step.title());
            if (!step.after.isEmpty()) text.append("   (after ").append(String.join("; ", step.after.stream().map(Step::title).toList()))
                    .append(")");
            text.append('\n').append(step.action.byHand().strip()).append('\n');
        }
        return "bash -s " + Tool.hereDocument("DEMO", text + "}\ndemo < /dev/null");
    }

    /** Where the time went: a bar per step, from the start of the run, longest waits last. */
    public String timeline() {
        double total = steps.stream().mapToDouble(s -> (s.finished - began) / 1e9).max().orElse(0);
        int width = 50;
        StringBuilder text = new StringBuilder();
        for (Step step : steps) {
            if (step.state == State.SKIPPED) continue;
            double from = (step.started - began) / 1e9, to = (step.finished - began) / 1e9;
            int left = (int) (from / total * width), bar = Math.max(1, (int) Math.round((to - from) / total * width));
            text.append("%-28s %6.1f → %6.1f  %s%s%n".formatted(step.title(), from, to, " ".repeat(left),
                    "█".repeat(Math.min(bar, width - left + 1))));
        }
        return text.toString();
    }
}
