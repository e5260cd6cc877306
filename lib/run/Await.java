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

    /**
     * Locks a file that several runs share. Closing the result, or the end of this process, releases the lock.
     *
     * @param otherRun what is reported while another run or thread has the lock
     */
    public static Closeable lock(Path file, String otherRun, Duration limit, Consumer<String> progress)
            throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        var lock = new AtomicReference<FileLock>();
        try {
            until("the lock " + file, limit, Duration.ofMillis(200), progress, () -> {
                try {
                    lock.set(channel.tryLock());
                    return lock.get() == null ? otherRun : "";
                } catch (OverlappingFileLockException e) {
                    return otherRun; // another thread of this process has it
                }
            });
            return () -> lock.get().acquiredBy().close();
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    public static Problem timedOut(String what, Duration limit, String last) {
        return Problem.failed("waited %d s for %s; last state: %s".formatted(limit.toSeconds(), what, last),
                "run the same command again: it resumes");
    }
}
