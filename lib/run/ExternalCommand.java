package lib.run;

import module java.base;
import org.zeroturnaround.exec.ProcessExecutor;
import org.zeroturnaround.exec.ProcessResult;
import org.zeroturnaround.exec.listener.ProcessListener;

/**
 * An outside command: no shell in between, a time limit, its output kept and shown when it fails, its children ended with us.
 */
public final class ExternalCommand {
    /** What a command printed and how it ended. */
    public record Result(int exitCode, String out, String err) {
        public boolean ok() { return exitCode == 0; }

        /** The last lines of what it said, for an error message. */
        public String lastLines() {
            List<String> lines = (err.isBlank() ? out : err).strip().lines().toList();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 12), lines.size()));
        }
    }

    /** The exit code of a command that SIGTERM ended. */
    private static final int TERMINATED = 143;

    /** Variables that would make a command use other files, names or clusters than those it is given. */
    private static final Pattern UNWANTED =
            Pattern.compile("(COMPOSE|ISTIOCTL)_.*|ISTIOCONFIG|TAR_OPTIONS|DOCKER_DEFAULT_PLATFORM");

    private final Supplier<String> program;
    private final String howToInstall;
    private final Console console;

    /**
     * @param command      the program, looked up on PATH
     * @param howToInstall what to type when it is missing
     */
    public ExternalCommand(String command, String howToInstall, Console console) { this(() -> command, howToInstall, console); }

    /** @param program what to run, asked for at the first run: it may have to be downloaded */
    public ExternalCommand(Supplier<String> program, String howToInstall, Console console) {
        this.program = program;
        this.howToInstall = howToInstall;
        this.console = console;
    }

    /** Runs to the end; a {@link Problem} with the last lines of its output when it fails or takes longer than {@code limit}. */
    public String run(Duration limit, String... arguments) { return expectGood(attempt(limit, arguments), arguments); }

    /** The same for what must not be logged (keys, tokens) or need not be (a manifest of 25,000 lines). */
    public String runUnlogged(Duration limit, String... arguments) { return expectGood(attemptUnlogged(limit, arguments), arguments); }

    /** The same with text on its standard input. */
    public String feed(Duration limit, String input, String... arguments) {
        return expectGood(execute(limit, input, false, arguments), arguments);
    }

    public String feedUnlogged(Duration limit, String input, String... arguments) {
        return expectGood(execute(limit, input, true, arguments), arguments);
    }

    /** Runs to the end and leaves the judgement to the caller; a {@link Problem} only when it cannot start or takes too long. */
    public Result attempt(Duration limit, String... arguments) { return execute(limit, "", false, arguments); }

    public Result attemptUnlogged(Duration limit, String... arguments) { return execute(limit, "", true, arguments); }

    private Result execute(Duration limit, String input, boolean unlogged, String... arguments) {
        String command = program.get(), typed = typed(arguments);
        var err = new ByteArrayOutputStream();
        long start = System.nanoTime();
        var running = new AtomicBoolean();
        try {
            var executor = new ProcessExecutor().command(Stream.concat(Stream.of(command), Arrays.stream(arguments)).toList())
                    .environment(environment(System.getenv())).redirectErrorStream(false).redirectError(err).readOutput(true)
                    .timeout(limit.toMillis(), TimeUnit.MILLISECONDS).addListener(new ProcessListener() {
                        @Override public void afterStart(Process process, ProcessExecutor executor) { running.set(true); }
                    });
            if (!input.isEmpty()) executor.redirectInput(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
            ProcessResult ended = executor.execute();
            var result = new Result(ended.getExitValue(), ended.outputUTF8(), err.toString(StandardCharsets.UTF_8));
            console.detail("$ %s\n(exit code %d, %.1f s)\n%s%s".formatted(typed, result.exitCode, (System.nanoTime() - start) / 1e9,
                    unlogged ? "(%d bytes, kept out of the log)\n".formatted(result.out.length()) : result.out, result.err));
            return result;
        } catch (TimeoutException e) {
            throw Problem.failed("`%s` did not end within %d s; it last said:\n%s".formatted(typed, limit.toSeconds(),
                    err.toString(StandardCharsets.UTF_8).strip()), "run it by hand to see where it hangs");
        } catch (IOException e) {
            if (!running.get()) throw cannotStart(command, e);
            throw Problem.failed("`%s`: its input or output broke off: %s".formatted(typed, words(e)), howToGoOn());
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: " + typed, "run again");
        }
    }

    /**
     * Why a program did not start. execvp(3) reports the same error for a program that is nowhere on PATH and for a script whose
     * interpreter is missing, so the files are looked at.
     */
    private Problem cannotStart(String command, IOException failure) {
        Stream<String> places = command.contains("/") ? Stream.of("")
                : Arrays.stream(Objects.requireNonNullElse(System.getenv("PATH"), "").split(File.pathSeparator)).map(folder -> folder + "/");
        List<String> files = places.map(place -> place + command).filter(file -> new File(file).isFile()).toList();
        if (files.isEmpty() && words(failure).equals("No such file or directory"))
            return Problem.unmet(command + (command.contains("/") ? " does not exist" : " was not found on PATH"), howToInstall);
        String file = files.isEmpty() ? command : files.getFirst();
        return Problem.unmet("%s cannot be run: %s".formatted(file, words(failure)), "ls -l %s; or %s".formatted(DemoCommands.quoted(file), howToInstall));
    }

    /** The system's own words for a failure, without the JDK's around them. */
    private static String words(IOException failure) {
        String all = String.valueOf(Problem.rootCause(failure).getMessage()).strip();
        Matcher own = Pattern.compile("error[:=] ?\\d+,? \\(?([^)]+)").matcher(all);
        return own.find() ? own.group(1) : all;
    }

    /** Runs the command twice, what the first prints being the input of the second; a {@link Problem} when either fails. */
    public void pipe(Duration limit, String[] from, String[] into) {
        String command = program.get(), typed = typed(from) + " | " + typed(into);
        List<Process> both = List.of();
        try {
            Path output = Files.createTempFile("pipe", ".txt");
            try {
                var sides = Stream.of(from, into).map(words -> builder(command, words)
                        .redirectError(ProcessBuilder.Redirect.appendTo(output.toFile()))).toList();
                sides.getLast().redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()));
                try {
                    both = ProcessBuilder.startPipeline(sides);
                } catch (IOException e) {
                    throw cannotStart(command, e);
                }
                boolean ended = both.getLast().waitFor(limit.toMillis(), TimeUnit.MILLISECONDS) && both.getFirst()
                        .waitFor(10, TimeUnit.SECONDS);
                console.detail("$ %s\n%s".formatted(typed, Files.readString(output)));
                if (ended) both.forEach(p -> pauseWhenInterrupted(p.exitValue()));
                if (!ended || both.stream().anyMatch(p -> p.exitValue() != 0))
                    throw Problem.failed("`%s` %s:\n%s".formatted(typed, ended ? "failed"
                            : "did not end within %d s".formatted(limit.toSeconds()), new Result(1, Files.readString(output), "")
                            .lastLines()), howToGoOn());
            } finally {
                both.forEach(Process::destroy);
                Files.delete(output);
            }
        } catch (IOException e) {
            throw Problem.failed("`%s`: its input or output broke off: %s".formatted(typed, words(e)), howToGoOn());
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: " + typed, "run again");
        }
    }

    /** Runs to the end on what a stream brings; a {@link Problem} when it fails, an IOException when the stream does. */
    public void from(Duration limit, InputStream input, String... arguments) throws IOException {
        transfer(limit, true, process -> {
            try (OutputStream stdin = process.getOutputStream()) {
                input.transferTo(stdin);
            }
        }, arguments);
    }

    /** Runs to the end and writes what it prints into a stream; a {@link Problem} when it fails, an IOException when the stream does. */
    public void into(Duration limit, OutputStream output, String... arguments) throws IOException {
        transfer(limit, false, process -> process.getInputStream().transferTo(output), arguments);
    }

    private interface Transfer {
        void of(Process process) throws IOException;
    }

    private void transfer(Duration limit, boolean in, Transfer transfer, String... arguments) throws IOException {
        String command = program.get(), typed = typed(arguments);
        Path output = Files.createTempFile("said", ".txt");
        Process process = null;
        try {
            var builder = builder(command, arguments)
                    .redirectError(ProcessBuilder.Redirect.appendTo(output.toFile()));
            if (in) builder.redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()));
            try {
                process = builder.start();
            } catch (IOException e) {
                throw cannotStart(command, e);
            }
            Process started = process;
            started.onExit().orTimeout(limit.toMillis(), TimeUnit.MILLISECONDS).exceptionally(_ -> started.destroyForcibly());
            IOException broken = null;
            try {
                transfer.of(process);
            } catch (IOException e) {
                broken = e; // the command's own words come first: when it ends early, writing to it fails too
                process.getInputStream().close();
            }
            var result = new Result(process.waitFor(), "", Files.readString(output));
            console.detail("$ %s\n(exit code %d)\n%s".formatted(typed, result.exitCode, result.err));
            if (broken != null && (result.ok() || result.err.isBlank())) throw broken;
            expectGood(result, arguments);
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: " + typed, "run again");
        } finally {
            if (process != null) process.destroy();
            Files.delete(output);
        }
    }

    /**
     * What differs between a command's environment and this program's: every command uses Docker, its own platform, the
     * demo's network and Istio's own namespace, whatever is exported or in ~/.istioctl/config.yaml, which variables override.
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

    private static ProcessBuilder builder(String command, String... arguments) {
        var builder = new ProcessBuilder(Stream.concat(Stream.of(command), Arrays.stream(arguments)).toList());
        environment(System.getenv()).forEach((name, value) -> {
            if (value == null) builder.environment().remove(name);
            else builder.environment().put(name, value);
        });
        return builder;
    }

    private String expectGood(Result result, String... arguments) {
        if (result.ok()) return result.out;
        pauseWhenInterrupted(result.exitCode);
        throw Problem.failed("`%s` ended with exit code %d:\n%s".formatted(typed(arguments), result.exitCode, result.lastLines()),
                howToGoOn());
    }

    /** Ctrl-C ends the commands too, and maybe sooner: what it means is about to be told as this program ends. */
    private static void pauseWhenInterrupted(int exitCode) {
        if (exitCode == Problem.INTERRUPTED || exitCode == TERMINATED) LockSupport.parkNanos(Duration.ofSeconds(3).toNanos());
    }

    /** Ends every command that this program runs, and those that they run: when it is interrupted. */
    public static void endAll() {
        List<ProcessHandle> children = ProcessHandle.current().descendants().toList();
        children.forEach(ProcessHandle::destroy);
        var ended = CompletableFuture.allOf(children.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new));
        ended.completeOnTimeout(null, 1500, TimeUnit.MILLISECONDS).join();
        children.forEach(ProcessHandle::destroyForcibly);
    }

    private String howToGoOn() {
        return console.logFile().map(f -> "all that was run and printed is in " + f).orElse("run it by hand to see more");
    }

    /** The command as it could be typed. */
    private String typed(String... arguments) {
        return program.get() + " " + Arrays.stream(arguments).map(DemoCommands::quoted).collect(Collectors.joining(" "));
    }

    /** A text as a command's input in a shell, where nothing in it is expanded; its last line is {@code end}, or longer where the text has that. */
    public static String hereDocument(String end, String text) {
        String last = end;
        while (text.lines().anyMatch(last::equals)) last += "_";
        return "<<'%s'\n%s\n%1$s".formatted(last, text.stripTrailing());
    }

}
