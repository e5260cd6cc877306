package lib;

import module java.base;

/**
 * One thing that must hold in a working mesh.
 *
 * @param id    stable, for machines and for README's anchors
 * @param where the cluster's name, or empty for the mesh as a whole
 * @param probe looks once; returns what it saw, or throws a {@link Problem} that says what is wrong
 */
public record Check(String id, String where, Probe probe) {
    public interface Probe {
        String look() throws Exception;
    }

    /** Looks until what must hold does, or the time is over; tells the console the result. */
    boolean passes(Console console, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                String saw = probe.look();
                console.pass(title() + ": " + saw);
                return true;
            } catch (Exception e) {
                if (System.nanoTime() < end) {
                    LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
                    continue;
                }
                console.problem(id, e);
                return false;
            }
        }
    }

    public String title() { return where.isEmpty() ? id : where + ": " + id; }
}
