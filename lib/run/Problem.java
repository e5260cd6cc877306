package lib.run;

/**
 * What went wrong, in words for the user: the thing and the state it was in, what to type next, and the exit code.
 * Nothing else is thrown on purpose; anything else that arrives at the top is a defect and says so.
 */
public final class Problem extends RuntimeException {
    /** Exit codes, as README documents them. */
    public static final int FAILED = 1, USAGE = 2, UNMET = 3, INTERRUPTED = 130;

    private final String hint;
    private final int exitCode;

    private Problem(int exitCode, String message, String hint) {
        super(message);
        this.hint = hint;
        this.exitCode = exitCode;
    }

    /** A step, or a check, did not reach what it is for. */
    public static Problem failed(String message, String hint) { return new Problem(FAILED, message, hint); }

    /** The call cannot be meant as it stands: an option's value, a file that is not there. */
    public static Problem usage(String message, String hint) { return new Problem(USAGE, message, hint); }

    /** This machine, or what is on it, is not fit: no engine, a tool too old, a port taken. */
    public static Problem unmet(String message, String hint) { return new Problem(UNMET, message, hint); }

    /** The failure that all others wrap. */
    public static Throwable rootCause(Throwable failure) { return failure.getCause() == null ? failure : rootCause(failure.getCause()); }

    public String hint() { return hint; }

    public int exitCode() { return exitCode; }
}
