///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Removes what KindDemo made, and nothing else
//SOURCES lib/Lib.java

import module java.base;
import lib.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "Teardown", description = "Removes the demo's clusters, their kubeconfig entries and its files. What it did not make stays untouched.")
public class Teardown extends Script {
    @Option(names = "--purge", description = "Remove the node images and fetched files too, which are kept to make the next demo quick.")
    boolean purge;

    public static void main(String[] arguments) { main(new Teardown(), arguments); }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        Docker docker = new Docker(console);
        List<Cluster> ours = settings.discover(docker).found();
        settings.home().lock("Teardown");
        Kind kind = new Kind(settings, docker);
        Plan plan = new Plan(console);
        for (Cluster cluster : ours) plan.step(cluster, "removed", kind.delete(cluster));
        Plan.Step[] clusters = plan.steps().toArray(Plan.Step[]::new);
        plan.step("files removed", settings.home().delete(purge), clusters);
        plan.step("images removed", Images.remove(docker, purge), clusters);
        if (!plan.run()) return plan.report();
        console.result(ours.isEmpty() ? "nothing to remove" : "removed " + ours);
        return 0;
    }
}
