package lib.experiments;

import module java.base;
import lib.report.*;
import lib.run.*;

/**
 * What an experiment has changed. Each change is recorded before it is made. All are undone, the last first, when the
 * experiment ends or is interrupted.
 */
final class Changes implements AutoCloseable {
    interface Operation {
        void run() throws Exception;
    }

    /**
     * A change that was made or is about to be made.
     *
     * @param undo  may run twice
     * @param await waits until the mesh is as it was before
     */
    private record Change(String key, Operation undo, Operation await) {}

    /** How long Ctrl-C waits for a change that is being made, such as a request to an API server. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final Console console;
    private final Consumer<String> failures;
    private final Deque<Change> changes = new ConcurrentLinkedDeque<>();
    /** Held while a change is made or undone, never during a wait. */
    private final ReentrantLock changing = new ReentrantLock();
    private volatile boolean closed;

    /** @param failures gets what could not be restored */
    Changes(Console console, Consumer<String> failures) {
        this.console = console;
        this.failures = failures;
    }

    void make(String key, Operation make, Operation undo, Operation await) throws Exception {
        locked(() -> {
            changes.push(new Change(key, undo, await));
            make.run();
        });
    }

    /** Runs an operation that Ctrl-C must not interrupt; a {@link Problem} after Ctrl-C. */
    void locked(Operation operation) throws Exception {
        changing.lock();
        try {
            if (closed) throw Problem.failed("interrupted", "run again");
            operation.run();
        } finally {
            changing.unlock();
        }
    }

    /** Undoes the changes with this key, and waits until the mesh is as before. */
    void undo(String key) throws Exception {
        List<Change> own = changes.stream().filter(change -> change.key.equals(key)).toList();
        for (Change change : own) locked(() -> undo(change));
        for (Change change : own) change.await.run();
    }

    /** Undoes the last change with this key. */
    void undoLast(String key) throws Exception {
        Change last = changes.stream().filter(change -> change.key.equals(key)).findFirst().orElseThrow();
        locked(() -> undo(last));
    }

    private void undo(Change change) throws Exception {
        change.undo.run();
        changes.remove(change);
    }

    /** Undoes all remaining changes, the last first. One that fails does not stop the others. */
    private void undoAll() {
        for (Change change : changes) {
            try {
                undo(change);
            } catch (Throwable e) {
                failures.accept("not restored: " + Check.message(e));
                console.problem("restoring " + change.key, e);
            }
        }
    }

    @Override public void close() {
        changing.lock();
        try {
            closed = true;
            undoAll();
        } finally {
            changing.unlock();
        }
    }

    /** The same from another thread, on Ctrl-C; returns whether everything is restored. */
    boolean interrupt() {
        closed = true;
        boolean locked = false;
        try {
            locked = changing.tryLock(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            undoAll();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (locked) changing.unlock();
        }
        return locked && changes.isEmpty(); // without the lock, a change may take effect after its undo
    }
}
