package lib.test;

import module java.base;
import lib.fetch.*;
import org.junit.jupiter.api.Assumptions;

/** Runs commands as a user would, for the tests. */
public final class Shell {
    public record Result(int exitCode, String out, String err, Duration took) {
        public String all() { return out + err; }
    }

    /** The folder of the scripts: the one that the tests are started in. */
    public static final Path PROJECT = Path.of("").toAbsolutePath();

    /** JBang's own start takes less on a machine at ease. */
    private static final Duration START = Duration.ofSeconds(1);

    /** The node image that the scripts take here. */
    public static final String NODE_IMAGE = variable("KIND_DEMO_NODE_IMAGE", Versions.NODE_IMAGE);

    /** Lets JBang keep what it has built and fetched where a test gives it another home or another cache folder. */
    public static final Map<String,
            String> SAME_JBANG = Map.of("JBANG_CACHE_DIR", System.getProperty("user.home") + "/.jbang/cache");

    private Shell() {}

    /** What a variable says; {@code otherwise} where it is empty or not set. */
    public static String variable(String name, String otherwise) {
        return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isBlank()).orElse(otherwise);
    }

    /** The IPv4 subnet of the docker network that nodes are on. */
    public static String subnet() {
        return succeeds("docker network inspect kind --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}' | grep -v :").out().strip();
    }

    /** Lets so1's and so2's nodes exchange their addresses, as an engine's restart may. */
    public static void swapAddresses() {
        String both = "so1-control-plane so2-control-plane";
        String addresses = "docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' " + both;
        List<String> before = run(addresses).out().lines().toList();
        // docker gives the lowest free address to who comes first
        List<String> names = new ArrayList<>(List.of(both.split(" ")));
        if (before.getFirst().compareTo(before.getLast()) < 0) Collections.reverse(names);
        run("docker stop %s && docker start %s && docker start %s".formatted(both, names.getFirst(), names.getLast()));
        List<String> after = run(addresses).out().lines().toList();
        if (!after.equals(before.reversed())) throw new AssertionError("the addresses did not swap: " + before
                + ", then " + after);
    }

    /** Files below a folder that hold keys or tokens. */
    public static String secretsIn(Path folder) {
        return run("grep -rlE 'PRIVATE KEY|client-key-data: *[A-Za-z0-9]|token\"?: *\"?[A-Za-z0-9._-]{20}|eyJhbGci' "
                + folder).out();
    }

    /** The arguments of all processes that run meanwhile, as anybody on this machine sees them. */
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

    /** A kubeconfig with a context of the user's own, and a state folder, for a demo that touches nobody's. */
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
     * Whether what took so long was over in time. Where even JBang's start takes longer just now than on a machine at
     *  ease, the bound grows by as much.
     */
    public static boolean inTime(String what, Duration took, Duration bound) {
        if (took.compareTo(bound) < 0) return true;
        Duration start = run("jbang KindDemo.java --version").took();
        System.out.printf("%s: %s instead of %s, JBang's start alone takes %s%n", what, took, bound, start);
        return start.compareTo(START) > 0
                && took.compareTo(bound.multipliedBy(start.toMillis()).dividedBy(START.toMillis())) < 0;
    }

    /**
     * Expects a run to be over in time. Others may keep the machine busy for a while, so a run that was slow is
     * measured twice more.
     */
    public static Result inTime(String what, Duration bound, Supplier<Result> run) {
        for (int i = 0; i < 3; i++) {
            Result result = run.get();
            System.out.printf("%s: over after %d ms%n", what, result.took().toMillis());
            if (inTime(what, result.took(), bound)) return result;
        }
        throw new AssertionError("%s: not over in %s, three times".formatted(what, bound));
    }

    /** Skips the test where one of these programs is missing. */
    public static void needs(String... programs) {
        for (String program : programs)
            Assumptions.assumeTrue(run("command -v " + program).exitCode() == 0, program + " is not installed");
    }

    /** Skips the test where it is not root that runs it. */
    public static void needsRoot() { Assumptions.assumeTrue(run("id -u").out().strip().equals("0"),
            "needs to be root"); }

    public static Result run(String command) { return run(command, Map.of()); }

    /**
     * Runs bash with the command, and with these variables set beside those of the tests; ends it after ten minutes.
     */
    public static Result run(String command, Map<String,
            String> environment) { return run(command, environment, null); }

    public static Result succeeds(String command) { return succeeds(command, Map.of()); }

    /** The same for a command that must end with 0: an AssertionError with all that it said when it does not. */
    public static Result succeeds(String command, Map<String, String> environment) {
        Result result = run(command, environment);
        if (result.exitCode() != 0) throw new AssertionError("`%s` ended with %d:\n%s".formatted(command,
                result.exitCode(), result.all()));
        return result;
    }

    /**
     * Sends SIGINT to the command and to those that it runs, as Ctrl-C does, as soon as what it has said on stderr is
     *  enough; the result's time is counted from then.
     */
    public static Result interrupt(String command, Map<String, String> environment, Predicate<String> enough) {
        // timeout gives them a process group of their own, hands the signal on to it, and lets it count where this
        //  test's own does not
        return run("exec timeout --preserve-status 10m " + command, environment, enough);
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
