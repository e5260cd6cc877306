package lib.run;

import module java.base;

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

    /** Variables that would make a command use other files, names or clusters than its arguments say. */
    private static final Pattern UNWANTED =
            Pattern.compile("(COMPOSE|ISTIOCTL)_.*|ISTIOCONFIG|TAR_OPTIONS|DOCKER_DEFAULT_PLATFORM");

    /** Platform threads: reading from a process may block the carrier of a virtual thread. */
    private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private final Supplier<String> program;
    private final String howToInstall;
    private final Console console;

    /** @param howToInstall the hint for the user when the program is missing from PATH */
    public ExternalCommand(String program, String howToInstall, Console console) { this(() -> program, howToInstall, console); }

    /** @param program called before each run: the program may have to be downloaded first */
    public ExternalCommand(Supplier<String> program, String howToInstall, Console console) {
        this.program = program;
        this.howToInstall = howToInstall;
        this.console = console;
    }

    /** Runs the command and returns its standard output; a {@link Problem} when it fails or takes longer than {@code limit}. */
    public String run(Duration limit, String... arguments) { return feed(limit, "", arguments); }

    /** Like {@link #run}, with its output kept out of the log: it has keys or tokens, or is long. */
    public String runUnlogged(Duration limit, String... arguments) { return feedUnlogged(limit, "", arguments); }

    /** Like {@link #run}, with a text on its standard input. */
    public String feed(Duration limit, String input, String... arguments) {
        return requireSuccess(capture(limit, input, true, arguments), arguments);
    }

    public String feedUnlogged(Duration limit, String input, String... arguments) {
        return requireSuccess(capture(limit, input, false, arguments), arguments);
    }

    /** Runs the command and returns its result, whatever its exit code; a {@link Problem} when it does not start or end in time. */
    public Result attempt(Duration limit, String... arguments) { return capture(limit, "", true, arguments); }

    public Result attemptUnlogged(Duration limit, String... arguments) { return capture(limit, "", false, arguments); }

    private Result capture(Duration limit, String input, boolean logged, String... arguments) {
        try {
            var in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
            return execute(limit, in, new ByteArrayOutputStream(), logged, arguments);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // not from memory
        }
    }

    /** Runs the command with a stream as its standard input; a {@link Problem} when it fails, an IOException when the stream does. */
    public void from(Duration limit, InputStream input, String... arguments) throws IOException {
        requireSuccess(execute(limit, input, new ByteArrayOutputStream(), true, arguments), arguments);
    }

    /** Runs the command and writes its standard output to a stream; a {@link Problem} when it fails, an IOException when the stream does. */
    public void into(Duration limit, OutputStream output, String... arguments) throws IOException {
        requireSuccess(execute(limit, InputStream.nullInputStream(), output, true, arguments), arguments);
    }

    /** Runs the program twice; the second reads what the first prints. A {@link Problem} when either fails. */
    public void pipe(Duration limit, String[] from, String[] into) {
        try {
            requireSuccess(execute(limit, InputStream.nullInputStream(), new ByteArrayOutputStream(), true, from, into), from, into);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // not from memory
        }
    }

    /**
     * Runs the program once per array of arguments, connected by pipes. The exit code is the highest one.
     *
     * @param logged whether what {@code output} receives in memory is logged
     */
    private Result execute(Duration limit, InputStream input, OutputStream output, boolean logged, String[]... arguments) throws IOException {
        String command = toShell(arguments);
        long start = System.nanoTime();
        List<Process> processes = start(arguments);
        var err = new ByteArrayOutputStream();
        var failed = new CompletableFuture<Object>();
        List<CompletableFuture<?>> work = new ArrayList<>();
        work.add(transfer(failed, () -> send(input, processes.getFirst())));
        work.add(transfer(failed, () -> processes.getLast().getInputStream().transferTo(output)));
        for (Process process : processes) {
            work.add(transfer(failed, () -> process.getErrorStream().transferTo(err)));
            work.add(process.onExit());
        }
        try {
            var done = CompletableFuture.allOf(work.toArray(CompletableFuture[]::new));
            CompletableFuture.anyOf(done, failed).get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw Problem.failed("`%s` did not end within %d s; its last output:\n%s".formatted(command, limit.toSeconds(),
                    err.toString(StandardCharsets.UTF_8).strip()), "run it yourself to see where it hangs");
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: " + command, "run again");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException broken) throw broken;
            if (e.getCause() instanceof RuntimeException broken) throw broken;
            throw new IllegalStateException(e);
        } finally {
            processes.stream().filter(Process::isAlive).forEach(ExternalCommand::end);
        }
        String printed = output instanceof ByteArrayOutputStream memory ? memory.toString(StandardCharsets.UTF_8) : "";
        int exitCode = processes.stream().mapToInt(Process::exitValue).max().orElseThrow();
        var result = new Result(exitCode, printed, err.toString(StandardCharsets.UTF_8));
        console.detail("$ %s\n(exit code %d, %.1f s)\n%s%s".formatted(command, exitCode, (System.nanoTime() - start) / 1e9,
                logged ? printed : "(%d bytes, kept out of the log)\n".formatted(printed.length()), result.err));
        return result;
    }

    private List<Process> start(String[]... arguments) {
        try {
            return ProcessBuilder.startPipeline(Arrays.stream(arguments).map(this::builder).toList());
        } catch (IOException e) {
            throw cannotStart(e);
        }
    }

    private ProcessBuilder builder(String... arguments) {
        var builder = new ProcessBuilder(Stream.concat(Stream.of(program.get()), Arrays.stream(arguments)).toList());
        environment(System.getenv()).forEach((name, value) -> {
            if (value == null) builder.environment().remove(name);
            else builder.environment().put(name, value);
        });
        return builder;
    }

    private interface Transfer {
        void run() throws IOException;
    }

    private static CompletableFuture<Void> transfer(CompletableFuture<?> failed, Transfer transfer) {
        return CompletableFuture.runAsync(() -> {
            try {
                transfer.run();
            } catch (Throwable e) {
                failed.completeExceptionally(e);
            }
        }, THREADS);
    }

    /** Writes a stream to a process's standard input. A process that ends before it has read everything tells by its exit code why. */
    private static void send(InputStream input, Process process) throws IOException {
        byte[] buffer = new byte[1 << 16];
        OutputStream stdin = process.getOutputStream();
        for (int n; (n = input.read(buffer)) >= 0;) {
            try {
                stdin.write(buffer, 0, n);
                stdin.flush();
            } catch (IOException e) {
                return;
            }
        }
        stdin.close();
    }

    private static void end(Process process) {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
    }

    /**
     * Why a program did not start. execvp(3) fails in the same way for a program that is not on PATH and for a script whose interpreter
     * is missing, so this looks for the file.
     */
    private Problem cannotStart(IOException failure) {
        String command = program.get(), reason = reason(failure);
        boolean isPath = command.contains("/");
        Stream<String> places = isPath ? Stream.of(command)
                : Arrays.stream(Objects.requireNonNullElse(System.getenv("PATH"), "").split(":")).map(folder -> folder + "/" + command);
        Optional<String> file = places.filter(place -> new File(place).isFile()).findFirst();
        if (file.isEmpty() && reason.equals("No such file or directory"))
            return Problem.unmet(command + (isPath ? " does not exist" : " was not found on PATH"), howToInstall);
        String found = file.orElse(command);
        return Problem.unmet("%s cannot be run: %s".formatted(found, reason), "ls -l %s; or %s".formatted(DemoCommands.quoted(found),
                howToInstall));
    }

    /** The operating system's message, without what the JDK writes around it. */
    private static String reason(IOException failure) {
        String all = String.valueOf(Problem.rootCause(failure).getMessage()).strip();
        Matcher system = Pattern.compile("error[:=] ?\\d+,? \\(?([^)]+)").matcher(all);
        return system.find() ? system.group(1) : all;
    }

    /**
     * How the environment of commands differs from this program's. Every command uses Docker, its own platform, the demo's network and
     * Istio's namespace, whatever is exported or set in ~/.istioctl/config.yaml, which variables override.
     *
     * @param own this program's environment
     * @return the variables to set; those with the value null are removed
     */
    public static Map<String, String> environment(Map<String, String> own) {
        Map<String, String> changes = new HashMap<>();
        own.keySet().stream().filter(UNWANTED.asMatchPredicate()).forEach(name -> changes.put(name, null));
        if (own.getOrDefault("KIND_EXPERIMENTAL_DOCKER_NETWORK", "").isBlank()) changes.put("KIND_EXPERIMENTAL_DOCKER_NETWORK", null);
        changes.putAll(Map.of("KIND_EXPERIMENTAL_PROVIDER", "docker", "DOCKER_CLI_HINTS", "false",
                "ISTIOCTL_ISTIONAMESPACE", "istio-system", "ISTIOCTL_XDS_ADDRESS", "",
                "ISTIOCTL_CERT_DIR", "", "ISTIOCTL_PREFER_EXPERIMENTAL", "false"));
        return changes;
    }

    private String requireSuccess(Result result, String[]... arguments) {
        if (result.ok()) return result.out;
        // Ctrl-C ends the commands too, maybe first: the message about it is printed before the JVM ends
        if (result.exitCode == Problem.INTERRUPTED || result.exitCode == TERMINATED) LockSupport.parkNanos(Duration.ofSeconds(3).toNanos());
        throw Problem.failed("`%s` ended with exit code %d:\n%s".formatted(toShell(arguments), result.exitCode, result.lastLines()),
                console.logFile().map(log -> "see the full log: " + log).orElse("run it yourself to see more"));
    }

    /** Ends every command that this program runs, and those that they started: when it is interrupted. */
    public static void endAll() {
        List<ProcessHandle> children = ProcessHandle.current().descendants().toList();
        children.forEach(ProcessHandle::destroy);
        var ended = CompletableFuture.allOf(children.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new));
        ended.completeOnTimeout(null, 1500, TimeUnit.MILLISECONDS).join();
        children.forEach(ProcessHandle::destroyForcibly);
    }

    private String toShell(String[]... arguments) {
        return Arrays.stream(arguments).map(words -> Stream.concat(Stream.of(program.get()), Arrays.stream(words).map(DemoCommands::quoted))
                .collect(Collectors.joining(" "))).collect(Collectors.joining(" | "));
    }

    /** A shell's here document: nothing in the text is expanded. Its last line is {@code end}, made longer if the text has that line. */
    public static String hereDocument(String end, String text) {
        String last = end;
        while (text.lines().anyMatch(last::equals)) last += "_";
        return "<<'%s'\n%s\n%1$s".formatted(last, text.stripTrailing());
    }
}
