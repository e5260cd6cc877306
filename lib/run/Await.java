package lib.run;

import module java.base;

/** Waiting for a condition that cannot be watched. */
public final class Await {
    private Await() {}

    /** Tells what is still missing; an empty text when nothing is. */
    public interface Missing {
        String now() throws IOException;
    }

    /**
     * Asks again and again until nothing is missing; a {@link Problem} with what was seen last when {@code limit} is over.
     *
     * @param what     what is waited for, for the message
     * @param interval the time between two questions
     * @param progress     told what is missing, each time
     */
    public static void until(String what, Duration limit, Duration interval, Consumer<String> progress, Missing missing) throws IOException {
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
        return Problem.failed("waited %d s for %s; last seen: %s".formatted(limit.toSeconds(), what, last),
                "run the same command again: it resumes");
    }
}
