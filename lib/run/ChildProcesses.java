package lib.run;

import module java.base;

/** The processes that this program starts, and those that they start. */
public final class ChildProcesses {
    /** Starts one or more processes. */
    interface Start<T> {
        T run() throws IOException;
    }

    /** {@link #start} takes the read lock; {@link #endAll} keeps the write lock, so others start none. */
    private static final ReadWriteLock MAY_START = new ReentrantReadWriteLock();
    private static final Duration PATIENCE = Duration.ofMillis(1500);

    private ChildProcesses() {}

    static <T> T start(Start<T> start) throws IOException {
        MAY_START.readLock().lock();
        try {
            return start.run();
        } finally {
            MAY_START.readLock().unlock();
        }
    }

    /** Ends a process and those that it started. */
    static void end(Process process) {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
    }

    /** Ends all processes, within two seconds. */
    public static void endAll() {
        MAY_START.writeLock().lock(); // never released: this program ends
        long end = System.nanoTime() + PATIENCE.toNanos();
        Set<ProcessHandle> seen = new HashSet<>();
        do {
            List<ProcessHandle> fresh = new ArrayList<>(descendants(seen));
            // kind could start a container while it is ended, and that command would survive
            signal("STOP", fresh);
            fresh.addAll(descendants(fresh));
            fresh.forEach(ProcessHandle::destroy);
            signal("CONT", fresh);
            // a process that outlives its parent is no descendant any more
            seen.addAll(fresh);
            CompletableFuture.allOf(seen.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                    .completeOnTimeout(null, 100, TimeUnit.MILLISECONDS).join();
        } while (System.nanoTime() < end && (seen.stream().anyMatch(ProcessHandle::isAlive)
                || !descendants(seen).isEmpty()));
        seen.forEach(ProcessHandle::destroyForcibly);
    }

    /** The processes that this one and its children have started, without those that are known. */
    private static List<ProcessHandle> descendants(Collection<ProcessHandle> known) {
        return ProcessHandle.current().descendants().filter(process -> !known.contains(process)).toList();
    }

    /** Sends a signal with kill(1), because the JDK sends only signals that end a process. */
    private static void signal(String name, List<ProcessHandle> processes) {
        if (processes.isEmpty()) return;
        List<String> command = new ArrayList<>(List.of("sh", "-c", "kill -s \"$@\" 2> /dev/null", "sh", name));
        processes.forEach(process -> command.add("" + process.pid()));
        try {
            new ProcessBuilder(command).start().waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (IOException | InterruptedException e) {
            // without it a process may survive, as a container that the next run replaces
        }
    }
}
