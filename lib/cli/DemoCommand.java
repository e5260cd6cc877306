package lib.cli;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import java.lang.reflect.AnnotatedElement;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What the three scripts have in common: their options, their --help, and how they end. */
@Command(mixinStandardHelpOptions = true, versionProvider = DemoCommand.Versioned.class, sortOptions = false, usageHelpAutoWidth = true,
        synopsisHeading = "", descriptionHeading = "%n", exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "1:a step or check failed", "2:invalid option or argument",
            "3:prerequisites not met", "130:interrupted"}, footerHeading = "%nExamples:%n")
public abstract class DemoCommand implements Callable<Integer> {
    /** Shells that complete options; zsh takes bash's script. */
    private enum Completion { bash, zsh }

    /** The groups that --help puts options into; what none of them names is the script's own. */
    private static final Map<String, List<String>> GROUPS = new LinkedHashMap<>();

    static {
        GROUPS.put("Clusters", List.of("--clusters", "--contexts", "--workers", "--name-prefix", "--node-image", "--kubernetes-version"));
        GROUPS.put("Mesh", List.of("--ca", "--vault-port", "--istio-version", "--istio-set", "--istio-values", "--no-locality"));
        GROUPS.put("Application", List.of("--namespace", "--service", "--client", "--path"));
        GROUPS.put("Files", List.of("--manifests", "--export-manifests", "--assets", "--mirror", "--bundle", "--offline",
                "--diagnostics", "--report"));
        GROUPS.put("Output", List.of("--output", "--timings", "--verbose", "--completion", "--help", "--version"));
    }

    /** How a description names the option's variable. */
    private static final Pattern VARIABLE = Pattern.compile("\\[(KIND_DEMO_\\w+)");

    private static final String ENVIRONMENT = """

            Environment:
              An option with a name in brackets takes its value from that variable where it
              is not typed. KUBECONFIG, DOCKER_HOST, HTTPS_PROXY, NO_PROXY and NO_COLOR mean
              what they mean elsewhere; XDG_STATE_HOME and XDG_CACHE_HOME say where the
              demo's files are.
            """;

    @Mixin DemoOptions options;
    @Option(names = "--completion", paramLabel = "SHELL",
            description = "Only print a script that lets this shell complete these options: ${COMPLETION-CANDIDATES}.")
    private Completion completion;
    @Spec private CommandSpec spec;
    private volatile boolean ending;
    private Console console;

    /** The work; returns the exit code, or throws a {@link Problem}. */
    protected abstract int run(Console console) throws Exception;

    /** The demo that the options mean, with the clusters that exist. */
    protected final DemoContext discover() { return DemoContext.discover(options, console); }

    /** The same without looking for clusters. */
    protected final DemoContext withoutClusters() { return new DemoContext(options, console, List.of()); }

    /** Whether one of the options that the scripts share means anything in this one; others are not offered. */
    protected boolean takes(String option) { return true; }

    /** Runs the script and ends the JVM with its exit code. */
    public static void main(DemoCommand script, String[] arguments) { System.exit(commandLine(script).execute(arguments)); }

    /** The script's command line: what it takes, how it shows its help, and how it refuses. */
    static CommandLine commandLine(DemoCommand script) { return commandLine(script, System.getenv()); }

    /** @param environment the variables that options can come from */
    static CommandLine commandLine(DemoCommand script, Map<String, String> environment) {
        CommandLine line = new CommandLine(script);
        CommandSpec spec = line.getCommandSpec();
        spec.mixins().get("options").options().stream().filter(option -> !script.takes(option.longestName()))
                .forEach(option -> spec.remove(spec.findOption(option.longestName())));
        spec.usageMessage().customSynopsis("jbang %s.java [OPTION]...".formatted(spec.name()));
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_OPTION_LIST, DemoCommand::grouped);
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_EXIT_CODE_LIST_HEADING, help -> ENVIRONMENT + help.exitCodeListHeading());
        line.setDefaultValueProvider(option -> value(option, environment));
        return line.setParameterExceptionHandler((wrong, _) -> {
            // the whole usage would push what is wrong off the screen
            wrong.getCommandLine().getErr().printf("%s%n    → jbang %s.java --help%n", wrong.getMessage(), wrong.getCommandLine()
                    .getCommandName());
            return Problem.USAGE;
        });
    }

    /** The value of the variable that the option's description names; null when it is not set or blank. */
    private static String value(ArgSpec option, Map<String, String> environment) {
        // not ArgSpec.description(), which expands defaults and so asks here again
        String[] description = ((AnnotatedElement) option.userObject()).getAnnotation(Option.class).description();
        Matcher variable = VARIABLE.matcher(String.join(" ", description));
        return variable.find() ? Optional.ofNullable(environment.get(variable.group(1))).filter(v -> !v.isBlank()).orElse(null) : null;
    }

    /** The options under the headings of their groups, the script's own first. */
    private static String grouped(Help help) {
        List<OptionSpec> own = new ArrayList<>(help.commandSpec().options());
        Map<String, List<OptionSpec>> groups = new LinkedHashMap<>();
        GROUPS.forEach((heading, names) -> groups.put(heading, names.stream().map(help.commandSpec()::findOption).filter(Objects::nonNull)
                .toList()));
        groups.values().forEach(own::removeAll);
        StringBuilder text = new StringBuilder(section(help, "Options", own));
        groups.forEach((heading, options) -> text.append(section(help, heading, options)));
        return text.toString();
    }

    private static String section(Help help, String heading, List<OptionSpec> options) {
        if (options.isEmpty()) return "";
        Help.Layout layout = help.createDefaultLayout();
        layout.addOptions(options, help.createDefaultParamLabelRenderer());
        return "%n%s:%n%s".formatted(heading, layout);
    }

    /** What a shell sources to complete the options of this script. https://picocli.info/autocomplete.html */
    private String completion() throws IOException {
        try (InputStream in = DemoCommand.class.getResourceAsStream("/completion.sh")) {
            return AutoComplete.bash(spec.name(), spec.commandLine()) + new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** A {@link Problem} when a folder's name is outside of the locale's characters: Java opens no such file, and cannot be told otherwise. */
    private static void checkLocale() {
        Charset names = Charset.forName(System.getProperty("sun.jnu.encoding"));
        System.getenv().forEach((name, value) -> {
            if (name.matches("HOME|KUBECONFIG|(XDG|KIND_DEMO)_.*") && !names.newEncoder().canEncode(value))
                throw Problem.unmet("%s has characters that the locale's character set (%s) does not have".formatted(name, names),
                        "export LC_ALL=C.UTF-8");
        });
    }

    @Override public final Integer call() {
        try (Console opened = new Console(options.verbose, options.commands(), failure -> Kube.explain(failure, options.commands()))) {
            console = opened;
            Thread interrupted = Thread.ofPlatform().unstarted(() -> interrupted(console));
            Runtime.getRuntime().addShutdownHook(interrupted);
            try {
                checkLocale();
                options.check();
                if (completion == null) return run(console);
                console.result(completion());
                return 0;
            } catch (ParameterException e) {
                throw e;
            } catch (Throwable e) { // an Error too: picocli would let it pass
                if (ending) return Problem.INTERRUPTED; // what was cut short is no news
                console.problem("", e);
                return e instanceof Problem p ? p.exitCode() : Problem.FAILED;
            } finally {
                if (!ending) Runtime.getRuntime().removeShutdownHook(interrupted);
            }
        }
    }

    /**
     * Ctrl-C, or SIGTERM: ends the outside commands, then reports what is half-done and what to type next. It is the only shutdown
     * hook, since hooks run side by side: what restores something must not be among the commands that are ended.
     */
    private void interrupted(Console console) {
        ending = true;
        String running = console.running();
        ExternalCommand.endAll();
        console.error("interrupted" + (running.isEmpty() ? "" : "; half-done: " + running));
        try {
            console.hint("→ " + afterInterrupt());
        } catch (Throwable e) {
            console.problem("", e);
        }
    }

    /** Our commands for this demo. */
    protected final DemoCommands commands() { return options.commands(); }

    /** What to type next after Ctrl-C; called when all outside commands have ended, so it may restore something first. */
    protected String afterInterrupt() {
        return "resume: %s; or remove it: %s".formatted(commands().kindDemo(), commands().teardown());
    }

    static final class Versioned implements IVersionProvider {
        @Override public String[] getVersion() { return new String[] {Versions.summary()}; }
    }
}
