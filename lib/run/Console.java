package lib.run;

import module java.base;

/**
 * What the user sees. Progress goes to stderr, a line per step; results go to stdout; and everything, with the output of
 * every outside command, to a log file. On a terminal the last lines tell what is running, a line for each step, written over
 * and over; elsewhere (a pipe, a file, CI, a dumb terminal) nothing is ever written over.
 */
public final class Console implements AutoCloseable {
    private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm:ss.SSS");

    private final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private final PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
    private final boolean terminal = System.console() != null && System.console().isTerminal() && !"dumb".equals(System.getenv("TERM"))
            && Objects.requireNonNullElse(System.getenv("CI"), "").isEmpty() && size().isPresent();
    /** https://no-color.org */
    private final boolean colour = terminal && Objects.requireNonNullElse(System.getenv("NO_COLOR"), "").isEmpty();
    private final boolean verbose;
    private final DemoCommands commands;
    private final UnaryOperator<Throwable> explain;
    private final Set<Step> running = new LinkedHashSet<>();
    private final ScheduledExecutorService ticker;
    private OutputStream log = new ByteArrayOutputStream();
    private Path logFile;
    private Size size = new Size(24, 80);
    private final AtomicBoolean resized = new AtomicBoolean(true);
    /** What was printed last, for a terminal that must be written anew. */
    private final List<String> recent = new LinkedList<>();
    /** The status lines as they are on the screen now. */
    private List<String> shown = List.of();

    /** The console of the default demo. */
    public Console(boolean verbose) { this(verbose, new DemoCommands("", ""), UnaryOperator.identity()); }

    /**
     * @param verbose  whether outside commands and their output are shown too
     * @param commands our commands for this demo
     * @param explain  turns a library's failure into a {@link Problem}; returns others as they are
     */
    public Console(boolean verbose, DemoCommands commands, UnaryOperator<Throwable> explain) {
        this.verbose = verbose;
        this.commands = commands;
        this.explain = explain;
        this.ticker = terminal ? Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().factory()) : null;
        if (ticker == null) return;
        ticker.scheduleWithFixedDelay(() -> {
            if (resized.getAndSet(false)) size().ifPresent(this::resized);
            showStatus();
        }, 0, 400, TimeUnit.MILLISECONDS);
        whenResized(() -> resized.set(true));
    }

    /**
     * Calls back on SIGWINCH, which a terminal of another size sends. sun.misc.Signal is in every JDK, yet javac warns of its use;
     * a JVM that does not offer the signal keeps the first size.
     */
    private static void whenResized(Runnable told) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal"), handler = Class.forName("sun.misc.SignalHandler");
            Object tells = java.lang.reflect.Proxy.newProxyInstance(Console.class.getClassLoader(), new Class<?>[] {handler}, (_, _, _) -> {
                told.run();
                return null;
            });
            signal.getMethod("handle", signal, handler).invoke(null, signal.getConstructor(String.class).newInstance("WINCH"), tells);
        } catch (ReflectiveOperationException | RuntimeException e) {
            // no such signal here
        }
    }

    /** Our commands, for hints: of this demo and no other. */
    public DemoCommands commands() { return commands; }

    /** From now on everything goes to this file, in place of what an earlier run left there; what was said so far too. */
    public synchronized void keepLog(Path file) {
        try {
            OutputStream kept = Files.newOutputStream(file);
            kept.write(((ByteArrayOutputStream) log).toByteArray());
            log = kept;
            logFile = file;
        } catch (IOException e) {
            throw Problem.unmet("cannot write the log file " + e.getMessage(),
                    "make its folder writable, or set XDG_STATE_HOME to one that is");
        }
    }

    /** A line of progress. */
    public void info(String text) { line(err, text); }

    /** A line of result: what a pipe gets. */
    public void result(String text) { line(out, text); }

    /** A mark and a text: ✓ went well, ‼ could be better, × failed. */
    public void success(String text) { info(paint("32", "✓") + " " + text); }

    public void warn(String text) { info(paint("33", "‼") + " " + text); }

    public void error(String text) { info(paint("31", "×") + " " + text); }

    /** What a check found, as a result: √ holds, ‼ could be better, × does not, - was not looked at. */
    public void status(Status status, String text) {
        result(switch (status) {
            case PASSED -> paint("32", "√");
            case WARNING -> paint("33", "‼");
            case FAILED -> paint("31", "×");
            case SKIPPED -> "-";
        } + " " + text.strip().replace("\n", "\n    "));
    }

    /** A hint below a mark: what to do next. */
    public void hint(String text) { if (!text.isBlank()) info("    " + text.strip().replace("\n", "\n    ")); }

    /** Tells what went wrong: the first line with a mark, the rest and the hint below it. A stack trace only with --verbose. */
    public void problem(String where, Throwable failure) {
        Throwable cause = explain.apply(failure);
        String prefix = where.isEmpty() ? "" : where + ": ";
        if (cause instanceof Problem p) {
            String[] lines = p.getMessage().split("\n", 2);
            error(prefix + lines[0]);
            if (lines.length > 1) hint(lines[1]);
            hint("→ " + p.hint());
        } else {
            error(prefix + "unexpected " + cause.getClass().getSimpleName() + ": " + Objects.toString(cause.getMessage(), "").strip());
            hint("→ this is a defect: run again with --verbose and report what it prints");
        }
        StringWriter trace = new StringWriter();
        cause.printStackTrace(new PrintWriter(trace));
        detail(trace.toString());
    }

    /** An outside command, as it could be typed, and what it printed: for the log, and for eyes with --verbose. */
    public void detail(String text) {
        if (verbose) info(paint("2", text.stripTrailing()));
        else synchronized (this) { record(text.stripTrailing()); }
    }

    synchronized void started(Step step) {
        running.add(step);
        record("… " + step.title());
    }

    synchronized void ended(Step step) {
        running.remove(step);
        String time = "  " + paint("2", "%.1fs".formatted(step.seconds()));
        switch (step.state()) {
            case DONE -> success(step.title() + time);
            case FAILED -> error(step.title() + time);
            default -> detail("- " + step.title() + ": skipped, as what it needs failed");
        }
    }

    /** The steps that run now. */
    public synchronized String running() { return String.join(", ", running.stream().map(Step::title).toList()); }

    /** Where everything is kept; empty before {@link #keepLog}, and when it was removed with the demo's files. */
    public synchronized Optional<Path> logFile() { return Optional.ofNullable(logFile).filter(Files::exists); }

    private synchronized void line(PrintStream stream, String text) {
        show(List.of());
        stream.println(text);
        text.lines().forEach(recent::add);
        while (recent.size() > 200) recent.removeFirst();
        record(withoutColour(text));
        if (stream == err) showStatus();
    }

    private static String withoutColour(String text) { return text.replaceAll("\033\\[[0-9;]*m", ""); }

    private void record(String text) {
        try {
            log.write((LocalTime.now().format(CLOCK) + " " + text + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            // a full disk must not stop the work: the log is a help, no result
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
            String text = "… %-" + widest + "s %4.0fs  %s";
            lines.add(text.formatted(step.title(), step.seconds(), step.progress().lines().findFirst().orElse("")).stripTrailing());
        }
        show(lines.stream().map(text -> text.length() < size.columns ? text : text.substring(0, size.columns - 2) + "…").toList());
    }

    /** Puts these lines where the status lines are, at the end of the screen; the cursor stays behind the last one. */
    private void show(List<String> lines) {
        if (lines.equals(shown)) return;
        StringBuilder text = new StringBuilder("\r");
        if (shown.size() > 1) text.append("\033[%dA".formatted(shown.size() - 1));
        for (int i = 0; i < lines.size(); i++) text.append(i == 0 ? "" : "\n").append(paint("2", lines.get(i))).append("\033[K");
        err.print(text.append("\033[J"));
        err.flush();
        shown = lines;
    }

    /** A terminal that gets another width breaks and joins lines in its own way: nothing can be written over, so all is written again. */
    private synchronized void resized(Size now) {
        if (now.equals(size)) return;
        size = now;
        if (shown.isEmpty()) return;
        int free = size.rows - shown.size();
        Deque<String> fitting = new ArrayDeque<>();
        for (String line : recent.reversed()) {
            free -= Math.max(1, Math.ceilDiv(withoutColour(line).length(), size.columns));
            if (free < 0) break;
            fitting.push(line);
        }
        err.print("\033[H\033[2J");
        fitting.forEach(err::println);
        shown = List.of();
        showStatus();
    }

    /** A terminal's rows and columns. */
    private record Size(int rows, int columns) {}

    /** The size of the terminal that stderr is, which the JDK cannot ask; empty when it is none. */
    private static Optional<Size> size() {
        try {
            // stty looks at its standard input
            Process stty = new ProcessBuilder("sh", "-c", "exec stty size <&2 2> /dev/null")
                    .redirectError(ProcessBuilder.Redirect.INHERIT).start();
            boolean ended = stty.waitFor(1, TimeUnit.SECONDS);
            if (!ended) stty.destroyForcibly();
            if (!ended || stty.exitValue() != 0) return Optional.empty();
            String[] output = new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip().split(" ");
            // a terminal that does not know its size says 0
            int rows = Integer.parseInt(output[0]), columns = Integer.parseInt(output[1]);
            return Optional.of(new Size(rows > 0 ? rows : 24, columns > 0 ? Math.max(20, columns) : 80));
        } catch (IOException | NumberFormatException | ArrayIndexOutOfBoundsException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private String paint(String code, String text) { return colour ? "\033[" + code + "m" + text + "\033[0m" : text; }

    @Override public synchronized void close() {
        if (ticker != null) ticker.shutdownNow();
        show(List.of());
    }
}
