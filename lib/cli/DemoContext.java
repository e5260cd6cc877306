package lib.cli;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.experiments.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import lib.verify.*;

/** The demo that the options mean: which clusters it has, and the objects that work on it. They are wired here and nowhere else. */
public final class DemoContext {
    private final DemoOptions options;
    private final Console console;
    private final AppDirs dirs;
    private final DemoState state;
    private final ExistingClusters existing;
    private final Manifests manifests;
    private final IstioSettings istio;
    private final Docker docker;
    private final Downloads downloads;
    private final Binary kindBinary, istioctlBinary;
    private final Optional<Bundle> bundle;
    private final CertificateAuthority authority;
    private final Vault vault;
    private final MetalLb metalLb;
    private final Istioctl istioctl;
    private final Kind kind;
    private final NodeSettings nodeSettings;

    /**
     * Looks which clusters exist: they are the default for what no option says.
     *
     * @throws Problem when Docker does not answer, or --contexts names a context that does not exist
     */
    static DemoContext discover(DemoOptions options, Console console) {
        for (String context : options.contexts()) if (!Kubeconfig.ofUser().has(context))
            throw Problem.usage("the kubeconfig has no context " + context, "kubectl config get-contexts");
        if (options.existing()) return new DemoContext(options, console, List.of());
        Docker docker = new Docker(console);
        docker.engine();
        return new DemoContext(options, console, docker.nodes());
    }

    /** @param nodes the nodes of all kind clusters */
    DemoContext(DemoOptions options, Console console, List<Docker.Node> nodes) {
        this.options = options;
        this.console = console;
        dirs = options.dirs();
        state = DemoState.of(dirs);
        existing = options.existing() ? ExistingClusters.NONE : ExistingClusters.of(options.prefix(),
                ExistingClusters.slot(options.prefix(), nodes, state.slot(), DemoState.slotsOfOthers(dirs), this::isFree), nodes);
        manifests = options.manifests();
        istio = options.istio(state.istio());
        docker = new Docker(console, options.prefix());
        downloads = new Downloads(options.mirrorFolder(), dirs.cache(), options.mirrorUrl(), options.offline != null, console);
        kindBinary = new Binary(Kind.BINARY, downloads, dirs.cache(), console);
        istioctlBinary = new Binary(Istioctl.binary(istio.version()), downloads, dirs.cache(), console);
        bundle = Optional.ofNullable(options.offline).map(file ->
                new Bundle(file, istio.version(), console).open(dirs.cache(), kindBinary, istioctlBinary));
        vault = new Vault(options.prefix(), Optional.ofNullable(options.vaultPort), existing.slot(), docker, this::unavailable,
                manifests, dirs.state(), console);
        authority = switch (ca()) {
            case local -> new LocalAuthority(dirs.state(), manifests);
            case vault -> vault;
            case istioCsr -> new IstioCsr(vault, certManager(), manifests);
        };
        metalLb = new MetalLb(downloads, manifests, docker);
        istioctl = new Istioctl(istioctlBinary, istio, state.istio(), manifests, authority.address(), dirs.state(), console);
        nodeSettings = nodeSettings();
        kind = new Kind(kindBinary, docker, manifests, nodeSettings, dirs.state(), console);
    }

    /** Whether a new demo can use the slot. The default demo keeps the documented ports: preflight reports those in use. */
    private boolean isFree(int slot) {
        if (slot == 0 && options.hasDefaultPrefix()) return true;
        return Mesh.of(options.prefix(), options.clusters != null ? options.clusters : 2, slot).clusters().stream()
                .flatMap(cluster -> cluster.ports().stream()).allMatch(Machine::isFree);
    }

    private CertificateAuthority.Choice ca() {
        return options.ca != null ? options.ca : state.authority().orElse(CertificateAuthority.Choice.local);
    }

    private NodeSettings nodeSettings() {
        Optional<String> image = options.nodeImage();
        return new NodeSettings(options.workers != null ? options.workers : existing.workers(), options.workers != null,
                image.or(existing::nodeImage).or(() -> bundle.map(Bundle::nodeImage)).orElse(Versions.NODE_IMAGE), image.isPresent());
    }

    /** Why an image can neither be pulled nor loaded; empty when it can. */
    private String unavailable(String image) {
        return bundle.map(b -> b.images().contains(image) ? "" : "it is not in the bundle").orElseGet(() -> docker.whyNotPullable(image));
    }

    /** The mesh of --contexts or --clusters, else of the existing clusters and of those that an earlier run created, else of two. */
    public Mesh mesh() {
        if (options.existing()) return InstalledIstio.withKeptIds(Mesh.of(options.contexts()), console);
        List<Cluster> ours = existing.clusters();
        int known = ours.isEmpty() ? 2 : Math.max(ours.getLast().index(), state.clusters());
        return Mesh.of(options.prefix(), options.clusters != null ? options.clusters : known, existing.slot());
    }

    /** The mesh to verify: in existing clusters with the IDs and networks that its control planes have. */
    public Mesh installedMesh() {
        if (options.existing()) return InstalledIstio.describe(Mesh.of(options.contexts()), console);
        if (existing.clusters().isEmpty()) throw Problem.unmet("no demo to verify: cluster %s does not exist".formatted(
                mesh().clusters().getFirst()), commands().kindDemo());
        return mesh();
    }

    /** The clusters to remove: the existing ones, and those of an earlier run that were deleted but are in the kubeconfig. */
    public List<Cluster> removable() {
        if (options.existing()) return Mesh.of(options.contexts()).clusters();
        Kubeconfig kubeconfig = Kubeconfig.ofUser();
        return Mesh.of(options.prefix(), Cluster.MOST, existing.slot()).clusters().stream()
                .filter(c -> existing.clusters().contains(c) || c.index() <= state.clusters()
                        && !existing.foreign().contains(c) && kubeconfig.has(c.context())).toList();
    }

    /** Clients for the clusters; those that exist begin to connect. */
    public List<Kube> connect(Mesh mesh) {
        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        kubes.stream().filter(kube -> options.existing() || existing.clusters().contains(kube.cluster())).forEach(Kube::connectEarly);
        return kubes;
    }

    /** Keeps what this run is asked for, so that later runs without these options mean the same. */
    public void keepState(Mesh mesh) throws IOException {
        if (!options.existing() && existing.ours().isEmpty() && state.slot().isEmpty()
                && DemoState.slotsOfOthers(dirs).contains(existing.slot()))
            throw Problem.unmet("another demo has just started with the same ports", "run this command again: it chooses other ports");
        new DemoState(mesh.clusters().size(), Optional.of(ca()), Optional.of(istio),
                options.existing() ? OptionalInt.empty() : OptionalInt.of(existing.slot())).write(dirs);
    }

    /** The settings of Istio that an earlier run was given and that this run keeps. */
    public Optional<IstioSettings> keptIstioSettings() {
        return Optional.of(istio).filter(kept -> options.leavesIstio() && !kept.equals(IstioSettings.PINNED));
    }

    public Preflight preflight(Mesh mesh, Images images, boolean force) {
        List<Check> checks = options.existing() ? Preflight.forExistingClusters(mesh, istioctl, force, console)
                : Preflight.forNewClusters(mesh, new HostChecks(docker),
                        new KindChecks(kind, nodeSettings, existing, docker, commands()), images, istioctl, metalLb, this::checkAuthority, dirs.cache());
        return new Preflight(checks, dirs, console);
    }

    private String checkAuthority() {
        checkAuthority(state.authority(), ca(), commands());
        return authority.check();
    }

    /** A {@link Problem} when another certificate authority is in use than the one that is asked for. */
    static void checkAuthority(Optional<CertificateAuthority.Choice> inUse, CertificateAuthority.Choice wanted, DemoCommands commands) {
        if (inUse.isPresent() && inUse.get() != wanted)
            throw Problem.unmet("the demo uses --ca %s, and a running mesh cannot change its root".formatted(inUse.get()),
                    "leave --ca %s out, or start from scratch: %s".formatted(wanted, commands.fromScratch("--ca", "" + wanted)));
    }

    /** The images of Istio, MetalLB, the certificate authority and the sample application, and the node image. */
    public Images images(Mesh mesh) {
        Set<String> names = new TreeSet<>();
        List.of(istioctl.images(mesh), MetalLb.images(), authority.images(), sampleApp().images()).forEach(names::addAll);
        return new Images(names, nodeSettings.image(), docker, bundle);
    }

    public Checks checks(List<Kube> kubes, SampleTarget target, Duration wait) {
        return new Checks(kubes, target, docker, kindBinary, istioctl, wait);
    }

    public Experiments experiments(List<Kube> kubes, SampleTarget target, Checks checks) {
        return new Experiments(kubes, target, checks, docker, manifests, console);
    }

    public Diagnostics diagnostics(List<Kube> kubes) {
        return new Diagnostics(dirs, options.diagnostics(), docker, kindBinary, istioctl, authority, kubes, console);
    }

    public BundleMaker bundleMaker(Path path) {
        return new BundleMaker(path, istio.version(), docker, kindBinary, istioctlBinary, downloads, manifests, authority, images(mesh()), console);
    }

    CertManager certManager() { return new CertManager(downloads, manifests); }

    public IstioInstaller istioInstaller() { return new IstioInstaller(istioctl, manifests); }

    public RemoteSecrets remoteSecrets() { return new RemoteSecrets(istioctl, docker); }

    public SampleApp sampleApp() { return new SampleApp(manifests); }

    public boolean usesExistingClusters() { return options.existing(); }

    public boolean wantsDiagnostics() { return options.diagnostics().isPresent(); }

    public String istioVersion() { return istio.version(); }

    public DemoCommands commands() { return console.commands(); }

    public AppDirs dirs() { return dirs; }

    public ExistingClusters existing() { return existing; }

    public Manifests manifests() { return manifests; }

    public Docker docker() { return docker; }

    public Binary kindBinary() { return kindBinary; }

    public Istioctl istioctl() { return istioctl; }

    public Optional<Bundle> bundle() { return bundle; }

    public CertificateAuthority authority() { return authority; }

    public Vault vault() { return vault; }

    public MetalLb metalLb() { return metalLb; }

    public Kind kind() { return kind; }
}
