package lib.run;

import module java.base;

/**
 * Steps and the steps that each needs. All steps that can run do so at the same time, each on a virtual thread. When a
 * step fails, those that need it are skipped and all others are completed.
 */
public final class Plan {
    /** A failed step and the reason. */
    record Failure(Step step, Throwable cause) {}

    /** Defines a shell function that retries a command, and begins one that contains the steps. */
    private static final String SHELL_HEAD = """
            # The same as shell commands. KindDemo runs steps at the same time if they do not wait for one another.
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
            """;

    private final List<Step> steps = new ArrayList<>();
    private final List<Failure> failures = new CopyOnWriteArrayList<>();
    private final Console console;
    private long began;

    public Plan(Console console) { this.console = console; }

    /** Adds a step in a cluster that starts when all of {@code after} are done. */
    public Step step(String cluster, String what, Action action, Step... after) {
        return step(cluster, what, action, List.of(after));
    }

    public Step step(String cluster, String what, Action action, List<Step> after) {
        Step step = new Step(cluster, what, action, after);
        steps.add(step);
        return step;
    }

    /** Adds a step that belongs to no single cluster. */
    public Step step(String what, Action action, Step... after) { return step("", what, action, List.of(after)); }

    public List<Step> steps() { return List.copyOf(steps); }

    /** The failures in the order in which they happened. */
    List<Failure> failures() { return List.copyOf(failures); }

    /**
     * Runs all steps and returns whether all are done. Interrupting the calling thread interrupts the running steps
     * and skips the others.
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

    /** Prints the failures and the name of the log file. */
    public void report() {
        failures.forEach(f -> console.problem(f.step.title(), f.cause));
        console.logFile().ifPresent(log -> console.info("Full log: " + log));
    }

    /** The same, and then a hint. */
    public void report(String hint) {
        report();
        console.hint(hint);
    }

    /**
     * The plan as one shell command that runs step after step. Bash reads it from standard input: it can be pasted into
     * a shell that does not know comments, and a failure does not end that shell. The steps are in a function, so that
     * bash reads them all before it starts and no command can read them as its own input.
     */
    public String toShell() {
        StringBuilder text = new StringBuilder(SHELL_HEAD);
        for (Step step : steps) {
            String after = String.join("; ", step.after().stream().map(Step::title).toList());
            text.append("\n# ").append(step.title()).append(after.isEmpty() ? "" : "   (after %s)".formatted(after))
                    .append('\n').append(step.action().toShell().strip()).append('\n');
        }
        return "bash -s " + DemoCommands.hereDocument("DEMO", text + "}\ndemo < /dev/null");
    }

    /** A line per step with a bar from its start to its end, in seconds since the start of the plan. */
    public String timeline() {
        int width = 50;
        double total = steps.stream().mapToDouble(step -> step.finishedAfter(began)).max().orElse(0);
        StringBuilder text = new StringBuilder();
        for (Step step : steps) {
            if (step.state() == Step.State.SKIPPED) continue;
            double from = step.startedAfter(began), to = step.finishedAfter(began);
            int left = (int) (from / total * width);
            int bar = Math.clamp(Math.round((to - from) / total * width), 1, width - left + 1);
            String drawn = " ".repeat(left) + "█".repeat(bar);
            text.append("%-28s %6.1f → %6.1f  %s%n".formatted(step.title(), from, to, drawn));
        }
        return text.toString();
    }
}
