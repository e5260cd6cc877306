///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Proves that the mesh works, or tells which layer does not
//SOURCES lib/Lib.java

import module java.base;
import lib.*;
import lib.Check.Finding;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "Verify", description = "Looks at the mesh layer by layer, and sends live requests from every cluster. Changes nothing.")
public class Verify extends Script {
    @Option(names = "--wait", paramLabel = "SECONDS", defaultValue = "${KIND_DEMO_WAIT:-20}",
            description = "How long a check may go on failing while the mesh converges. Default: ${DEFAULT-VALUE}. [KIND_DEMO_WAIT]")
    int wait;
    @Option(names = {"-o", "--output"}, paramLabel = "FORMAT", defaultValue = "text",
            description = "text, json or junit. Default: ${DEFAULT-VALUE}.")
    Checks.Output output;

    @Option(names = "--diagnostics", paramLabel = "DIR", description = "Write what is known of the demo into this folder, without secrets.")
    Path diagnostics;
    @Option(names = "--preflight", description = "Look only at what KindDemo looks at before it makes anything; needs no clusters.")
    boolean preflight;

    public static void main(String[] arguments) { main(new Verify(), arguments); }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        Docker docker = new Docker(console);
        Istioctl istioctl = new Istioctl(settings, docker);
        Mesh mesh = settings.discover(docker).mesh();
        if (preflight) {
            List<Finding> findings = new Preflight(settings, docker).look(mesh, new Images(settings, docker));
            Checks.tell(console, "preflight", findings);
            return findings.stream().anyMatch(f -> f.status() == Check.Status.FAILED) ? Problem.UNFIT : 0;
        }
        istioctl.version();
        if (settings.found().isEmpty()) throw Problem.unfit("there is no demo to verify: no cluster of ours is named " + mesh.clusters()
                .getFirst(), "jbang KindDemo.java");

        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        if (diagnostics != null) new Diagnostics(settings, docker, istioctl, kubes).collect(diagnostics, "");
        return new Checks(kubes, docker, istioctl).run(console, output, Duration.ofSeconds(wait)) ? 0 : Problem.FAILED;
    }
}
