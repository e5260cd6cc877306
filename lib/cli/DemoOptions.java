package lib.cli;

import module java.base;
import lib.ca.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that the three scripts share. Where a description names a variable, the option can come from it. */
public final class DemoOptions {
    private static final String DEFAULT_PREFIX = "so", THREE_NUMBERS = "v?\\d+\\.\\d+\\.\\d+";

    @Option(names = "--clusters", paramLabel = "N",
            description = "Number of clusters, 1 to 9. Default: the existing ones, else 2. [KIND_DEMO_CLUSTERS]")
    Integer clusters;

    @Option(names = "--contexts", paramLabel = "NAME", split = ",",
            description = "Existing clusters, by their contexts: only the mesh is installed into them, and removed "
                    + "from them. [KIND_DEMO_CONTEXTS]")
    private List<String> contexts;

    @Option(names = "--workers", paramLabel = "N",
            description = "Worker nodes per cluster, in addition to the control plane. Default: the existing number, "
                    + "else 0. [KIND_DEMO_WORKERS]")
    Integer workers;

    @Option(names = "--name-prefix", paramLabel = "NAME", defaultValue = DEFAULT_PREFIX,
            description = "Clusters are named NAME1, NAME2, … Default: ${DEFAULT-VALUE}. [KIND_DEMO_NAME_PREFIX]")
    private String namePrefix;

    @Option(names = "--node-image", paramLabel = "IMAGE",
            description = "Node image for kind. Default: that of the existing nodes, else the pinned one. "
                    + "[KIND_DEMO_NODE_IMAGE]")
    private String nodeImage;

    @Option(names = "--kubernetes-version", paramLabel = "VERSION",
            description = "Kubernetes version, instead of --node-image: selects the node image kindest/node:vVERSION. "
                    + "[KIND_DEMO_KUBERNETES_VERSION]")
    private String kubernetesVersion;

    @Option(names = "--ca", paramLabel = "NAME",
            description = "Certificate authority for workload certificates: ${COMPLETION-CANDIDATES}. Default: the "
                    + "one in use, else local. [KIND_DEMO_CA]")
    CertificateAuthority.Choice ca;

    @Option(names = "--vault-port", paramLabel = "N",
            description = "Port of Vault's API and web page on 127.0.0.1. Default: its current port, else 8200. "
                    + "[KIND_DEMO_VAULT_PORT]")
    Integer vaultPort;

    // not NAME: the completion script has one list of values for each label
    @Option(names = "--dataplane", paramLabel = "MODE",
            description = "How workloads join the mesh: ${COMPLETION-CANDIDATES}. Default: the one in use, else "
                    + "sidecar. [KIND_DEMO_DATAPLANE]")
    private DataPlane dataPlane;

    @Option(names = "--waypoints", negatable = true,
            description = "With --dataplane ambient: send requests to the sample service through a waypoint in each "
                    + "cluster. Default: the current setting, else no. [KIND_DEMO_WAYPOINTS]")
    private Boolean waypoints;

    @Option(names = "--observe", arity = "0..1", fallbackValue = "true", paramLabel = "BOOLEAN",
            description = "Add Kiali and Prometheus, for all clusters. Default: the current setting, else no; "
                    + "--observe= removes them. [KIND_DEMO_OBSERVE]")
    private String observe;

    @Option(names = "--istio-version", paramLabel = "VERSION", description = "Istio version; istioctl must have the "
            + "same minor version. Default: the installed one, else " + Versions.ISTIO + ". [KIND_DEMO_ISTIO_VERSION]")
    private String istioVersion;

    @Option(names = "--istio-set", paramLabel = "KEY=VALUE",
            description = "Istio setting, as istioctl's --set; may be repeated. Default: the current settings; "
                    + "--istio-set= removes them. [KIND_DEMO_ISTIO_SET, separated by spaces]")
    private List<String> istioSet;

    @Option(names = "--istio-values", paramLabel = "FILE", split = ",",
            description = "File with an IstioOperator to overlay, as istioctl's -f; may be repeated. Default: the "
                    + "current files, as they were when given; --istio-values= removes them. [KIND_DEMO_ISTIO_VALUES, "
                    + "separated by commas]")
    private List<Path> istioValues;

    @Option(names = "--manifests", paramLabel = "DIR",
            description = "Your own copy of manifests/. Default: the manifests of the scripts. [KIND_DEMO_MANIFESTS]")
    private Path manifests;

    @Option(names = "--mirror", paramLabel = "DIR|URL",
            description = "Folder or server to take downloads from; a server has https://github.com/… at "
                    + "URL/github.com/… Default: the original servers. [KIND_DEMO_MIRROR]")
    private String mirror;

    /** The folder of --mirror, as earlier versions called it. */
    @Option(names = "--assets", paramLabel = "DIR", hidden = true, description = "[KIND_DEMO_ASSETS]")
    private Path assets;

    @Option(names = "--offline", paramLabel = "FILE",
            description = "Take everything from this bundle (archive or folder), which --bundle created, and download "
                    + "nothing. [KIND_DEMO_OFFLINE]")
    Path offline;

    @Option(names = "--diagnostics", paramLabel = "DIR",
            description = "Write diagnostics without secrets into this folder. KindDemo writes them when a step fails.")
    private Path diagnostics;

    @Option(names = {"-v", "--verbose"},
            description = "Show each outside command with its output, and stack traces of defects.")
    boolean verbose;

    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    /** Rejects invalid values with a {@link ParameterException}. */
    void check() {
        require(clusters == null || clusters >= 1 && clusters <= Cluster.MOST,
                "--clusters accepts 1 to %d, not %d", Cluster.MOST, clusters);
        require(workers == null || workers >= 0 && workers <= 9, "--workers accepts 0 to 9, not %d", workers);
        require(!existing() || ca == null || ca == CertificateAuthority.Choice.local,
                "--ca %s is for clusters that the demo creates: Vault joins their network; with --contexts use --ca "
                        + "local", ca);
        require(ca != CertificateAuthority.Choice.istioCsr || dataPlane != DataPlane.ambient,
                "--ca %s has not been tried with --dataplane %s: use --ca local or --ca vault", ca, dataPlane);
        require(!existing() || clusters == null,
                "--contexts names the clusters; --clusters is for clusters that the demo creates");
        require(!existing() || contexts.stream().allMatch(c -> !c.isBlank() && c.matches("\\P{Cntrl}+"))
                && Set.copyOf(contexts).size() == contexts.size(),
                "--contexts accepts different names, separated by commas, not '%s'", String.join(",", contexts()));
        require(namePrefix.matches("[a-z]([a-z0-9-]{0,28}[a-z0-9])?"),
                "--name-prefix accepts at most 30 lower-case letters, digits and hyphens, a letter first, not '%s'",
                namePrefix);
        require(nodeImage == null || nodeImage.matches("[A-Za-z0-9][\\w./:@-]*"),
                "--node-image accepts the name of an image, not '%s'", nodeImage);
        require(nodeImage == null || kubernetesVersion == null
                || typed("--node-image") != typed("--kubernetes-version"),
                "--kubernetes-version and --node-image both name a node image: use one of them");
        require(kubernetesVersion == null || kubernetesVersion.matches(THREE_NUMBERS),
                "--kubernetes-version accepts three numbers, such as %s, not '%s'", Version.first(Versions.NODE_IMAGE),
                kubernetesVersion);
        require(istioVersion == null || istioVersion.matches(THREE_NUMBERS),
                "--istio-version accepts three numbers, such as %s, not '%s'", Versions.ISTIO, istioVersion);
        require(vaultPort == null || vaultPort >= 1 && vaultPort <= 65535, "--vault-port accepts 1 to 65535, not %d",
                vaultPort);
        require(manifests == null || Files.isDirectory(manifests), "--manifests accepts a folder, not %s", manifests);
        require(assets == null || Files.isDirectory(assets), "--assets accepts a folder, not %s", assets);
        require(mirror == null || mirrorUrl().isPresent() || new DownloadSource(mirror).folder().isPresent(),
                "--mirror accepts a folder, or a URL such as https://mirror.example.org/upstream, not '%s'", mirror);
        require(observe == null || observe.matches("|true|false"), "--observe accepts true or false, not %s", observe);
        checkIstio(istio(DemoState.of(dirs()).istio()));
    }

    private void checkIstio(IstioSettings istio) {
        require(waypoints == null || !waypoints || istio.dataPlane() == DataPlane.ambient,
                "--waypoints needs --dataplane ambient");
        for (String set : istio.set()) require(set.matches("[^=\\s][^=]*=.*"),
                "--istio-set accepts KEY=VALUE, such as meshConfig.enableTracing=true, not '%s'", set);
        for (Path file : istio.values()) require(Files.isReadable(file) && !Files.isDirectory(file),
                "--istio-values accepts a file that can be read, not %s", file);
        String refused = istio.unsupported().orElse("");
        require(refused.isEmpty(), "--istio-set, --istio-values: %s", refused);
    }

    private void require(boolean valid, String otherwise, Object... values) {
        if (!valid) throw new ParameterException(command.commandLine(), otherwise.formatted(values));
    }

    /** Whether an option was typed: it has precedence over one that comes from a variable. */
    private boolean typed(String option) { return command.commandLine().getParseResult().hasMatchedOption(option); }

    /** Whether the mesh goes into existing clusters. */
    boolean existing() { return contexts != null && !contexts.isEmpty(); }

    List<String> contexts() { return existing() ? contexts : List.of(); }

    /** What the names of everything that the demo creates begin with. */
    String prefix() { return namePrefix; }

    boolean hasDefaultPrefix() { return namePrefix.equals(DEFAULT_PREFIX); }

    /** The node image of --node-image or --kubernetes-version. */
    Optional<String> nodeImage() {
        if (kubernetesVersion == null || typed("--node-image")) return Optional.ofNullable(nodeImage);
        String image = "kindest/node:v" + kubernetesVersion.replaceFirst("^v", "");
        return Optional.of(Versions.NODE_IMAGE.startsWith(image + "@") ? Versions.NODE_IMAGE : image);
    }

    int clusters(int otherwise) { return clusters != null ? clusters : otherwise; }

    /** Whether a new demo can use the slot. The default demo keeps the documented ports: preflight checks them. */
    boolean canUse(int slot) {
        return slot == 0 && hasDefaultPrefix() || Mesh.of(namePrefix, clusters(2), slot).clusters().stream()
                .flatMap(cluster -> cluster.ports().stream()).allMatch(Machine::isFree);
    }

    /** The certificate authority that is asked for, else the one in use. */
    CertificateAuthority.Choice ca(DemoState state) {
        return ca != null ? ca : state.authority().orElse(CertificateAuthority.Choice.local);
    }

    /** The nodes that are asked for, else as they exist, else as the bundle or the pins say. */
    NodeSettings nodeSettings(ExistingClusters existing, Optional<Bundle> bundle) {
        Optional<String> image = nodeImage();
        String used = image.or(existing::nodeImage).or(() -> bundle.map(Bundle::nodeImage)).orElse(Versions.NODE_IMAGE);
        return new NodeSettings(workers != null ? workers : existing.workers(), workers != null, used,
                image.isPresent());
    }

    /** The Istio that is asked for: each setting from its option, else from the current ones, else as pinned. */
    public IstioSettings istio(Optional<IstioSettings> current) {
        boolean fromEnvironment = istioSet != null && !typed("--istio-set");
        List<String> set = fromEnvironment ? List.of(istioSet.getFirst().split("\\s+")) : istioSet;
        String version = istioVersion == null ? null : istioVersion.replaceFirst("^v", "");
        List<Path> values = istioValues == null ? null : istioValues.stream()
                .map(file -> file.toString().isEmpty() ? file : file.toAbsolutePath()).toList();
        return current.orElse(IstioSettings.PINNED).with(version, dataPlane, waypoints, set, values);
    }

    /** Whether the demo gets Prometheus and Kiali: as asked for, else as it is. */
    boolean observe(DemoState state) { return observe == null ? state.observed() : observe.equals("true"); }

    /** Whether an option says to remove them. */
    boolean stopsObserving() { return observe != null && !observe.equals("true"); }

    /** Whether no option says anything about Istio. */
    boolean leavesIstio() { return istioSet == null && istioValues == null && istioVersion == null; }

    Manifests manifests() { return new Manifests(manifests); }

    Optional<URI> mirrorUrl() { return new DownloadSource(mirror).url(); }

    /** The folder of --mirror, or of its old name. */
    Optional<Path> mirrorFolder() {
        return new DownloadSource(mirror).folder().or(() -> Optional.ofNullable(assets));
    }

    Optional<Path> diagnostics() { return Optional.ofNullable(diagnostics); }

    AppDirs dirs() { return existing() ? DemoState.dirs(contexts) : AppDirs.of(namePrefix); }

    /** Our commands for this demo, with the options that a user must repeat to mean the same one. */
    DemoCommands commands() {
        String demo = existing() ? " --contexts " + DemoCommands.quoted(String.join(",", contexts))
                : hasDefaultPrefix() ? "" : " --name-prefix " + namePrefix;
        return new DemoCommands(demo, offline == null ? "" : " --offline " + DemoCommands.quoted("" + offline));
    }
}
