package lib.run;

/**
 * An error for the user: what happened to which object, what to do next, and the exit code. Any other exception that
 * reaches the command line is reported as a defect.
 */
public final class Problem extends RuntimeException {
    /** Exit codes; docs/cli.md documents them. */
    public static final int FAILED = 1, USAGE = 2, UNMET = 3, INTERRUPTED = 130;

    private final String hint;
    private final int exitCode;

    private Problem(int exitCode, String message, String hint) {
        super(message);
        this.hint = hint;
        this.exitCode = exitCode;
    }

    /** A step or a check failed. */
    public static Problem failed(String message, String hint) { return new Problem(FAILED, message, hint); }

    /** An option or argument is invalid. */
    public static Problem usage(String message, String hint) { return new Problem(USAGE, message, hint); }

    /** A prerequisite is not met, such as Docker, a version or a free port. */
    public static Problem unmet(String message, String hint) { return new Problem(UNMET, message, hint); }

    /** The innermost cause. */
    public static Throwable rootCause(Throwable failure) {
        return failure.getCause() == null ? failure : rootCause(failure.getCause());
    }

    public String hint() { return hint; }

    public int exitCode() { return exitCode; }
}
