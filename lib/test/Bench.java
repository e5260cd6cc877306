///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Compares the demo's times with those of bare kind clusters and of the same demo in plain shell
//SOURCES ../Lib.java
//SOURCES Shell.java

package lib.test;

import module java.base;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The measurements alternate in one run, so that changes of the machine's speed affect all of them. Creates and removes
 * the clusters so1… and floor1…. This is not a test.
 */
@Command(name = "Bench", mixinStandardHelpOptions = true,
        description = "Measures KindDemo, Verify and Teardown, and compares KindDemo with bare `kind create cluster` "
                + "and, with --reference, with the demo in plain shell.")
public final class Bench implements Callable<Integer> {
    @Option(names = "--rounds", defaultValue = "3",
            description = "How often to run all measurements. Default: ${DEFAULT-VALUE}.")
    int rounds;
    @Option(names = "--workers", split = ",", defaultValue = "0,1",
            description = "Numbers of worker nodes to measure. Default: ${DEFAULT-VALUE}.")
    List<Integer> workers;
    @Option(names = "--growth", split = ",", defaultValue = "1,3,4",
            description = "More numbers of clusters to measure, in the first round. Default: ${DEFAULT-VALUE}.")
    List<Integer> growth;
    @Option(names = "--variant", paramLabel = "OPTIONS",
            description = "More options of KindDemo to measure, such as --variant='--dataplane ambient'. Repeatable.")
    List<String> variants = List.of();
    @Option(names = "--reference", paramLabel = "FILE",
            description = "A script that creates the same mesh in plain shell. It reads WORKERS.")
    Path reference;
    @Option(names = "--timeline", defaultValue = "timeline.svg",
            description = "The file for a chart of the last warm run, a lane per cluster. Default: ${DEFAULT-VALUE}.")
    Path timeline;

    /**
     * Figures of the whole machine for one command: elapsed time, busy CPU seconds, and the peak of the memory in use,
     * without the memory that was in use before.
     */
    private record Figures(double seconds, double cpuSeconds, double megabytes) {}

    private final Map<String, List<Figures>> results = new LinkedHashMap<>();
    private String lastWarmTimeline = "";

    public static void main(String[] arguments) { System.exit(new CommandLine(new Bench()).execute(arguments)); }

    @Override public Integer call() throws Exception {
        for (String script : List.of("KindDemo", "Verify", "Teardown"))
            Shell.succeeds("jbang build %s.java".formatted(script));
        Shell.succeeds("jbang Teardown.java");
        for (int round = 1; round <= rounds; round++) {
            for (int w : workers) {
                String suffix = ", %d worker%s".formatted(w, w == 1 ? "" : "s");
                if (reference != null) measure("plain shell" + suffix, "WORKERS=%d '%s'".formatted(w, reference));
                measure("bare kind clusters" + suffix, floor(w));
                // kind returns before the nodes accept pods
                measure("then until their nodes are ready" + suffix, floorsWaitFor("nodes --all"));
                // on cgroup v1, a node that is removed while its pods start may stay forever
                Shell.succeeds(floorsWaitFor("pods --all --all-namespaces"));
                Shell.succeeds("kind delete cluster --name floor1 && kind delete cluster --name floor2");
                if (w == 0) {
                    Shell.succeeds("jbang Teardown.java --purge && jbang cache clear --jar && jbang build Teardown.java"
                            + " && jbang build Verify.java");
                    measure("KindDemo cold" + suffix, "jbang KindDemo.java");
                    Shell.succeeds("jbang Teardown.java");
                }
                lastWarmTimeline = measure("KindDemo warm" + suffix, "jbang KindDemo.java --timings --workers " + w);
                if (w == 0) {
                    measureRunningDemo("");
                    if (round == 1) measure("all experiments", "jbang Verify.java --experiments");
                }
                measure("Teardown" + suffix, "jbang Teardown.java");
            }
            if (round == 1) for (int n : growth) {
                measure("KindDemo warm, %d cluster%s".formatted(n, n == 1 ? "" : "s"),
                        "jbang KindDemo.java --clusters " + n);
                Shell.succeeds("jbang Verify.java");
                Shell.succeeds("jbang Teardown.java");
            }
            System.out.printf("%nafter %d of %d rounds%n%s", round, rounds, table());
        }
        if (!variants.isEmpty()) measureVariants();
        Files.writeString(timeline, draw(lastWarmTimeline));
        return 0;
    }

    /** Measures warm demos with and without the options of each variant, alternately. */
    private void measureVariants() throws IOException, InterruptedException {
        for (String variant : variants) // the first demo with these options creates their node image
            Shell.succeeds("jbang KindDemo.java %s && jbang Teardown.java".formatted(variant));
        List<String> all = new ArrayList<>(variants);
        all.addFirst("");
        for (int round = 1; round <= rounds; round++) for (String variant : all) {
            String suffix = variant.isEmpty() ? "" : ", " + variant;
            measure("KindDemo warm, 0 workers" + suffix, "jbang KindDemo.java " + variant);
            measureRunningDemo(suffix);
            Shell.succeeds("jbang Teardown.java");
        }
        System.out.printf("%nwith the variants%n%s", table());
    }

    private void measureRunningDemo(String suffix) throws IOException, InterruptedException {
        measure("KindDemo, everything is up" + suffix, "jbang KindDemo.java");
        measure("Verify" + suffix, "jbang Verify.java");
    }

    /** Creates two bare clusters at the same time: the lower bound for everything that creates clusters. */
    private static String floor(int workers) {
        String config = "{kind: Cluster, apiVersion: kind.x-k8s.io/v1alpha4, nodes: [{role: control-plane}%s]}"
                .formatted(", {role: worker}".repeat(workers));
        return """
                for c in floor1 floor2; do
                  echo '%s' | kind create cluster --name $c --image %s --config - --kubeconfig $(mktemp) &
                  made="$made $!"
                done
                for m in $made; do wait $m || exit 1; done""".formatted(config, Shell.NODE_IMAGE);
    }

    private static String floorsWaitFor(String resources) {
        return """
                for c in floor1 floor2; do
                  KUBECONFIG=$(mktemp) sh -c "kind -q export kubeconfig --name $c \\
                    && kubectl wait %s --for condition=Ready --timeout 3m" || exit 1
                done""".formatted(resources);
    }

    private String measure(String what, String command) throws IOException, InterruptedException {
        double cpu = busySeconds();
        long before = memoryInUse();
        var peak = new AtomicLong(before);
        Thread watch = Thread.startVirtualThread(() -> {
            try {
                while (true) {
                    peak.accumulateAndGet(memoryInUse(), Math::max);
                    Thread.sleep(500);
                }
            } catch (InterruptedException | IOException e) {
                // the command has ended
            }
        });
        Shell.Result result = Shell.succeeds(command);
        watch.interrupt();
        watch.join();
        Figures figures = new Figures(result.took().toMillis() / 1e3, busySeconds() - cpu, (peak.get() - before) / 1e6);
        results.computeIfAbsent(what, _ -> new ArrayList<>()).add(figures);
        System.out.printf("%-36s %6.1f s %7.1f CPU s %6.0f MB%n", what, figures.seconds, figures.cpuSeconds,
                figures.megabytes);
        return result.out();
    }

    /**
     * The busy time in /proc/stat, in hundredths of a second: everything except idle, iowait and steal.
     * https://man7.org/linux/man-pages/man5/proc_stat.5.html
     */
    private static double busySeconds() throws IOException {
        String[] fields = Files.readAllLines(Path.of("/proc/stat")).getFirst().split("\\s+");
        return IntStream.of(1, 2, 3, 6, 7).mapToLong(i -> Long.parseLong(fields[i])).sum() / 100.0;
    }

    private static long memoryInUse() throws IOException {
        Map<String, Long> kilobytes = new HashMap<>();
        for (String line : Files.readAllLines(Path.of("/proc/meminfo")))
            kilobytes.put(line.split(":")[0], Long.parseLong(line.replaceAll("\\D", "")));
        return (kilobytes.get("MemTotal") - kilobytes.get("MemAvailable")) * 1024;
    }

    private static double median(List<Figures> all, ToDoubleFunction<Figures> figure) {
        double[] sorted = all.stream().mapToDouble(figure).sorted().toArray();
        return sorted.length % 2 == 1 ? sorted[sorted.length / 2]
                : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
    }

    /**
     * Medians and ranges, and the ratios of KindDemo's times to those of the plain shell and of bare clusters with the
     * same number of workers.
     */
    private String table() {
        StringBuilder text = new StringBuilder("""
                | | seconds, median (min–max) | ratio to plain shell | ratio to bare clusters | CPU s | peak MB |
                | --- | --- | --- | --- | --- | --- |
                """);
        results.forEach((what, all) -> {
            double seconds = median(all, Figures::seconds);
            String suffix = what.contains(", 1 worker") ? ", 1 worker" : ", 0 workers";
            text.append("| %s | %.1f (%.1f–%.1f) | %s | %s | %.0f | %.0f |%n".formatted(what, seconds,
                    all.stream().mapToDouble(Figures::seconds).min().orElse(0),
                    all.stream().mapToDouble(Figures::seconds).max().orElse(0),
                    ratio(what, seconds, "plain shell" + suffix), ratio(what, seconds, "bare kind clusters" + suffix),
                    median(all, Figures::cpuSeconds), median(all, Figures::megabytes)));
        });
        return text.toString();
    }

    private String ratio(String what, double seconds, String to) {
        return results.containsKey(to) && what.startsWith("KindDemo")
                ? "%.2f".formatted(seconds / median(results.get(to), Figures::seconds)) : "";
    }

    /** Draws the output of --timings: a lane per cluster, a bar per step. */
    static String draw(String timings) {
        record Bar(String lane, String what, double from, double to) {}
        List<Bar> bars = Pattern.compile("(?m)^(?:(\\S+): )?(.+?) +([\\d.]+) → +([\\d.]+) ").matcher(timings).results()
                .map(m -> new Bar(Objects.requireNonNullElse(m.group(1), "mesh"), m.group(2),
                        Double.parseDouble(m.group(3)), Double.parseDouble(m.group(4))))
                .sorted(Comparator.comparing(Bar::lane).thenComparing(Bar::from)).toList();
        double end = bars.stream().mapToDouble(Bar::to).max().orElse(1), scale = 800 / end;
        StringBuilder svg = new StringBuilder();
        int y = 20;
        String lane = "";
        for (Bar bar : bars) {
            if (!bar.lane.equals(lane)) {
                y += 22;
                svg.append("<text x='8' y='%d' font-weight='bold'>%s</text>%n".formatted(y - 6, bar.lane));
                lane = bar.lane;
            }
            svg.append(("<rect x='%.1f' y='%d' width='%.1f' height='14' rx='2'/>"
                    + "<text x='%.1f' y='%d'>%s %.1f s</text>%n").formatted(
                    120 + bar.from * scale, y, Math.max(1, (bar.to - bar.from) * scale),
                    124 + bar.from * scale, y + 11, bar.what, bar.to - bar.from));
            y += 17;
        }
        return """
                <svg xmlns='http://www.w3.org/2000/svg' width='1100' height='%d' font-family='sans-serif'
                font-size='11'>
                <style>rect{fill:#8ecae6}svg{background:#fff}</style>
                %s<text x='120' y='%d'>%.1f s in total</text></svg>
                """.formatted(y + 40, svg, y + 24, end);
    }
}
