package lib;

import module java.base;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that the three scripts share, and what follows from them. Each can come from the environment too. */
public final class Settings {
    @Option(names = "--clusters", paramLabel = "N", defaultValue = "${KIND_DEMO_CLUSTERS}",
            description = "Number of clusters, 1 to 9. Default: those that are there, else 2. [KIND_DEMO_CLUSTERS]")
    private Integer clusters;

    @Option(names = "--workers", paramLabel = "N", defaultValue = "${KIND_DEMO_WORKERS:-0}",
            description = "Worker nodes per cluster, beside the control plane. Default: ${DEFAULT-VALUE}. [KIND_DEMO_WORKERS]")
    private int workers;

    @Option(names = "--name-prefix", paramLabel = "NAME", defaultValue = "${KIND_DEMO_NAME_PREFIX:-so}",
            description = "Clusters are named NAME1, NAME2, … Default: ${DEFAULT-VALUE}. [KIND_DEMO_NAME_PREFIX]")
    private String namePrefix;

    @Option(names = "--node-image", paramLabel = "IMAGE", defaultValue = "${KIND_DEMO_NODE_IMAGE:-" + Versions.NODE_IMAGE + "}",
            description = "Node image for kind. Default: kindest/node as pinned in lib/Versions.java. [KIND_DEMO_NODE_IMAGE]")
    private String nodeImage;

    @Option(names = "--manifests", paramLabel = "DIR", defaultValue = "${KIND_DEMO_MANIFESTS}",
            description = "Your own copy of manifests/, used in place of the one that came with the scripts. [KIND_DEMO_MANIFESTS]")
    private Path manifests;

    @Option(names = "--assets", paramLabel = "DIR", defaultValue = "${KIND_DEMO_ASSETS}",
            description = "Folder with files that upstream publishes (such as MetalLB's manifest): they are not fetched. [KIND_DEMO_ASSETS]")
    private Path assets;

    @Option(names = {"-v", "--verbose"}, description = "Show each outside command and what it prints; stack traces on a defect.")
    private boolean verbose;

    @Spec(Spec.Target.MIXEE) private CommandSpec command;
    private Console console;
    private int found;

    /** A {@link ParameterException} when a value cannot be meant. */
    void check() {
        if (clusters != null && (clusters < 1 || clusters > Mesh.MOST_CLUSTERS))
            throw wrong("--clusters takes 1 to %d, not %d".formatted(Mesh.MOST_CLUSTERS, clusters));
        if (workers < 0 || workers > 9) throw wrong("--workers takes 0 to 9, not " + workers);
        if (!namePrefix.matches("[a-z]([a-z0-9-]{0,28}[a-z0-9])?"))
            throw wrong("--name-prefix takes lower-case letters, digits and hyphens, at most 30 and a letter first, not '%s'".formatted(namePrefix));
        if (!nodeImage.matches("[A-Za-z0-9][\\w./:@-]*")) throw wrong("--node-image takes the name of an image, not '%s'".formatted(nodeImage));
        if (manifests != null && !Files.isDirectory(manifests)) throw wrong("--manifests takes a folder; there is none at " + manifests);
        if (assets != null && !Files.isDirectory(assets)) throw wrong("--assets takes a folder; there is none at " + assets);
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    /** The clusters that this demo made, by their mark and their name. */
    public List<Cluster> ours(Docker docker) {
        Pattern named = Pattern.compile(Pattern.quote(namePrefix) + "([1-9])");
        return docker.nodes().stream().filter(Docker.Node::ours).map(n -> named.matcher(n.cluster())).filter(Matcher::matches)
                .map(m -> new Cluster(Integer.parseInt(m.group(1)), m.group())).distinct()
                .sorted(Comparator.comparing(Cluster::index)).toList();
    }

    /** Looks which clusters of ours exist: their number is the default for --clusters. A {@link Problem} when no engine answers. */
    public Settings discover(Docker docker) {
        docker.engine();
        found = ours(docker).stream().mapToInt(Cluster::index).max().orElse(0);
        return this;
    }

    /** How many clusters {@link #discover} found, by the highest number in their names. */
    public int found() { return found; }

    /** The mesh that is asked for: --clusters, else what was found, else two clusters. */
    public Mesh mesh() { return Mesh.of(namePrefix, clusters != null ? clusters : found > 0 ? found : 2); }

    public int workers() { return workers; }

    public String nodeImage() { return nodeImage; }

    public Manifests manifests() { return new Manifests(manifests); }

    public Home home() { return Home.of(namePrefix); }

    public Assets assets() { return new Assets(assets, home().cache()); }

    /** The console, opened when first asked for: --verbose must have been read by then. */
    public synchronized Console console() {
        if (console == null) console = new Console(verbose);
        return console;
    }

    /** The options that a user must repeat to mean the same demo. */
    public String asTyped() { return namePrefix.equals("so") ? "" : " --name-prefix " + namePrefix; }
}
