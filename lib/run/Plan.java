package lib.run;

import module java.base;

/**
 * Steps and what each waits for. Whatever can go together goes together, each step on a virtual thread. A step that fails
 * stops those that need it; the others finish, so that nothing is left half-done that could have been whole.
 */
public final class Plan {
    /** One failed step and why. */
    public record Failure(Step step, Throwable cause) {}

    private final List<Step> steps = new ArrayList<>();
    private final List<Failure> failures = new CopyOnWriteArrayList<>();
    private final Console console;
    private long began;

    public Plan(Console console) { this.console = console; }

    /** Adds a step in a cluster, named {@code where}, that starts when all of {@code after} are done. */
    public Step step(String where, String what, Action action, Step... after) { return step(where, what, action, List.of(after)); }

    public Step step(String where, String what, Action action, List<Step> after) {
        Step step = new Step(where, what, action, after);
        steps.add(step);
        return step;
    }

    /** Adds a step that belongs to no single cluster. */
    public Step step(String what, Action action, Step... after) { return step("", what, action, List.of(after)); }

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
        return steps.stream().allMatch(step -> step.state() == Step.State.DONE);
    }

    private void run(Step step) {
        if (step.begin()) {
            console.started(step);
            step.execute().ifPresent(cause -> failures.add(new Failure(step, cause)));
        }
        try {
            console.ended(step);
        } finally {
            step.finish();
        }
    }

    /** Tells each failure, and where the log is. */
    public void report() {
        failures.forEach(f -> console.problem(f.step.title(), f.cause));
        console.logFile().ifPresent(log -> console.info("All that was run and printed is in " + log));
    }

    /**
     * The plan as one shell command: each step, what it waits for, and how to do it by hand, in an order that works. A bash of its own
     * reads it as its input, so that it can be pasted into a shell that knows no comments, and a failure does not end that shell; it
     * reads all of it before it begins, so that no command takes the rest for its own input.
     */
    public String toShell() {
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
            if (!step.after().isEmpty()) text.append("   (after ").append(String.join("; ", step.after().stream().map(Step::title).toList()))
                    .append(")");
            text.append('\n').append(step.action().toShell().strip()).append('\n');
        }
        return "bash -s " + ExternalCommand.hereDocument("DEMO", text + "}\ndemo < /dev/null");
    }

    /** Where the time went: a bar per step, from the start of the run, longest waits last. */
    public String timeline() {
        double total = steps.stream().mapToDouble(step -> step.finishedAfter(began)).max().orElse(0);
        int width = 50;
        StringBuilder text = new StringBuilder();
        for (Step step : steps) {
            if (step.state() == Step.State.SKIPPED) continue;
            double from = step.startedAfter(began), to = step.finishedAfter(began);
            int left = (int) (from / total * width), bar = Math.max(1, (int) Math.round((to - from) / total * width));
            text.append("%-28s %6.1f → %6.1f  %s%s%n".formatted(step.title(), from, to, " ".repeat(left),
                    "█".repeat(Math.min(bar, width - left + 1))));
        }
        return text.toString();
    }
}
