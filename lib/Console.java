package lib;

import module java.base;
import io.fabric8.kubernetes.client.KubernetesClientException;

/**
 * What the user sees. Progress goes to stderr, a line per step; results go to stdout; and everything, with the output of
 * every outside command, to a log file. On a terminal the last line tells what is running.
 */
public final class Console implements AutoCloseable {
    private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm:ss.SSS");

    private final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private final PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
    private final boolean terminal = System.console() != null && System.console().isTerminal() && !"dumb".equals(System.getenv("TERM"));
    private final boolean colour = terminal && Objects.requireNonNullElse(System.getenv("NO_COLOR"), "").isEmpty();
    private final boolean verbose;
    private final Set<Plan.Step> running = new LinkedHashSet<>();
    private final ScheduledExecutorService ticker;
    private OutputStream log = new ByteArrayOutputStream();
    private Path logFile;
    private boolean statusShown;

    /** @param verbose whether outside commands and their output are shown too */
    public Console(boolean verbose) {
        this.verbose = verbose;
        this.ticker = terminal ? Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().factory()) : null;
        if (ticker != null) ticker.scheduleAtFixedRate(this::showStatus, 200, 200, TimeUnit.MILLISECONDS);
    }

    /** From now on everything goes to this file, in place of what an earlier run left there; what was said so far too. */
    public synchronized void keepLog(Path file) {
        try {
            OutputStream kept = Files.newOutputStream(file);
            kept.write(((ByteArrayOutputStream) log).toByteArray());
            log = kept;
            logFile = file;
        } catch (IOException e) {
            throw Problem.unfit("cannot write the log file " + e.getMessage(),
                    "make its folder writable, or set XDG_STATE_HOME to one that is");
        }
    }

    /** A line of progress. */
    public void say(String text) { line(err, text); }

    /** A line of result: what a pipe gets. */
    public void result(String text) { line(out, text); }

    /** A mark and a text: ✓ went well, ‼ could be better, × failed. */
    public void good(String text) { say(paint("32", "✓") + " " + text); }

    public void warn(String text) { say(paint("33", "‼") + " " + text); }

    public void bad(String text) { say(paint("31", "×") + " " + text); }

    /** What a check found, as a result: √ holds, ‼ could be better, × does not, - was not looked at. */
    public void mark(Check.Status status, String text) {
        result(switch (status) {
            case PASSED -> paint("32", "√");
            case WARNING -> paint("33", "‼");
            case FAILED -> paint("31", "×");
            case SKIPPED -> "-";
        } + " " + text.strip().replace("\n", "\n    "));
    }

    /** A hint below a mark: what to do next. */
    public void hint(String text) { if (!text.isBlank()) say("    " + text.strip().replace("\n", "\n    ")); }

    /** Tells what went wrong: the first line with a mark, the rest and the hint below it. A stack trace only with --verbose. */
    public void problem(String where, Throwable cause) {
        String prefix = where.isEmpty() ? "" : where + ": ";
        if (cause instanceof Problem p) {
            String[] lines = p.getMessage().split("\n", 2);
            bad(prefix + lines[0]);
            if (lines.length > 1) hint(lines[1]);
            hint("→ " + p.hint());
        } else if (cause instanceof KubernetesClientException e) {
            bad(prefix + Kube.reason(e));
            hint("→ jbang Verify.java tells which layer is at fault; then run this again");
        } else {
            bad(prefix + "unexpected " + cause.getClass().getSimpleName() + ": " + Objects.toString(cause.getMessage(), "").strip());
            hint("→ this is a defect: run again with --verbose and report what it prints");
        }
        StringWriter trace = new StringWriter();
        cause.printStackTrace(new PrintWriter(trace));
        detail(trace.toString());
    }

    /** An outside command, as it could be typed, and what it printed: for the log, and for eyes with --verbose. */
    public void detail(String text) {
        if (verbose) say(paint("2", text.stripTrailing()));
        else synchronized (this) { record(text.stripTrailing()); }
    }

    synchronized void started(Plan.Step step) {
        running.add(step);
        record("… " + step.title());
    }

    synchronized void ended(Plan.Step step) {
        running.remove(step);
        String time = "  " + paint("2", "%.1fs".formatted(step.seconds()));
        switch (step.state()) {
            case DONE -> good(step.title() + time);
            case FAILED -> bad(step.title() + time);
            default -> detail("- " + step.title() + ": skipped, as what it needs failed");
        }
    }

    /** The steps that run now. */
    synchronized String running() { return String.join(", ", running.stream().map(Plan.Step::title).toList()); }

    /** Where everything is kept; empty before {@link #keepLog}. */
    public synchronized Optional<Path> logFile() { return Optional.ofNullable(logFile); }

    private synchronized void line(PrintStream stream, String text) {
        if (statusShown) err.print("\r\033[K");
        statusShown = false;
        stream.println(text);
        record(text.replaceAll("\033\\[[0-9;]*m", ""));
    }

    private void record(String text) {
        try {
            log.write((LocalTime.now().format(CLOCK) + " " + text + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            // a full disk must not stop the work: the log is a help, no result
        }
    }

    private synchronized void showStatus() {
        if (running.isEmpty()) return;
        String text = String.join(" · ", running.stream().map(s -> "%s %.0fs%s".formatted(s.title(), s.seconds(), s.seen().isEmpty() ? ""
                : " (" + s.seen() + ")")).toList());
        int width = columns() - 3;
        err.print("\r\033[K" + paint("2", "… " + (text.length() > width ? text.substring(0, width - 1) + "…" : text)));
        statusShown = true;
    }

    /** The terminal's width as the shell exports it, else 80: the JDK cannot ask. */
    private static int columns() {
        try {
            return Math.max(40, Integer.parseInt(System.getenv("COLUMNS")));
        } catch (NumberFormatException e) {
            return 80;
        }
    }

    private String paint(String code, String text) { return colour ? "\033[" + code + "m" + text + "\033[0m" : text; }

    @Override public synchronized void close() {
        if (ticker != null) ticker.shutdownNow();
        if (statusShown) err.print("\r\033[K");
        statusShown = false;
        err.flush();
    }
}
