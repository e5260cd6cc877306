///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Proves that the mesh works, or reports which layer fails
//SOURCES lib/Lib.java

import module java.base;
import lib.cli.*;
import lib.experiments.*;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "Verify", description = "Checks the mesh layer by layer, and sends live requests from every cluster. "
        + "Changes nothing, except with --experiments.", footer = {
            "  Every layer, and live requests:", "    jbang Verify.java",
            "  Only whether a demo can be created on this machine:", "    jbang Verify.java --preflight",
            "  One experiment; all of them, and a report page:", "    jbang Verify.java --experiments failover",
            "    jbang Verify.java --experiments --report report.html",
            "  Any mesh, by its contexts:", "    jbang Verify.java --contexts east,west"})
public class Verify extends DemoCommand {
    /** The formats of the results. */
    public enum Output { text, json, junit }

    @Option(names = "--experiments", paramLabel = "NAME", split = ",", arity = "0..1", fallbackValue = "all",
            description = "Break something, watch the traffic, and restore it: all, or failover, broken-app, "
                    + "gateway-down, control-plane-down, locality, ingress, egress, ztunnel-down, waypoint-down.")
    List<String> experiments = List.of();
    @Option(names = {"-o", "--output"}, paramLabel = "FORMAT", defaultValue = "text",
            description = "text, json or junit. Default: ${DEFAULT-VALUE}.")
    Output output;
    @Option(names = "--report", paramLabel = "FILE", description = "Write an HTML page with all results.")
    Path report;
    @Option(names = "--wait", paramLabel = "SECONDS", description = "How long a check may fail while the mesh "
            + "converges. Default: up to 40, depending on the check. [KIND_DEMO_WAIT]")
    Integer wait;
    @Option(names = "--namespace", paramLabel = "NAME", defaultValue = "sample",
            description = "Namespace of the application. Default: ${DEFAULT-VALUE}.")
    String namespace;
    @Option(names = "--service", paramLabel = "NAME", defaultValue = "helloworld", description = "Service to call. Its "
            + "pods have its name as the label app, and answer with their own name. Default: ${DEFAULT-VALUE}.")
    String service;
    @Option(names = "--client", paramLabel = "NAME", defaultValue = "sleep", description = "Pods to call from, by "
            + "their label app, with curl in a container of that name. Default: ${DEFAULT-VALUE}.")
    String client;
    @Option(names = "--path", paramLabel = "PATH", defaultValue = "/hello",
            description = "Path of the requests. Default: ${DEFAULT-VALUE}.")
    String path;
    @Option(names = "--explain", paramLabel = "CHECK",
            description = "Only print what a check means, and how to repair what it reports.")
    String explain;
    @Option(names = "--preflight", description = "Only check the prerequisites of KindDemo; needs no clusters.")
    boolean preflight;
    private volatile Experiments running;

    public static void main(String[] arguments) { main(new Verify(), arguments); }

    @Override protected String afterInterrupt() {
        String again = "run again: " + commands().verify();
        if (running == null) return again;
        return running.restore() ? "everything that the experiment changed is restored; " + again
                : "not everything is restored; repair it: " + commands().kindDemo();
    }

    @Override protected int run(Console console) throws Exception {
        if (explain != null) {
            Troubleshooting.print(explain, console);
            return 0;
        }
        if (wait != null && wait < 0)
            throw Problem.usage("--wait accepts 0 or more seconds, not " + wait, "leave it out, or use --wait 60");
        List<String> wanted = Experiments.named(experiments);
        if (report != null) Report.check(report);
        DemoContext demo = discover();
        if (preflight) return preflight(demo, console);

        SampleTarget target = new SampleTarget(namespace, service, client, path);
        if (!wanted.isEmpty() && (demo.usesExistingClusters() || !target.equals(SampleApp.TARGET)))
            throw Problem.usage("experiments break things for a while: they run only in the demo's own mesh",
                    "leave out --experiments");
        Mesh mesh = demo.clusters.installed();
        List<Kube> kubes = demo.connect(mesh);
        demo.istioctl.binary().path(); // downloaded when it is missing
        // a refused run leaves no files, and without a demo there is no folder for them
        if (Files.isDirectory(demo.dirs.state())) console.keepLog(demo.dirs.log("Verify"));
        if (demo.wantsDiagnostics()) demo.diagnostics(kubes).collect("");

        boolean text = output == Output.text;
        Checks checks = demo.checks(kubes, target, wait == null ? null : Duration.ofSeconds(wait));
        List<CheckResult> layers = checks.run((layer, found) -> { if (text) Results.print(console, layer, found); });
        boolean broken = layers.stream().anyMatch(check -> check.status() == Status.FAILED);
        if (broken && !wanted.isEmpty()) console.warn("experiments are skipped: the mesh does not work");
        List<ExperimentResult> tried = List.of();
        if (!broken && !wanted.isEmpty()) {
            running = demo.experiments(kubes, target, checks);
            tried = running.run(wanted, experiment -> { if (text) Results.print(console, experiment); });
            running = null;
        }
        kubes.forEach(Kube::close);
        Results results = Results.of(demo.istioVersion(), kubes, layers, tried);
        print(console, results, results.ok() ? "\nThe mesh works." : "\nThe mesh does not work as it should.");
        if (!results.ok()) console.logFile().ifPresent(log -> console.info("Full log: " + log));
        return results.ok() ? 0 : Problem.FAILED;
    }

    private int preflight(DemoContext demo, Console console) throws Exception {
        Mesh mesh = demo.clusters.wanted();
        List<CheckResult> checks = demo.preflight(mesh, demo.images(mesh, false), false).run();
        if (output == Output.text) Results.print(console, "preflight", checks);
        Results results = Results.of(demo.istioVersion(), List.of(), checks, List.of());
        print(console, results, "");
        return results.ok() ? 0 : Problem.UNMET;
    }

    /** Prints the results in the format of --output, as text only the last line, and writes the report. */
    private void print(Console console, Results results, String last) throws IOException {
        String json = results.json();
        if (output != Output.text) console.result(output == Output.json ? json : results.junit());
        else if (!last.isEmpty()) console.result(last);
        if (report == null) return;
        Report.write(report, json);
        console.info("The report is in " + report);
    }
}
