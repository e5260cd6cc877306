package lib.cli;

import module java.base;
import lib.verify.*;
import lib.istio.*;
import lib.kind.*;
import lib.ca.*;
import lib.docker.*;
import lib.kube.*;
import lib.fetch.*;
import lib.run.*;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that the three scripts share, and what follows from them. Each can come from the environment too. */
public final class DemoOptions {
    private static final String DEFAULT_PREFIX = "so", THREE_NUMBERS = "v?\\d+\\.\\d+\\.\\d+";

    @Option(names = "--clusters", paramLabel = "N", defaultValue = "${KIND_DEMO_CLUSTERS}",
            description = "Number of clusters, 1 to 9. Default: those that are there, else 2. [KIND_DEMO_CLUSTERS]")
    private Integer clusters;

    @Option(names = "--contexts", paramLabel = "NAME", split = ",", defaultValue = "${KIND_DEMO_CONTEXTS}",
            description = "Clusters that are there already, by their contexts: only the mesh is put into them, and taken out. "
                    + "[KIND_DEMO_CONTEXTS]")
    private List<String> contexts;

    @Option(names = "--workers", paramLabel = "N", defaultValue = "${KIND_DEMO_WORKERS}",
            description = "Worker nodes per cluster, beside the control plane. Default: as many as are there, else 0. "
                    + "[KIND_DEMO_WORKERS]")
    private Integer workers;

    @Option(names = "--name-prefix", paramLabel = "NAME", defaultValue = "${KIND_DEMO_NAME_PREFIX:-" + DEFAULT_PREFIX + "}",
            description = "Clusters are named NAME1, NAME2, … Default: ${DEFAULT-VALUE}. [KIND_DEMO_NAME_PREFIX]")
    private String namePrefix;

    @Option(names = "--node-image", paramLabel = "IMAGE", defaultValue = "${KIND_DEMO_NODE_IMAGE}",
            description = "Node image for kind. Default: that of the nodes that are there, else as pinned in lib/fetch/Versions.java. "
                    + "[KIND_DEMO_NODE_IMAGE]")
    private String nodeImage;

    @Option(names = "--kubernetes-version", paramLabel = "VERSION", defaultValue = "${KIND_DEMO_KUBERNETES_VERSION}",
            description = "Kubernetes, in place of --node-image: kind's node image kindest/node:vVERSION. "
                    + "[KIND_DEMO_KUBERNETES_VERSION]")
    private String kubernetesVersion;

    @Option(names = "--ca", paramLabel = "NAME", defaultValue = "${KIND_DEMO_CA}",
            description = "Whose root signs the workloads' certificates: ${COMPLETION-CANDIDATES}. Default: the one that is in place, "
                    + "else local. [KIND_DEMO_CA]")
    private CertificateAuthority.Choice ca;

    @Option(names = "--vault-port", paramLabel = "N", defaultValue = "${KIND_DEMO_VAULT_PORT}",
            description = "Port of Vault's API and web page on 127.0.0.1. Default: its current port, else 8200. "
                    + "[KIND_DEMO_VAULT_PORT]")
    private Integer vaultPort;

    @Option(names = "--istio-version", paramLabel = "VERSION", defaultValue = "${KIND_DEMO_ISTIO_VERSION}",
            description = "Istio; istioctl must be of the same minor version. Default: the one in place, else " + Versions.ISTIO
                    + ". [KIND_DEMO_ISTIO_VERSION]")
    private String istioVersion;

    @Option(names = "--istio-set", paramLabel = "KEY=VALUE", defaultValue = "${KIND_DEMO_ISTIO_SET}",
            description = "A setting of Istio, as istioctl's --set; may be repeated. Default: those in place; --istio-set= for none. "
                    + "[KIND_DEMO_ISTIO_SET, with spaces between]")
    private List<String> istioSet;

    @Option(names = "--istio-values", paramLabel = "FILE", split = ",", defaultValue = "${KIND_DEMO_ISTIO_VALUES}",
            description = "A file with an IstioOperator to lay over the demo's own, as istioctl's -f; may be repeated. Default: those in "
                    + "place, as they were then; --istio-values= for none. [KIND_DEMO_ISTIO_VALUES, with commas between]")
    private List<Path> istioValues;

    @Option(names = "--manifests", paramLabel = "DIR", defaultValue = "${KIND_DEMO_MANIFESTS}",
            description = "Your own copy of manifests/, used in place of the one that came with the scripts. [KIND_DEMO_MANIFESTS]")
    private Path manifests;

    @Option(names = "--assets", paramLabel = "DIR", defaultValue = "${KIND_DEMO_ASSETS}",
            description = "Folder with files that upstream publishes (such as MetalLB's manifest): they are not fetched. "
                    + "[KIND_DEMO_ASSETS]")
    private Path assets;

    @Option(names = "--mirror", paramLabel = "URL", defaultValue = "${KIND_DEMO_MIRROR}",
            description = "Server to fetch upstream's files from: https://github.com/… is asked for as URL/github.com/… "
                    + "[KIND_DEMO_MIRROR]")
    private URI mirror;

    @Option(names = "--offline", paramLabel = "FILE", defaultValue = "${KIND_DEMO_OFFLINE}",
            description = "Take everything from an archive or folder that --bundle made, and fetch nothing. [KIND_DEMO_OFFLINE]")
    private Path offline;

    @Option(names = "--diagnostics", paramLabel = "DIR",
            description = "Write what is known of the demo into this folder, without secrets. KindDemo does so by itself when a step "
                    + "fails.")
    private Path diagnostics;

    @Option(names = {"-v", "--verbose"}, description = "Show each outside command and what it prints; stack traces on a defect.")
    private boolean verbose;

    @Spec(Spec.Target.MIXEE) private CommandSpec command;
    private Console console;
    private Binary kind, istioctl;
    private Bundle bundle;
    private DemoState remembered;
    private ExistingClusters found = ExistingClusters.of("", 0, List.of());
    private List<Docker.Node> nodes = List.of();

    /** A {@link ParameterException} when a value cannot be meant. */
    void check() {
        if (clusters != null && (clusters < 1 || clusters > Mesh.MOST_CLUSTERS))
            throw wrong("--clusters takes 1 to %d, not %d".formatted(Mesh.MOST_CLUSTERS, clusters));
        if (workers != null && (workers < 0 || workers > 9)) throw wrong("--workers takes 0 to 9, not " + workers);
        if (existing() && ca != null && ca != CertificateAuthority.Choice.local)
            throw wrong("--ca %s is for clusters that the demo makes: Vault joins their network; with --contexts the root is local"
                    .formatted(ca));
        if (existing() && clusters != null) throw wrong("--contexts names the clusters; --clusters is for those that the demo makes");
        if (existing() && (contexts.stream().anyMatch(c -> c.isBlank() || !c.matches("\\P{Cntrl}+"))
                || Set.copyOf(contexts).size() < contexts.size()))
            throw wrong("--contexts takes different names, with commas between them, not '%s'".formatted(String.join(",", contexts)));
        if (!namePrefix.matches("[a-z]([a-z0-9-]{0,28}[a-z0-9])?"))
            throw wrong("--name-prefix takes lower-case letters, digits and hyphens, at most 30 and a letter first, not '%s'"
                    .formatted(namePrefix));
        if (nodeImage != null && !nodeImage.matches("[A-Za-z0-9][\\w./:@-]*"))
            throw wrong("--node-image takes the name of an image, not '%s'".formatted(nodeImage));
        if (nodeImage != null && kubernetesVersion != null && typed("--node-image") == typed("--kubernetes-version"))
            throw wrong("--kubernetes-version names a node image too: leave it or --node-image out");
        if (kubernetesVersion != null && !kubernetesVersion.matches(THREE_NUMBERS))
            throw wrong("--kubernetes-version takes three numbers, such as %s, not '%s'".formatted(Version.first(Versions.NODE_IMAGE),
                    kubernetesVersion));
        if (istioVersion != null && !istioVersion.matches(THREE_NUMBERS))
            throw wrong("--istio-version takes three numbers, such as %s, not '%s'".formatted(Versions.ISTIO, istioVersion));
        for (String set : istio().set()) if (!set.matches("[^=\\s][^=]*=.*"))
            throw wrong("--istio-set takes KEY=VALUE, such as meshConfig.enableTracing=true, not '%s'".formatted(set));
        for (Path file : istio().values()) if (!Files.isReadable(file) || Files.isDirectory(file))
            throw wrong("--istio-values takes a file; none can be read at " + file);
        istio().refused().ifPresent(why -> { throw wrong("--istio-set, --istio-values: " + why); });
        if (vaultPort != null && (vaultPort < 1 || vaultPort > 65535)) throw wrong("--vault-port takes 1 to 65535, not " + vaultPort);
        if (manifests != null && !Files.isDirectory(manifests)) throw wrong("--manifests takes a folder; there is none at " + manifests);
        if (assets != null && !Files.isDirectory(assets)) throw wrong("--assets takes a folder; there is none at " + assets);
        if (mirror != null && (mirror.getHost() == null || !Objects.toString(mirror.getScheme()).matches("https?")))
            throw wrong("--mirror takes an address such as https://mirror.example.org/upstream, not '%s'".formatted(mirror));
    }

    /** Whether an option was typed: it may have its value from the environment too, and what is typed counts for more. */
    private boolean typed(String option) { return command.commandLine().getParseResult().hasMatchedOption(option); }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    /**
     * Looks which clusters exist: they are the default for what is not asked for. A {@link Problem} when no engine answers, or
     * --contexts names what is not there.
     */
    public DemoOptions discover(Docker docker) {
        if (existing()) {
            for (String context : contexts) if (!Kubeconfig.ofUser().has(context))
                throw Problem.usage("the kubeconfig has no context " + context, "kubectl config get-contexts");
            return this;
        }
        docker.engine();
        return found(docker.nodes());
    }

    /** Uses these as the nodes of all kind clusters; {@code --dry-run} asks for none. */
    public DemoOptions found(List<Docker.Node> all) {
        nodes = all;
        if (!existing()) found = ExistingClusters.of(namePrefix, ExistingClusters.slot(namePrefix, all, remembered().slot(),
                DemoState.slotsOfOthers(home()), this::free), all);
        return this;
    }

    /** Whether a new demo can use the slot. The default demo keeps README's ports: preflight refuses them when in use. */
    private boolean free(int slot) {
        if (slot == 0 && namePrefix.equals(DEFAULT_PREFIX)) return true;
        return Mesh.of(namePrefix, clusters != null ? clusters : 2, slot).clusters().stream()
                .flatMap(cluster -> cluster.ports().stream()).allMatch(HostChecks::free);
    }

    /** The option for another demo, whose cluster names no kind cluster has. */
    public String anotherDemo() {
        Predicate<String> used = prefix -> prefix.equals(namePrefix)
                || nodes.stream().anyMatch(node -> node.cluster().startsWith(prefix));
        return "--name-prefix " + Stream.iterate("demo", name -> name + "2").filter(used.negate()).findFirst().orElseThrow();
    }

    /** What {@link #discover} found. */
    public ExistingClusters found() { return found; }

    /** Those that were found, and those of an earlier run that somebody deleted and that are still in the kubeconfig. */
    public List<Cluster> removable() {
        if (existing()) return mesh().clusters();
        Kubeconfig kubeconfig = Kubeconfig.ofUser();
        return Mesh.of(namePrefix, Mesh.MOST_CLUSTERS, found.slot()).clusters().stream()
                .filter(c -> found.clusters().contains(c) || c.index() <= remembered().clusters()
                        && !found.foreign().contains(c) && kubeconfig.has(c.context())).toList();
    }

    /** Whether the mesh goes into clusters that are there already. */
    public boolean existing() { return contexts != null && !contexts.isEmpty(); }

    /** The mesh that is asked for: --contexts or --clusters, else what was found and what an earlier run made beside it, else two. */
    public Mesh mesh() {
        if (existing()) return Mesh.of(contexts);
        List<Cluster> ours = found.clusters();
        int there = ours.isEmpty() ? 2 : Math.max(ours.getLast().index(), remembered().clusters());
        return Mesh.of(namePrefix, clusters != null ? clusters : there, found.slot());
    }

    /** What --workers says. */
    public Optional<Integer> askedWorkers() { return Optional.ofNullable(workers); }

    /** What --node-image or --kubernetes-version says. */
    public Optional<String> askedNodeImage() {
        if (kubernetesVersion == null || typed("--node-image")) return Optional.ofNullable(nodeImage);
        String image = "kindest/node:v" + kubernetesVersion.replaceFirst("^v", "");
        return Optional.of(Versions.NODE_IMAGE.startsWith(image + "@") ? Versions.NODE_IMAGE : image);
    }

    /** Workers per cluster: --workers, else as many as were found, else none. */
    public int workers() { return workers != null ? workers : found.workers(); }

    /** The node image: the one that is asked for, else the one of the nodes that were found, else the pinned one. */
    public String nodeImage() {
        return askedNodeImage().or(found::nodeImage).or(() -> bundle().map(Bundle::nodeImage)).orElse(Versions.NODE_IMAGE);
    }

    /** What is wanted of Istio: each of --istio-version, --istio-set, --istio-values, else as an earlier run kept it, else as pinned. */
    public IstioSettings istio() {
        boolean fromEnvironment = istioSet != null && !typed("--istio-set");
        List<String> set = fromEnvironment ? List.of(istioSet.getFirst().split("\\s+")) : istioSet;
        return remembered().istio().orElse(IstioSettings.PINNED).with(
                istioVersion == null ? null : istioVersion.replaceFirst("^v", ""), set,
                istioValues == null ? null : istioValues.stream().map(file -> file.toString().isEmpty() ? file : file.toAbsolutePath())
                        .toList());
    }

    /** Whether this demo was given more of Istio by an earlier run, and this one leaves it so without saying. */
    public boolean keepsIstio() {
        return istioSet == null && istioValues == null && istioVersion == null && !istio().equals(IstioSettings.PINNED);
    }

    /** Whether what is given to istioctl is not what came with the scripts. */
    public boolean ownIstio() { return manifests != null || istio().custom(); }

    /** Who signs: --ca, else the one that is in place, else local. */
    public CertificateAuthority.Choice ca() { return ca != null ? ca : remembered().authority().orElse(CertificateAuthority.Choice.local); }

    /** What --vault-port says. */
    public Optional<Integer> askedVaultPort() { return Optional.ofNullable(vaultPort); }

    public Manifests manifests() { return new Manifests(manifests); }

    /** What the names of all that is made begin with. */
    public String prefix() { return namePrefix; }

    /** What earlier runs kept of this demo. */
    public synchronized DemoState remembered() {
        if (remembered == null) remembered = DemoState.of(home());
        return remembered;
    }

    /** Keeps what this run is asked for, so that later ones without these options mean the same. */
    public synchronized void remember(Mesh mesh) throws IOException {
        if (!existing() && found.ours().isEmpty() && remembered().slot().isEmpty()
                && DemoState.slotsOfOthers(home()).contains(found.slot()))
            throw Problem.unfit("another demo has just started with the same ports",
                    "run this command again: it chooses other ports");
        remembered = new DemoState(mesh.clusters().size(), Optional.of(ca()), Optional.of(istio()),
                existing() ? OptionalInt.empty() : OptionalInt.of(found.slot()));
        remembered.keep(home());
    }

    public AppDirs home() { return existing() ? AppDirs.of(contexts) : AppDirs.of(namePrefix); }

    public Downloads assets() { return new Downloads(assets, home().cache(), mirror, offline != null, console()); }

    /** What everything comes from with --offline: opened when first asked for, before any program is. */
    public synchronized Optional<Bundle> bundle() {
        if (bundle == null && offline != null)
            bundle = new Bundle(offline, istio().version(), console()).open(home().cache(), kind(), istioctl());
        return Optional.ofNullable(bundle);
    }

    /** Where --diagnostics wants them. */
    public Optional<Path> diagnostics() { return Optional.ofNullable(diagnostics); }

    /** kind, looked for once. */
    public synchronized Binary kind() {
        if (kind == null) kind = new Binary(Kind.PROGRAM, this::assets, home().cache(), console());
        return kind;
    }

    /** istioctl, looked for once. */
    public synchronized Binary istioctl() {
        if (istioctl == null) istioctl = new Binary(Istioctl.program(istio().version()), this::assets, home().cache(), console());
        return istioctl;
    }

    /** The console, opened when first asked for: --verbose must have been read by then. */
    public synchronized Console console() {
        if (console == null) console = new Console(verbose, commands());
        return console;
    }

    /** Our commands for this demo: with the options that a user must repeat to mean the same one. */
    public DemoCommands commands() {
        return new DemoCommands(existing() ? " --contexts " + ExternalCommand.quoted(String.join(",", contexts))
                : namePrefix.equals(DEFAULT_PREFIX) ? "" : " --name-prefix " + namePrefix, offline == null ? "" : " --offline "
                + ExternalCommand.quoted("" + offline));
    }
}
