package lib;

import module java.base;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;

/** What the three scripts have in common: their options, and how they end. */
@Command(mixinStandardHelpOptions = true, versionProvider = Script.Versioned.class, sortOptions = false, usageHelpAutoWidth = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:all went well", "1:a step or a check failed", "2:an option cannot be meant",
            "3:this machine, or what is on it, is not fit", "130:interrupted"})
public abstract class Script implements Callable<Integer> {
    @Mixin protected Settings settings;
    private volatile boolean ending;

    /** The work; returns the exit code, or throws a {@link Problem}. */
    protected abstract int run() throws Exception;

    /** Runs the script and ends the JVM with its exit code. */
    public static void main(Script script, String[] arguments) {
        System.exit(new CommandLine(script).setParameterExceptionHandler((wrong, _) -> {
            // the whole usage would push what is wrong off the screen
            wrong.getCommandLine().getErr().printf("%s%n    → jbang %s.java --help%n", wrong.getMessage(), wrong.getCommandLine().getCommandName());
            return Problem.USAGE;
        }).execute(arguments));
    }

    @Override public final Integer call() {
        settings.check();
        try (Console console = settings.console()) {
            Thread interrupted = Thread.ofPlatform().unstarted(() -> interrupted(console));
            Runtime.getRuntime().addShutdownHook(interrupted);
            try {
                return run();
            } catch (Exception e) {
                if (ending) return Problem.INTERRUPTED; // what was cut short is no news
                console.problem("", e);
                return e instanceof Problem p ? p.exitCode() : Problem.FAILED;
            } finally {
                if (!ending) Runtime.getRuntime().removeShutdownHook(interrupted);
            }
        }
    }

    /** Ctrl-C, or SIGTERM: what is half-done is told, and both ways on; the outside commands that run are ended with us. */
    private void interrupted(Console console) {
        ending = true;
        String running = console.running();
        Tool.endAll();
        console.bad("interrupted" + (running.isEmpty() ? "" : "; half-done: " + running));
        console.hint("→ " + afterInterrupt());
    }

    /** What to type next after Ctrl-C. */
    protected String afterInterrupt() {
        return "go on from here: jbang KindDemo.java%1$s; or remove it: jbang Teardown.java%1$s".formatted(settings.asTyped());
    }

    static String version() {
        return "kind-demo %s (Istio %s, kind v%s, MetalLB %s)".formatted(Versions.DEMO, Versions.ISTIO, Versions.KIND, Versions.METALLB);
    }

    static final class Versioned implements IVersionProvider {
        @Override public String[] getVersion() { return new String[] {version()}; }
    }
}
