///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Removes what KindDemo created, and nothing else
//SOURCES lib/Lib.java

import module java.base;
import lib.cli.*;
import lib.docker.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "Teardown", description = "Removes the demo's clusters, their kubeconfig entries and its files. "
        + "Everything else stays untouched.", footer = {
            "  The demo:", "    jbang Teardown.java",
            "  Also everything that is kept to create the next one quickly:", "    jbang Teardown.java --purge",
            "  Only list what would be removed:", "    jbang Teardown.java --dry-run"})
public class Teardown extends DemoCommand {
    @Option(names = "--purge", description = "Also remove node images, unpacked images and downloads, which make the "
            + "next demo quick. Whatever another demo needs stays.")
    boolean purge;
    @Option(names = "--dry-run", description = "Only list what would be removed.")
    boolean dryRun;
    @Option(names = "--force",
            description = "Also remove clusters of these names that the demo did not create; asks first.")
    boolean force;

    public static void main(String[] arguments) { main(new Teardown(), arguments); }

    /** Other options have no meaning for the removal. */
    @Override protected boolean takes(String option) {
        return Set.of("--name-prefix", "--contexts", "--verbose").contains(option);
    }

    @Override protected int run(Console console) throws Exception {
        DemoContext demo = discover();
        boolean existing = demo.usesExistingClusters();
        Docker docker = demo.docker;
        List<Cluster> clusters = new ArrayList<>(demo.clusters.removable());
        if (force && !dryRun)
            for (Cluster foreign : demo.existing.foreign()) if (agreed(foreign)) clusters.add(foreign);

        // what nodes of other demos need stays, and the files that those demos have downloaded
        Predicate<Docker.Node> own = node -> clusters.stream().anyMatch(c -> c.name().equals(node.cluster()));
        List<Docker.Node> others = !purge || existing ? List.of()
                : docker.nodes().stream().filter(Docker.Node::ours).filter(own.negate()).toList();
        List<String> needed = others.isEmpty() ? List.of() : Images.neededBy(others, docker);
        Action files = demo.dirs.delete(purge && others.isEmpty());

        List<String> vault = existing ? List.of() : demo.vault.containers();
        Plan plan = new Plan(console);
        for (Cluster cluster : clusters) plan.step(cluster.name(), "removed", existing
                ? ManagedResources.remove(new Kube(cluster, console)) : demo.kind.delete(cluster));
        if (!vault.isEmpty()) plan.step("Vault removed", demo.vault.remove());
        Step[] removed = plan.steps().toArray(Step[]::new);
        if (!existing) plan.step(purge ? "images removed" : "leftover containers removed",
                Images.remove(docker, purge), removed);
        // last, as the log is among them: it stays when a step before it fails
        plan.step("files removed", files, plan.steps().toArray(Step[]::new));
        if (dryRun) {
            if (existing) for (Cluster cluster : clusters) ManagedResources.of(new Kube(cluster, console)).forEach(r ->
                    console.result("%s: %s %s".formatted(cluster, r.getKind(), r.getMetadata().getName())));
            else console.result(clusters.isEmpty() ? "no clusters"
                    : "clusters %s, with their contexts in the kubeconfig".formatted(clusters));
            if (force) for (Cluster foreign : demo.existing.foreign())
                console.result("after your confirmation: cluster %s, which the demo did not create".formatted(foreign));
            if (!vault.isEmpty()) console.result(demo.vault.remove().toShell());
            console.result(files.toShell());
            if (purge && !existing) console.result("images and volumes " + Images.kept(docker).stream()
                    .filter(n -> !needed.contains(n)).toList());
            printKept(demo, console, others, needed);
            return 0;
        }
        demo.dirs.lock("Teardown");
        console.keepLog(demo.dirs.log("Teardown"));
        if (!plan.run()) {
            plan.report();
            return Problem.FAILED;
        }
        List<String> all = Stream.concat(clusters.stream().map(Cluster::name), vault.stream()).toList();
        if (existing) console.result("removed the demo's resources from " + clusters);
        else console.result(all.isEmpty() ? "nothing to remove" : "removed " + all);
        printKept(demo, console, others, needed);
        return 0;
    }

    /** What --purge keeps for other demos. */
    private static void printKept(DemoContext demo, Console console, List<Docker.Node> others, List<String> needed) {
        if (others.isEmpty()) return;
        console.result("kept for clusters %s: downloads in %s, images and volumes %s".formatted(
                others.stream().map(Docker.Node::cluster).distinct().toList(), demo.dirs.cache(), needed));
    }

    /** Asks on the terminal; a {@link Problem} when there is none. */
    private static boolean agreed(Cluster foreign) {
        if (System.console() == null || !System.console().isTerminal())
            throw Problem.unmet("%s was not created by this demo; removing it needs your confirmation on a terminal"
                    .formatted(foreign),
                    "run this on a terminal, or remove it yourself: kind delete cluster --name " + foreign);
        String answer = System.console().readLine(
                "%s was not created by this demo. Remove it and everything in it? [y/N] ", foreign);
        return answer != null && answer.strip().toLowerCase(Locale.ROOT).matches("y|yes");
    }
}
