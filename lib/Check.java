package lib;

import module java.base;

/**
 * One thing that must hold in a working mesh, in one place.
 *
 * @param id    stable: machines know the check by it, and README has an anchor of that name
 * @param where the cluster's name, or empty for the mesh as a whole
 * @param fatal whether the mesh cannot work without it; else it is a warning
 * @param probe looks once; returns what it saw, or throws a {@link Problem} that says what is wrong and what to type
 */
public record Check(String id, String where, boolean fatal, Probe probe) {
    public interface Probe {
        String look() throws Exception;
    }

    /** How a check ended. */
    public enum Status { PASSED, WARNING, FAILED, SKIPPED }

    /**
     * What a check found.
     *
     * @param saw     what it saw, or what is wrong
     * @param hint    what to type next; empty when all is well
     * @param seconds how long it looked
     */
    public record Finding(String layer, String id, String where, Status status, String saw, String hint, double seconds) {
        public String title() { return where.isEmpty() ? id : where + ": " + id; }
    }

    /** Looks until what must hold does, or the time is over: a mesh needs some seconds to converge. */
    Finding find(String layer, Duration limit) {
        long start = System.nanoTime(), end = start + limit.toNanos();
        while (true) {
            try {
                return finding(layer, Status.PASSED, probe.look(), "", start);
            } catch (Exception e) {
                if (System.nanoTime() > end || !fatal) return finding(layer, fatal ? Status.FAILED : Status.WARNING, message(e),
                        e instanceof Problem p ? p.hint() : "run again with --verbose", start);
                LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
            }
        }
    }

    Finding skipped(String layer) { return new Finding(layer, id, where, Status.SKIPPED, "it stands on a layer that failed", "", 0); }

    private Finding finding(String layer, Status status, String saw, String hint, long start) {
        return new Finding(layer, id, where, status, saw, hint, (System.nanoTime() - start) / 1e9);
    }

    private static String message(Exception e) {
        Throwable root = e;
        while (root.getCause() != null) root = root.getCause();
        return e instanceof Problem ? e.getMessage() : root.getClass().getSimpleName() + ": " + root.getMessage();
    }
}
