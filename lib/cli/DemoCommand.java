package lib.cli;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import java.lang.reflect.AnnotatedElement;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The base class of the three scripts: their shared options, their --help, and how they end. */
@Command(mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true, synopsisHeading = "Usage: ",
        descriptionHeading = "%n", exitCodeListHeading = "%nExit codes:%n", footerHeading = "%nExamples:%n",
        exitCodeList = {"0:success", "1:a step or check failed", "2:invalid option or argument",
            "3:prerequisites not met", "130:interrupted"})
public abstract class DemoCommand implements Callable<Integer> {
    /** Shells that complete options; zsh reads bash's script. */
    private enum Completion { bash, zsh }

    /** The groups of --help; options that are in none of them come last. */
    private static final Map<String, List<String>> GROUPS = new LinkedHashMap<>();

    static {
        GROUPS.put("Clusters", List.of("--clusters", "--contexts", "--workers", "--name-prefix", "--node-image",
                "--kubernetes-version"));
        GROUPS.put("Mesh", List.of("--dataplane", "--waypoints", "--observe", "--ca", "--vault-port", "--istio-version",
                "--istio-set", "--istio-values", "--no-locality"));
        GROUPS.put("Checks and experiments", List.of("--experiments", "--wait", "--preflight", "--explain",
                "--namespace", "--service", "--client", "--path"));
        GROUPS.put("Files", List.of("--manifests", "--export-manifests", "--mirror", "--bundle", "--offline",
                "--diagnostics", "--report"));
        GROUPS.put("Output", List.of("--output", "--timings", "--verbose", "--completion", "--help", "--version"));
    }

    /** How the description of an option names its variable. */
    private static final Pattern VARIABLE = Pattern.compile("\\[(KIND_DEMO_\\w+)");

    private static final String ENVIRONMENT = """

            Environment:
              An option can be set by the variable in brackets. KUBECONFIG, DOCKER_HOST,
              HTTPS_PROXY, NO_PROXY and NO_COLOR have their usual meaning. XDG_STATE_HOME
              and XDG_CACHE_HOME set the folders for the demo's files.
            """;

    @Mixin DemoOptions options;
    @Option(names = "--completion", paramLabel = "SHELL",
            description = "Only print a completion script for this shell: ${COMPLETION-CANDIDATES}.")
    private Completion completion;
    @Spec private CommandSpec spec;
    private volatile boolean ending;
    private Console console;

    /** The work; returns the exit code, or throws a {@link Problem}. */
    protected abstract int run(Console console) throws Exception;

    /** Whether a shared option has a meaning for this script; others are not offered. */
    protected boolean takes(String option) { return true; }

    /** The next step after Ctrl-C. All outside commands have ended by then, so it may restore something first. */
    protected String afterInterrupt() {
        return "resume, with the same options: %s; or remove it: %s".formatted(commands().kindDemo(),
                commands().teardown());
    }

    /** The demo that the options describe, with the clusters that exist. */
    protected final DemoContext discover() {
        options.diagnostics().ifPresent(Diagnostics::check); // before anything is created
        return DemoContext.discover(options, console);
    }

    /** The same without asking Docker for clusters. */
    protected final DemoContext withoutClusters() { return new DemoContext(options, console, List.of()); }

    /** Our commands for this demo. */
    protected final DemoCommands commands() { return options.commands(); }

    /** Runs the script and ends the JVM with its exit code. */
    public static void main(DemoCommand script, String[] arguments) {
        System.exit(commandLine(script, System.getenv()).execute(arguments));
    }

    /** @param environment the variables that set options */
    static CommandLine commandLine(DemoCommand script, Map<String, String> environment) {
        CommandLine line = new CommandLine(script);
        CommandSpec spec = line.getCommandSpec().version(Versions.summary());
        spec.mixins().get("options").options().stream().filter(option -> !script.takes(option.longestName()))
                .forEach(option -> spec.remove(spec.findOption(option.longestName())));
        spec.usageMessage().customSynopsis("jbang %s.java [OPTION]...".formatted(spec.name()));
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_OPTION_LIST, DemoCommand::optionGroups);
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_EXIT_CODE_LIST_HEADING,
                help -> ENVIRONMENT + help.exitCodeListHeading());
        line.setDefaultValueProvider(option -> variable(option, environment));
        return line.setParameterExceptionHandler((invalid, _) -> {
            // the whole usage would push the message off the screen
            String name = invalid.getCommandLine().getCommandName();
            invalid.getCommandLine().getErr().printf("%s%n    → jbang %s.java --help%n", invalid.getMessage(), name);
            return Problem.USAGE;
        });
    }

    /**
     * The value of the variable that the option's description names; null when it is not set or blank. picocli would
     * replace a ${NAME} in it, and reads $${NAME} as the text; https://picocli.info/#_variable_interpolation
     */
    private static String variable(ArgSpec option, Map<String, String> environment) {
        // not ArgSpec.description(): it expands the default value, and so calls this method
        Option annotation = ((AnnotatedElement) option.userObject()).getAnnotation(Option.class);
        Matcher variable = VARIABLE.matcher(String.join(" ", annotation.description()));
        String value = variable.find() ? environment.get(variable.group(1)) : null;
        return value == null || value.isBlank() ? null : value.replace("${", "$${");
    }

    /** The options under the headings of their groups. */
    private static String optionGroups(Help help) {
        List<OptionSpec> others = new ArrayList<>(help.commandSpec().options());
        StringBuilder text = new StringBuilder();
        GROUPS.forEach((heading, names) -> {
            List<OptionSpec> group = names.stream().map(help.commandSpec()::findOption).filter(Objects::nonNull)
                    .toList();
            others.removeAll(group);
            text.append(optionGroup(help, heading, group));
        });
        return text.append(optionGroup(help, "Options", others)).toString();
    }

    private static String optionGroup(Help help, String heading, List<OptionSpec> options) {
        if (options.stream().allMatch(OptionSpec::hidden)) return "";
        Help.Layout layout = help.createDefaultLayout();
        layout.addOptions(options, help.createDefaultParamLabelRenderer());
        return "%n%s:%n%s".formatted(heading, layout);
    }

    /** The script that a shell sources to complete the options. https://picocli.info/autocomplete.html */
    private String completionScript() throws IOException {
        try (InputStream in = DemoCommand.class.getResourceAsStream("/completion.sh")) {
            String forJBang = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            return AutoComplete.bash(spec.name(), spec.commandLine()) + forJBang;
        }
    }

    /** Java opens no file whose name has characters outside of the locale's: a {@link Problem} when a folder's has. */
    private static void checkLocale() {
        Charset names = Charset.forName(System.getProperty("sun.jnu.encoding"));
        System.getenv().forEach((name, value) -> {
            if (name.matches("HOME|KUBECONFIG|(XDG|KIND_DEMO)_.*") && !names.newEncoder().canEncode(value))
                throw Problem.unmet("%s has characters that the locale's character set (%s) does not have"
                        .formatted(name, names), "export LC_ALL=C.UTF-8");
        });
    }

    @Override public final Integer call() {
        DemoCommands commands = commands();
        try (Console open = new Console(options.verbose, commands, failure -> Kube.explain(failure, commands))) {
            console = open;
            Thread hook = Thread.ofPlatform().unstarted(this::interrupted);
            Runtime.getRuntime().addShutdownHook(hook);
            try {
                checkLocale();
                options.check();
                if (completion == null) return run(console);
                console.result(completionScript());
                return 0;
            } catch (ParameterException e) {
                throw e;
            } catch (Throwable e) { // an Error too: picocli would not report it
                if (ending) return Problem.INTERRUPTED;
                console.problem("", e);
                return e instanceof Problem p ? p.exitCode() : Problem.FAILED;
            } finally {
                if (!ending) Runtime.getRuntime().removeShutdownHook(hook);
            }
        }
    }

    /**
     * Ctrl-C or SIGTERM: ends the outside commands, then reports the unfinished steps and the next command. It is the
     * only shutdown hook, since hooks run side by side: a command that restores something must not be ended.
     */
    private void interrupted() {
        ending = true;
        String running = console.running();
        ChildProcesses.endAll();
        console.error("interrupted" + (running.isEmpty() ? "" : "; unfinished steps: " + running));
        try {
            console.hint("→ " + afterInterrupt());
        } catch (Throwable e) {
            console.problem("", e);
        }
    }
}
