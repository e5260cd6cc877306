package lib.run;

import module java.base;
import org.zeroturnaround.exec.ProcessExecutor;
import org.zeroturnaround.exec.StartedProcess;

/** An external command: started without a shell, with a time limit, its output logged and shown when it fails. */
public final class ExternalCommand {
    /** What a command printed and how it ended. */
    public record Result(int exitCode, String out, String err) {
        public boolean ok() { return exitCode == 0; }

        /** The last lines that it printed, for an error message. */
        public String lastLines() {
            List<String> lines = (err.isBlank() ? out : err).strip().lines().toList();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 12), lines.size()));
        }
    }

    /** The exit code of a command that SIGTERM ended. */
    private static final int TERMINATED = 143;

    private final Supplier<String> program;
    private final String howToInstall;
    private final Console console;

    /** @param howToInstall the hint for the user when the program is missing from PATH */
    public ExternalCommand(String program, String howToInstall, Console console) {
        this(() -> program, howToInstall, console);
    }

    /** @param program called before each run: the program may have to be downloaded first */
    public ExternalCommand(Supplier<String> program, String howToInstall, Console console) {
        this.program = program;
        this.howToInstall = howToInstall;
        this.console = console;
    }

    /** Returns what the command prints on stdout; a {@link Problem} when it fails or does not end in time. */
    public String run(Duration limit, String... arguments) { return feed(limit, "", arguments); }

    /** Like {@link #run}, for output that has keys or tokens or is long: the log gets only stderr. */
    public String runUnlogged(Duration limit, String... arguments) { return feedUnlogged(limit, "", arguments); }

    /** Like {@link #run}, with a text on its standard input. */
    public String feed(Duration limit, String input, String... arguments) {
        return requireSuccess(capture(limit, input, true, arguments), arguments);
    }

    public String feedUnlogged(Duration limit, String input, String... arguments) {
        return requireSuccess(capture(limit, input, false, arguments), arguments);
    }

    /** Returns the result, whatever the exit code; a {@link Problem} when the command does not start or end in time. */
    public Result attempt(Duration limit, String... arguments) { return capture(limit, "", true, arguments); }

    public Result attemptUnlogged(Duration limit, String... arguments) { return capture(limit, "", false, arguments); }

    private Result capture(Duration limit, String input, boolean logged, String... arguments) {
        try {
            var in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
            return execute(limit, in, new ByteArrayOutputStream(), logged, arguments);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // never: both streams are in memory
        }
    }

    /** Reads its standard input from a stream; a {@link Problem} when it fails, an IOException when the stream does. */
    public void from(Duration limit, InputStream input, String... arguments) throws IOException {
        requireSuccess(execute(limit, input, new ByteArrayOutputStream(), true, arguments), arguments);
    }

    /** Writes its standard output to a stream; a {@link Problem} when it fails, an IOException when the stream does. */
    public void into(Duration limit, OutputStream output, String... arguments) throws IOException {
        requireSuccess(execute(limit, InputStream.nullInputStream(), output, true, arguments), arguments);
    }

    /** Runs the program twice; the second reads what the first prints. A {@link Problem} when either fails. */
    public void pipe(Duration limit, String[] from, String[] into) {
        // zt-exec has no pipes between processes, and hundreds of megabytes should not pass through this one
        var printed = new ByteArrayOutputStream();
        List<ProcessBuilder> both = Stream.of(from, into).map(this::words).map(CommandEnvironment::builder).toList();
        both.getLast().redirectErrorStream(true);
        var processes = start(() -> ProcessBuilder.startPipeline(both));
        await(CompletableFuture.allOf(read(processes.getFirst().getErrorStream(), printed),
                read(processes.getLast().getInputStream(), printed), processes.getFirst().onExit(),
                processes.getLast().onExit()), limit, processes, printed, from, into);
        int exitCode = processes.stream().mapToInt(Process::exitValue).max().orElseThrow();
        Result result = new Result(exitCode, "", printed.toString(StandardCharsets.UTF_8));
        console.detail("$ %s\n(exit code %d)\n%s".formatted(toShell(from, into), exitCode, result.out));
        requireSuccess(result, from, into);
    }

    /** Reads in a platform thread: reading from a process may block the carrier of a virtual thread. */
    private static CompletableFuture<Void> read(InputStream from, OutputStream printed) {
        return CompletableFuture.runAsync(() -> {
            try {
                from.transferTo(printed);
            } catch (IOException e) {
                // the process has ended
            }
        }, task -> Thread.ofPlatform().daemon().start(task));
    }

    /** Waits for the end of processes, and ends them after the time limit or an interruption. */
    private void await(Future<?> end, Duration limit, List<Process> processes, ByteArrayOutputStream printed,
            String[]... arguments) {
        try {
            end.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            String last = printed.toString(StandardCharsets.UTF_8).strip();
            throw Problem.failed("`%s` did not end within %d s; its last output:\n%s".formatted(toShell(arguments),
                    limit.toSeconds(), last), "run it yourself to see where it hangs");
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: " + toShell(arguments), "run again");
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } finally {
            processes.stream().filter(Process::isAlive).forEach(ChildProcesses::end);
        }
    }

    /** @param logged whether what {@code output} receives in memory is logged */
    private Result execute(Duration limit, InputStream input, OutputStream output, boolean logged, String... arguments)
            throws IOException {
        long start = System.nanoTime();
        var err = new ByteArrayOutputStream();
        var broken = new CompletableFuture<Throwable>();
        StartedProcess started = start(() ->
                new ProcessExecutor(words(arguments)).environment(CommandEnvironment.changes(System.getenv()))
                        .redirectInput(reporting(input, broken)).redirectOutput(reporting(output, broken))
                        .redirectError(err).start());
        Process process = started.getProcess();
        broken.thenRun(() -> ChildProcesses.end(process));
        await(started.getFuture(), limit, List.of(process), err, arguments);
        switch (broken.getNow(null)) {
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case null, default -> {}
        }
        String printed = output instanceof ByteArrayOutputStream o ? o.toString(StandardCharsets.UTF_8) : "";
        var result = new Result(process.exitValue(), printed, err.toString(StandardCharsets.UTF_8));
        String shown = logged ? printed : "(%d bytes, kept out of the log)\n".formatted(printed.length());
        console.detail("$ %s\n(exit code %d, %.1f s)\n%s%s".formatted(toShell(arguments), result.exitCode,
                (System.nanoTime() - start) / 1e9, shown, result.err));
        return result;
    }

    private <T> T start(ChildProcesses.Start<T> start) {
        try {
            return ChildProcesses.start(start);
        } catch (IOException e) {
            throw cannotStart(e);
        }
    }

    /** A stream that reports its failures: zt-exec ignores them. */
    private static InputStream reporting(InputStream input, CompletableFuture<Throwable> broken) {
        return new FilterInputStream(input) {
            @Override public int read(byte[] bytes, int from, int count) throws IOException {
                try {
                    return super.read(bytes, from, count);
                } catch (IOException | RuntimeException e) {
                    broken.complete(e);
                    throw e;
                }
            }
        };
    }

    private static OutputStream reporting(OutputStream output, CompletableFuture<Throwable> broken) {
        return new FilterOutputStream(output) {
            @Override public void write(byte[] bytes, int from, int count) throws IOException {
                try {
                    out.write(bytes, from, count);
                } catch (IOException | RuntimeException e) {
                    broken.complete(e);
                    throw e;
                }
            }
        };
    }

    private List<String> words(String... arguments) {
        return Stream.concat(Stream.of(program.get()), Arrays.stream(arguments)).toList();
    }

    /**
     * Why a program did not start. execvp(3) fails in the same way when it is not on PATH and when a script's
     * interpreter is missing, so this looks for the file.
     */
    private Problem cannotStart(IOException failure) {
        String command = program.get(), message = String.valueOf(Problem.rootCause(failure).getMessage()).strip();
        Matcher system = Pattern.compile("error[:=] ?\\d+,? \\(?([^)]+)").matcher(message); // without the JDK's words
        String reason = system.find() ? system.group(1) : message;
        boolean isPath = command.contains("/");
        String folders = isPath ? "" : Objects.requireNonNullElse(System.getenv("PATH"), "");
        Optional<String> file = Arrays.stream(folders.split(":")).map(f -> isPath ? command : f + "/" + command)
                .filter(place -> new File(place).isFile()).findFirst();
        if (file.isEmpty() && reason.equals("No such file or directory"))
            return Problem.unmet(command + (isPath ? " does not exist" : " was not found on PATH"), howToInstall);
        String found = file.orElse(command);
        return Problem.unmet("%s cannot be run: %s".formatted(found, reason),
                "ls -l %s; or %s".formatted(DemoCommands.quoted(found), howToInstall));
    }

    private String requireSuccess(Result result, String[]... arguments) {
        if (result.ok()) return result.out;
        // Ctrl-C ends the commands too, maybe first: the message about it is printed before the JVM ends
        if (Set.of(Problem.INTERRUPTED, TERMINATED).contains(result.exitCode)) LockSupport.parkNanos(3_000_000_000L);
        String hint = console.logFile().map(log -> "see the full log: " + log).orElse("run it yourself to see more");
        throw Problem.failed("`%s` ended with exit code %d:\n%s".formatted(toShell(arguments), result.exitCode,
                result.lastLines()), hint);
    }

    private String toShell(String[]... arguments) {
        return Arrays.stream(arguments).map(words -> Stream.concat(Stream.of(program.get()), Arrays.stream(words)
                .map(DemoCommands::quoted)).collect(Collectors.joining(" "))).collect(Collectors.joining(" | "));
    }
}
