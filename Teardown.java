///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Removes what KindDemo made, and nothing else
//SOURCES lib/Lib.java

import module java.base;
import lib.*;
import picocli.CommandLine.Command;

@Command(name = "Teardown", description = "Removes the demo's clusters, their kubeconfig entries and its files. What it did not make stays untouched.")
public class Teardown extends Script {
    public static void main(String[] arguments) { main(new Teardown(), arguments); }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        Docker docker = new Docker(console);
        docker.engine();
        Kind kind = new Kind(settings, docker);
        Plan plan = new Plan(console);
        List<Cluster> ours = settings.ours(docker);
        for (Cluster cluster : ours) plan.step(cluster, "removed", kind.delete(cluster));
        plan.step("the demo's files removed", settings.home().delete(), plan.steps().toArray(Plan.Step[]::new));
        if (!plan.run()) return plan.report();
        console.result(ours.isEmpty() ? "nothing to remove" : "removed " + ours);
        return 0;
    }
}
