package lib.test;

import org.junit.jupiter.api.Assumptions;

/** What some tests need. Without it, they are skipped. */
public final class Requirements {
    private Requirements() {}

    /** Skips the test if one of these programs is missing. */
    public static void programs(String... programs) {
        for (String program : programs)
            Assumptions.assumeTrue(Shell.run("command -v " + program).exitCode() == 0, program + " is not installed");
    }

    /** Skips the test unless root runs it. */
    public static void root() {
        Assumptions.assumeTrue(Shell.run("id -u").out().strip().equals("0"), "only root can run this test");
    }
}
