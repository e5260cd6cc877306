package lib.test;

import module java.base;
import lib.fetch.*;

/** Runs commands as a user would, for the tests. */
public final class Shell {
    public record Result(int exitCode, String out, String err, Duration took) {
        public String all() { return out + err; }
    }

    /** The folder of the scripts: the tests must be started in it. */
    public static final Path PROJECT = Path.of("").toAbsolutePath();

    /** On an idle machine JBang itself starts in less time. */
    private static final Duration START = Duration.ofSeconds(1);

    /** The node image that the scripts use on this machine. */
    public static final String NODE_IMAGE = variable("KIND_DEMO_NODE_IMAGE", Versions.NODE_IMAGE);

    /** Lets JBang use its existing cache in a test that sets another home or another cache folder. */
    public static final Map<String, String> SAME_JBANG =
            Map.of("JBANG_CACHE_DIR", System.getProperty("user.home") + "/.jbang/cache");

    private Shell() {}

    /** The value of an environment variable, or {@code otherwise} if it is empty or not set. */
    public static String variable(String name, String otherwise) {
        return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isBlank()).orElse(otherwise);
    }

    /** The IPv4 subnet of the nodes' Docker network. */
    public static String subnet() {
        return succeeds("docker network inspect kind --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}'"
                + " | grep -v :").out().strip();
    }

    /** Swaps the addresses of the nodes of so1 and so2, as a restart of Docker may do. */
    public static void swapAddresses() {
        String both = "so1-control-plane so2-control-plane";
        String addresses = "docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' " + both;
        List<String> before = run(addresses).out().lines().toList();
        // Docker assigns the lowest free address to the node that starts first
        List<String> names = new ArrayList<>(List.of(both.split(" ")));
        if (before.getFirst().compareTo(before.getLast()) < 0) Collections.reverse(names);
        run("docker stop %s && docker start %s && docker start %s".formatted(both, names.getFirst(), names.getLast()));
        List<String> after = run(addresses).out().lines().toList();
        if (!after.equals(before.reversed()))
            throw new AssertionError("the addresses were not swapped: " + before + ", then " + after);
    }

    /** The files below a folder that contain keys or tokens. */
    public static String secretsIn(Path folder) {
        return run("grep -rlE 'PRIVATE KEY|client-key-data: *[A-Za-z0-9]|token\"?: *\"?[A-Za-z0-9._-]{20}|eyJhbGci' "
                + folder).out();
    }

    /** The command lines of all processes that run during the work, as every user of this machine can see them. */
    public static String processesDuring(Runnable work) throws IOException {
        Path seen = Files.createTempFile("processes", "");
        Process watch = new ProcessBuilder("bash", "-c", "while sleep 0.2; do ps -eo args; done")
                .redirectOutput(seen.toFile()).start();
        try {
            work.run();
        } finally {
            watch.destroy();
        }
        String processes = Files.readString(seen);
        Files.delete(seen);
        return processes;
    }

    /** The variables for a new state folder and for a new kubeconfig, which contains a context of the user. */
    public static Map<String, String> ownFolders() {
        try {
            Path folder = Files.createTempDirectory("kind-demo-test"), kubeconfig = folder.resolve("config");
            Files.writeString(kubeconfig, """
                    apiVersion: v1
                    kind: Config
                    current-context: mine
                    contexts: [{name: mine, context: {cluster: mine, user: mine}}]
                    clusters: [{name: mine, cluster: {server: "https://127.0.0.1:1"}}]
                    users: [{name: mine, user: {}}]
                    """);
            return Map.of("KUBECONFIG", kubeconfig.toString(), "XDG_STATE_HOME", folder.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Whether an operation was quick enough. If JBang itself now starts more slowly than on an idle machine, the limit
     * is longer in proportion.
     */
    public static boolean inTime(String what, Duration took, Duration bound) {
        if (took.compareTo(bound) < 0) return true;
        Duration start = run("jbang KindDemo.java --version").took();
        System.out.printf("%s: took %s, limit %s; JBang's start alone takes %s%n", what, took, bound, start);
        return start.compareTo(START) > 0
                && took.compareTo(bound.multipliedBy(start.toMillis()).dividedBy(START.toMillis())) < 0;
    }

    /**
     * Expects a run to be quick enough. Other programs may keep the machine busy for a while, so a slow run is repeated
     * up to two times.
     */
    public static Result inTime(String what, Duration bound, Supplier<Result> run) {
        for (int i = 0; i < 3; i++) {
            Result result = run.get();
            System.out.printf("%s: %d ms%n", what, result.took().toMillis());
            if (inTime(what, result.took(), bound)) return result;
        }
        throw new AssertionError("%s: took longer than %s, three times".formatted(what, bound));
    }

    public static Result run(String command) { return run(command, Map.of()); }

    /** Runs the command in bash, with these variables in addition to those of the tests. Kills it after ten minutes. */
    public static Result run(String command, Map<String, String> environment) {
        return run(command, environment, null);
    }

    public static Result succeeds(String command) { return succeeds(command, Map.of()); }

    /** The same for a command that must succeed. Otherwise the AssertionError contains all its output. */
    public static Result succeeds(String command, Map<String, String> environment) {
        Result result = run(command, environment);
        if (result.exitCode() != 0)
            throw new AssertionError("`%s` ended with %d:\n%s".formatted(command, result.exitCode(), result.all()));
        return result;
    }

    /**
     * Runs the command, and sends SIGINT to it and to its child processes, as Ctrl-C does, as soon as its output on
     * stderr meets the condition. The time of the result starts with the signal.
     */
    public static Result interrupt(String command, Map<String, String> environment, Predicate<String> condition) {
        // timeout creates a process group and forwards the signal to it, even if SIGINT is ignored in this process
        return run("exec timeout --preserve-status 10m " + command, environment, condition);
    }

    private static Result run(String command, Map<String, String> environment, Predicate<String> interrupt) {
        try {
            ProcessBuilder builder = new ProcessBuilder("bash", "-c", command).directory(PROJECT.toFile());
            builder.environment().putAll(environment);
            Path out = Files.createTempFile("out", ""), err = Files.createTempFile("err", "");
            Instant start = Instant.now();
            Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile())
                    .redirectInput(new File("/dev/null")).start();
            if (interrupt != null) {
                while (process.isAlive() && !interrupt.test(Files.readString(err))) Thread.sleep(100);
                start = Instant.now();
                run("kill -INT " + process.pid());
            }
            if (!process.waitFor(10, TimeUnit.MINUTES)) process.destroyForcibly();
            Result result = new Result(process.waitFor(), Files.readString(out), Files.readString(err),
                    Duration.between(start, Instant.now()));
            Files.delete(out);
            Files.delete(err);
            return result;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
