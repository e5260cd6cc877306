///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Proves that the mesh works, or tells which layer does not
//SOURCES lib/Lib.java

import module java.base;
import lib.cli.*;
import lib.experiments.*;
import lib.verify.*;
import lib.istio.*;
import lib.kind.*;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "Verify", description = "Looks at the mesh layer by layer, and sends live requests from every cluster. "
        + "Changes nothing, but for --experiments.", footer = {
            "  Every layer, and live requests:",
            "    jbang Verify.java",
            "  Whether a demo can be created on this machine:",
            "    jbang Verify.java --preflight",
            "  One experiment; all of them, and a report page:",
            "    jbang Verify.java --experiments failover",
            "    jbang Verify.java --experiments --report report.html",
            "  Any mesh, by its contexts:",
            "    jbang Verify.java --contexts east,west"})
public class Verify extends DemoCommand {
    /** How what was found is told. */
    public enum Output { text, json, junit }

    @Option(names = "--experiments", paramLabel = "NAME", split = ",", arity = "0..1", fallbackValue = "all",
            description = "Try what the mesh promises, and put everything back: all, or failover, broken-app, gateway-down, "
                    + "control-plane-down, locality, ingress, egress.")
    List<String> experiments = List.of();
    @Option(names = {"-o", "--output"}, paramLabel = "FORMAT", defaultValue = "text",
            description = "text, json or junit. Default: ${DEFAULT-VALUE}.")
    Output output;
    @Option(names = "--report", paramLabel = "FILE", description = "Write a page (HTML) with all that was found.")
    Path report;
    @Option(names = "--wait", paramLabel = "SECONDS", defaultValue = "${KIND_DEMO_WAIT}",
            description = "How long a check may go on failing while the mesh converges. Default: up to 20, each check its own. "
                    + "[KIND_DEMO_WAIT]")
    Integer wait;
    @Option(names = "--namespace", paramLabel = "NAME", defaultValue = "sample",
            description = "Where the application is. Default: ${DEFAULT-VALUE}.")
    String namespace;
    @Option(names = "--service", paramLabel = "NAME", defaultValue = "helloworld",
            description = "The service to call; its pods have its name as the label app, and answer with their own. "
                    + "Default: ${DEFAULT-VALUE}.")
    String service;
    @Option(names = "--client", paramLabel = "NAME", defaultValue = "sleep",
            description = "The label app of the pods to call from, with curl in a container of that name. Default: ${DEFAULT-VALUE}.")
    String client;
    @Option(names = "--path", paramLabel = "PATH", defaultValue = "/hello", description = "What to ask for. Default: ${DEFAULT-VALUE}.")
    String path;

    @Option(names = "--preflight", description = "Look only at what KindDemo looks at before it makes anything; needs no clusters.")
    boolean preflight;
    private volatile Experiments experimenting;

    public static void main(String[] arguments) { main(new Verify(), arguments); }

    @Override protected String afterInterrupt() {
        String again = "run again: " + settings.commands().verify();
        if (experimenting == null) return again;
        return experimenting.restore() ? "everything that the experiment changed is restored; " + again
                : "not everything is restored; repair it: " + settings.commands().kindDemo();
    }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        Docker docker = new Docker(console, settings.prefix());
        Istioctl istioctl = new Istioctl(settings);
        SampleTarget app = new SampleTarget(namespace, service, client, path);
        List<String> wanted = Experiments.named(experiments);
        if (report != null) Report.check(report);
        settings.diagnostics().ifPresent(Diagnostics::check);
        settings.bundle(); // what is in it is not fetched

        Mesh mesh = settings.discover(docker).mesh();
        if (preflight) {
            List<CheckResult> findings = new Preflight(settings, docker, istioctl, false).look(mesh, new Images(settings, docker, istioctl));
            if (output == Output.text) Results.tell(console, "preflight", findings);
            Results results = Results.of(settings, List.of(), findings, List.of());
            tell(console, results, "");
            return results.works() ? 0 : Problem.UNFIT;
        }
        if (settings.existing()) mesh = InstalledIstio.mesh(mesh, console);
        else if (settings.found().clusters().isEmpty()) throw Problem.unfit("there is no demo to verify: no cluster of ours is named "
                + mesh.clusters().getFirst(), settings.commands().kindDemo());
        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        kubes.forEach(Kube::connectEarly);
        settings.istioctl().path(); // fetched when there is none
        if (!wanted.isEmpty() && (settings.existing() || !app.equals(SampleApp.APP)))
            throw Problem.usage("experiments break things for a while: they are for the demo's own mesh",
                    "leave out --experiments");

        // a refused run leaves no files, and where there is no demo there is no folder for them
        if (Files.isDirectory(settings.home().state())) console.keepLog(settings.home().log("Verify"));
        Checks checks = new Checks(kubes, app, docker, settings.kind(), istioctl, wait == null ? null : Duration.ofSeconds(wait));
        if (settings.diagnostics().isPresent()) new Diagnostics(settings, docker, istioctl, kubes).collect("");
        boolean text = output == Output.text;
        List<CheckResult> findings = checks.run((layer, found) -> { if (text) Results.tell(console, layer, found); });
        boolean broken = findings.stream().anyMatch(f -> f.status() == Status.FAILED);
        if (broken && !wanted.isEmpty()) console.warn("no experiments on a mesh that does not work");
        Experiments experiments = new Experiments(kubes, app, checks, docker, settings);
        if (!broken && !wanted.isEmpty()) experimenting = experiments;
        List<ExperimentResult> outcomes = experiments.run(broken ? List.of() : wanted, outcome -> { if (text) Results.tell(console, outcome); });
        experimenting = null;

        Results results = Results.of(settings, kubes, findings, outcomes);
        tell(console, results, results.works() ? "\nThe mesh works." : "\nThe mesh does not work as it should.");
        if (!results.works()) console.logFile().ifPresent(log -> console.say("All that was run and printed is in " + log));
        return results.works() ? 0 : Problem.FAILED;
    }

    /** Prints the results in the format that was asked for, as text only this last line, and writes the report. */
    private void tell(Console console, Results results, String last) throws IOException {
        String json = results.json();
        if (output != Output.text) console.result(output == Output.json ? json : results.junit());
        else if (!last.isEmpty()) console.result(last);
        if (report == null) return;
        Report.write(report, json);
        console.say("The report is in " + report);
    }
}
