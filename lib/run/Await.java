package lib.run;

import module java.base;

/** Polls a condition that cannot be watched. */
public final class Await {
    private Await() {}

    /** Returns what is still missing, or an empty text. */
    public interface Missing {
        String now() throws IOException;
    }

    /**
     * Polls until nothing is missing.
     *
     * @param what     the awaited condition, for the message
     * @param interval the pause between two polls
     * @param progress receives what is missing, after each poll
     * @throws Problem with what was missing last, after {@code limit} or an interruption
     */
    public static void until(String what, Duration limit, Duration interval, Consumer<String> progress, Missing missing)
            throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            String last = missing.now();
            if (last.isEmpty()) return;
            progress.accept(last);
            // parking returns at once in an interrupted thread
            if (System.nanoTime() > end || Thread.currentThread().isInterrupted()) throw timedOut(what, limit, last);
            LockSupport.parkNanos(interval.toNanos());
        }
    }

    public static Problem timedOut(String what, Duration limit, String last) {
        return Problem.failed("waited %d s for %s; last state: %s".formatted(limit.toSeconds(), what, last),
                "run the same command again: it resumes");
    }
}
