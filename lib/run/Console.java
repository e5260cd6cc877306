package lib.run;

import module java.base;

/**
 * What the user sees: progress on stderr, results on stdout. The log file has both, and the output of every external
 * command. On a terminal the last lines show the running steps and are rewritten in place. Elsewhere (a pipe, a file,
 * CI, a dumb terminal) nothing is rewritten.
 */
public final class Console implements AutoCloseable {
    private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm:ss.SSS");
    private static final Duration REDRAW = Duration.ofMillis(400), ASK_SIZE = Duration.ofSeconds(1);

    private final PrintStream out = stream(FileDescriptor.out), err = stream(FileDescriptor.err);
    private final boolean terminal, colour, verbose;
    private final DemoCommands commands;
    private final UnaryOperator<Throwable> explain;
    private final Set<Step> running = new LinkedHashSet<>();
    private final ScheduledExecutorService ticker =
            Executors.newScheduledThreadPool(1, Thread.ofPlatform().daemon().factory());
    private OutputStream log = new ByteArrayOutputStream();
    private Path logFile;
    private volatile Size size = new Size(24, 80);
    /** The last lines that were printed, to print them again when the terminal's size changes. */
    private final Deque<String> recent = new ArrayDeque<>();
    /** The status lines on the screen. */
    private List<String> shown = List.of();

    /** The console of the default demo. */
    public Console(boolean verbose) { this(verbose, new DemoCommands("", ""), UnaryOperator.identity()); }

    /**
     * @param verbose  whether external commands and their output are shown too
     * @param commands the demo's commands, for hints
     * @param explain  turns an exception of a library into a {@link Problem}; returns others as they are
     */
    public Console(boolean verbose, DemoCommands commands, UnaryOperator<Throwable> explain) {
        this.verbose = verbose;
        this.commands = commands;
        this.explain = explain;
        terminal = System.console() != null && System.console().isTerminal() && !variable("TERM").equals("dumb")
                && variable("CI").isEmpty() && askSize();
        colour = terminal && variable("NO_COLOR").isEmpty(); // https://no-color.org
        if (!terminal) return;
        ticker.scheduleWithFixedDelay(this::showStatus, 0, REDRAW.toMillis(), TimeUnit.MILLISECONDS);
        ticker.scheduleWithFixedDelay(this::followSize, 0, ASK_SIZE.toMillis(), TimeUnit.MILLISECONDS);
    }

    private static PrintStream stream(FileDescriptor file) {
        return new PrintStream(new FileOutputStream(file), true, StandardCharsets.UTF_8);
    }

    private static String variable(String name) { return Objects.requireNonNullElse(System.getenv(name), ""); }

    public DemoCommands commands() { return commands; }

    /** Writes the log to this file and replaces its content; what was logged so far is kept. */
    public synchronized void keepLog(Path file) {
        try {
            OutputStream kept = Files.newOutputStream(file);
            kept.write(((ByteArrayOutputStream) log).toByteArray());
            log = kept;
            logFile = file;
        } catch (IOException e) {
            throw Problem.unmet("cannot write the log file " + e.getMessage(),
                    "make its folder writable, or set XDG_STATE_HOME to another folder");
        }
    }

    /** The log file; empty before {@link #keepLog}, and after it was removed with the demo's files. */
    public synchronized Optional<Path> logFile() { return Optional.ofNullable(logFile).filter(Files::exists); }

    /** Prints progress. */
    public void info(String text) { print(err, text); }

    /** Prints a result: what a pipe receives. */
    public void result(String text) { print(out, text); }

    /** Prints the result of a check or an experiment. */
    public void status(Status status, String text) { result(symbol(status) + " " + indented(text)); }

    public void warn(String text) { info(symbol(Status.WARNING) + " " + text); }

    public void error(String text) { info(symbol(Status.FAILED) + " " + text); }

    /** Prints what to do next, indented. */
    public void hint(String text) { if (!text.isBlank()) info("    " + indented(text)); }

    private static String indented(String text) { return text.strip().replace("\n", "\n    "); }

    private String symbol(Status status) {
        return switch (status) {
            case PASSED -> paint("32", "✓");
            case WARNING -> paint("33", "‼");
            case FAILED -> paint("31", "×");
            case SKIPPED -> "-";
        };
    }

    /** Prints a failure and its hint. The stack trace goes to the log. */
    public void problem(String where, Throwable failure) {
        Throwable cause = explain.apply(failure);
        String prefix = where.isEmpty() ? "" : where + ": ";
        if (cause instanceof Problem p) {
            String[] lines = p.getMessage().split("\n", 2);
            error(prefix + lines[0]);
            if (lines.length > 1) hint(lines[1]);
            hint("→ " + p.hint());
        } else {
            error(prefix + "unexpected " + cause.getClass().getSimpleName() + ": "
                    + Objects.toString(cause.getMessage(), "").strip());
            hint("→ this is a defect: run again with --verbose and report the output");
        }
        StringWriter trace = new StringWriter();
        cause.printStackTrace(new PrintWriter(trace));
        detail(trace.toString());
    }

    /** Logs a text, such as an external command with its output; prints it with --verbose. */
    public void detail(String text) {
        if (verbose) info(paint("2", text.stripTrailing()));
        else record(text.stripTrailing());
    }

    synchronized void started(Step step) {
        running.add(step);
        record("… " + step.title());
    }

    synchronized void ended(Step step) {
        running.remove(step);
        String text = step.title() + "  " + paint("2", "%.1fs".formatted(step.seconds()));
        switch (step.state()) {
            case DONE -> info(symbol(Status.PASSED) + " " + text);
            case FAILED -> error(text);
            default -> detail("- " + step.title() + ": skipped, because a step that it needs failed");
        }
    }

    /** The titles of the running steps. */
    public synchronized String running() { return String.join(", ", running.stream().map(Step::title).toList()); }

    private synchronized void print(PrintStream stream, String text) {
        show(List.of());
        stream.println(text);
        text.lines().forEach(recent::add);
        while (recent.size() > 200) recent.removeFirst();
        record(text.replaceAll("\033\\[[0-9;]*m", ""));
        if (stream == err) showStatus();
    }

    private synchronized void record(String text) {
        try {
            log.write((LocalTime.now().format(CLOCK) + " " + text + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            // a full disk must not stop the work
        }
    }

    private synchronized void showStatus() {
        if (!terminal || running.isEmpty()) return;
        int most = Math.max(1, Math.min(size.rows / 2, running.size()));
        int widest = running.stream().mapToInt(s -> s.title().length()).max().orElse(0);
        List<String> lines = new ArrayList<>();
        for (Step step : running) {
            if (lines.size() == most - 1 && running.size() > most) {
                lines.add("… %d more".formatted(running.size() - lines.size()));
                break;
            }
            String line = ("… %-" + widest + "s %4.0fs  %s").formatted(step.title(), step.seconds(),
                    step.progress().lines().findFirst().orElse("")).stripTrailing();
            lines.add(line.length() < size.columns ? line : line.substring(0, size.columns - 2) + "…");
        }
        show(lines);
    }

    /** Replaces the status lines at the end of the screen; the cursor stays behind the last one. */
    private void show(List<String> lines) {
        if (lines.equals(shown)) return;
        StringBuilder text = new StringBuilder("\r");
        if (shown.size() > 1) text.append("\033[%dA".formatted(shown.size() - 1));
        text.append(String.join("\n", lines.stream().map(line -> paint("2", line) + "\033[K").toList()));
        err.print(text.append("\033[J"));
        err.flush();
        shown = lines;
    }

    /**
     * Redraws the screen after a change of the size: each terminal breaks long lines in its own way, so none can be
     * rewritten.
     */
    private void followSize() {
        Size before = size;
        if (running().isEmpty() || !askSize() || size.equals(before)) return;
        synchronized (this) {
            err.print("\033[H\033[2J");
            recent.stream().skip(Math.max(0, recent.size() + shown.size() - size.rows)).forEach(err::println);
            shown = List.of();
            showStatus();
        }
    }

    /** A terminal's rows and columns. */
    private record Size(int rows, int columns) {}

    /**
     * Sets the size to that of stderr's terminal, which the JDK cannot ask; returns false when stderr is not a
     * terminal.
     */
    private boolean askSize() {
        try {
            // stty asks its standard input
            Process stty = new ProcessBuilder("sh", "-c", "exec stty size <&2 2> /dev/null")
                    .redirectError(ProcessBuilder.Redirect.INHERIT).start();
            if (!stty.waitFor(1, TimeUnit.SECONDS)) {
                stty.destroyForcibly();
                return false;
            }
            String[] words = new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip()
                    .split(" ");
            // a terminal that does not know its size reports 0
            int rows = Integer.parseInt(words[0]), columns = Integer.parseInt(words[1]);
            size = new Size(rows > 0 ? rows : 24, columns > 0 ? Math.max(20, columns) : 80);
            return true;
        } catch (IOException | NumberFormatException | ArrayIndexOutOfBoundsException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private String paint(String code, String text) { return colour ? "\033[" + code + "m" + text + "\033[0m" : text; }

    @Override public synchronized void close() {
        ticker.shutdownNow();
        show(List.of());
    }
}
