package lib.cli;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.experiments.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.kubeconfig.*;
import lib.manifests.*;
import lib.observe.*;
import lib.preflight.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;

/** The demo that the options describe: its clusters, and the objects that work on them. They are wired here only. */
public final class DemoContext {
    public final AppDirs dirs;
    public final ExistingClusters existing;
    public final DemoClusters clusters;
    public final Manifests manifests;
    public final Docker docker;
    public final Binary kindBinary;
    public final Istioctl istioctl;
    public final GatewayApi gatewayApi;
    public final Optional<Bundle> bundle;
    public final CertificateAuthority authority;
    public final Vault vault;
    public final MetalLb metalLb;
    public final Kind kind;
    private final DemoOptions options;
    final Console console;
    private final DemoState state;
    private final IstioSettings istio;
    final Downloads downloads;

    /**
     * The demo with the clusters that exist: they are the defaults of the options.
     *
     * @throws Problem when Docker does not answer, or --contexts names a context that does not exist
     */
    static DemoContext discover(DemoOptions options, Console console) {
        for (String context : options.contexts()) if (!Kubeconfig.ofUser().has(context))
            throw Problem.usage("the kubeconfig has no context " + context, "kubectl config get-contexts");
        if (options.existing()) return new DemoContext(options, console, List.of());
        Docker docker = new Docker(console);
        docker.info();
        return new DemoContext(options, console, docker.nodes());
    }

    /** @param nodes the nodes of all kind clusters */
    DemoContext(DemoOptions options, Console console, List<Docker.Node> nodes) {
        this.options = options;
        this.console = console;
        dirs = options.dirs();
        state = DemoState.of(dirs);
        existing = options.existing() ? ExistingClusters.NONE : existing(nodes);
        clusters = new DemoClusters(options, state, existing, console);
        manifests = options.manifests();
        istio = options.istio(state.istio());
        docker = new Docker(console, options.prefix());
        downloads = new Downloads(options.mirrorFolder(), dirs.cache(), options.mirrorUrl(), options.offline != null,
                console);
        kindBinary = new Binary(Kind.BINARY, downloads, dirs.cache(), console);
        Binary istioctlBinary = new Binary(Istioctl.binary(istio.version()), downloads, dirs.cache(), console);
        bundle = Optional.ofNullable(options.offline).map(file ->
                new Bundle(file, istio.version(), console).open(dirs.cache(), kindBinary, istioctlBinary));
        vault = new Vault(options.prefix(), Optional.ofNullable(options.vaultPort), existing.slot(), docker,
                this::unavailable, manifests, dirs.state(), console);
        authority = switch (options.ca(state)) {
            case local -> new LocalAuthority(dirs.state(), manifests);
            case vault -> vault;
            case istioCsr -> new IstioCsr(vault, downloads, manifests);
        };
        metalLb = new MetalLb(downloads, manifests, docker);
        gatewayApi = new GatewayApi(downloads, manifests);
        istioctl = new Istioctl(istioctlBinary, istio, state.istio(), manifests, authority.address(), dirs.state(),
                console);
        kind = new Kind(kindBinary, docker, manifests, nodeSettings(), dirs.state(), console);
    }

    private ExistingClusters existing(List<Docker.Node> nodes) {
        Set<Integer> others = DemoState.slotsOfOthers(dirs);
        int slot = ExistingClusters.slot(options.prefix(), nodes, state.slot(), others, options::canUse);
        return ExistingClusters.of(options.prefix(), slot, nodes);
    }

    private NodeSettings nodeSettings() { return options.nodeSettings(existing, bundle); }

    /** Why an image can neither be pulled nor loaded; empty when it can. */
    private String unavailable(String image) {
        if (bundle.isEmpty()) return docker.images().whyNotPullable(image);
        return bundle.get().images().contains(image) ? "" : "it is not in the bundle";
    }

    /** Clients for the clusters; those that exist begin to connect. */
    public List<Kube> connect(Mesh mesh) {
        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        kubes.stream().filter(kube -> options.existing() || existing.clusters().contains(kube.cluster()))
                .forEach(Kube::connectEarly);
        return kubes;
    }

    /**
     * Checks the prerequisites, locks the demo, and saves its settings: later runs without these options keep them.
     *
     * @param force whether the mesh may replace another Istio
     * @throws Problem when a prerequisite is not met, or another run has the lock
     */
    public void begin(Mesh mesh, Images images, boolean force) throws Exception {
        int clusters = mesh.clusters().size();
        console.info("%d cluster%s %s, Istio multi-primary on different networks%s".formatted(clusters,
                clusters == 1 ? "" : "s", mesh.clusters(), isAmbient() ? ", ambient" : ""));
        if (options.leavesIstio() && istio.changed())
            console.info("Istio settings are kept: %s; to reset them: %s".formatted(istio,
                    commands().kindDemo(IstioSettings.RESET)));
        preflight(mesh, images, force).require();
        dirs.lock("KindDemo");
        keepState(mesh);
        console.keepLog(dirs.log("KindDemo"));
    }

    private void keepState(Mesh mesh) throws IOException {
        if (!options.existing() && existing.ours().isEmpty() && state.slot().isEmpty()
                && DemoState.slotsOfOthers(dirs).contains(existing.slot()))
            throw Problem.unmet("another demo has just started with the same ports",
                    "run this command again: it chooses other ports");
        OptionalInt slot = options.existing() ? OptionalInt.empty() : OptionalInt.of(existing.slot());
        new DemoState(mesh.clusters().size(), Optional.of(options.ca(state)), Optional.of(istio),
                observes(), slot).write(dirs);
    }

    public Preflight preflight(Mesh mesh, Images images, boolean force) {
        HostChecks host = new HostChecks(docker, istio.dataPlane());
        List<Check> checks = options.existing()
                ? Preflight.forExistingClusters(mesh, istioctl, gatewayApi, force, console)
                : Preflight.forNewClusters(mesh, host, kindChecks(), images, istioctl, metalLb,
                        gatewayApi, this::checkAuthority, dirs.cache());
        return new Preflight(checks, dirs, console);
    }

    private KindChecks kindChecks() {
        return new KindChecks(kind, nodeSettings(), existing, docker, console.commands());
    }

    private String checkAuthority() {
        state.requireAuthority(options.ca(state), commands());
        return authority.check();
    }

    /**
     * The images of Istio, MetalLB, the certificate authority and the sample application, and the node image.
     *
     * @param download whether a missing istioctl is downloaded where custom settings may name other images
     */
    public Images images(Mesh mesh, boolean download) {
        if (download && istioctl.rendersCustomSettings()) istioctl.binary().path();
        Set<String> names = new TreeSet<>();
        List.of(istioctl.images(mesh), MetalLb.images(), authority.images(), sampleApp().images(),
                observability().images()).forEach(names::addAll);
        return new Images(names, nodeSettings().image(), docker, bundle, dirs.cache());
    }

    public Checks checks(List<Kube> kubes, SampleTarget target, Duration wait) {
        return checks(kubes, target, dataPlane(kubes), wait);
    }

    private Checks checks(List<Kube> kubes, SampleTarget target, DataPlane dataPlane, Duration wait) {
        return new Checks(kubes, target, dataPlane, state.observed(), docker, kindBinary, istioctl, wait);
    }

    /** The data plane of the demo; of another mesh in existing clusters, the one that its istiod serves. */
    private DataPlane dataPlane(List<Kube> kubes) {
        if (state.istio().isPresent()) return state.istio().get().dataPlane();
        if (!options.existing()) return istio.dataPlane();
        return new InstalledIstio(kubes.getFirst()).dataPlane().orElse(istio.dataPlane());
    }

    public Action awaitEndpoints(Kube kube, List<Kube> kubes) {
        return checks(kubes, SampleApp.TARGET, istio.dataPlane(), null).awaitEndpoints(kube);
    }

    /** How this machine reaches the ingress gateway of a cluster, where a port is mapped. */
    private Optional<String> ingressAddress(Cluster cluster) { return published(cluster, cluster.httpPort()); }

    private Optional<String> published(Cluster cluster, int port) {
        return options.existing() ? Optional.empty() : docker.published(cluster, port);
    }

    /** Commands to try when the mesh is up; the last line says how to see it. */
    public String nextSteps(Mesh mesh) {
        String steps = sampleApp().nextSteps(mesh, this::ingressAddress, commands());
        return observes() ? steps + "\n" + observability().howToOpen(mesh, this::published) : steps;
    }

    public Experiments experiments(List<Kube> kubes, SampleTarget target, Checks checks) {
        Optional<Prometheus> prometheus = state.observed()
                ? Optional.of(new Prometheus(Observability.home(kubes))) : Optional.empty();
        return new Experiments(kubes, target, checks, docker, manifests, dataPlane(kubes), prometheus, console);
    }

    public Diagnostics diagnostics(List<Kube> kubes) {
        return new Diagnostics(dirs, options.diagnostics(), docker, kindBinary, istioctl, authority, kubes, console);
    }

    /**
     * Writes the demo's manifests into a folder; returns the exit code.
     *
     * @param force whether files that differ are replaced
     */
    public int exportManifests(Path folder, boolean force) {
        Manifests.export(folder, force);
        console.result("The manifests are in %s. Change what you want, then run: %s".formatted(folder,
                commands().kindDemo("--manifests", DemoCommands.quoted("" + folder))));
        return 0;
    }

    public IstioInstaller istioInstaller() { return new IstioInstaller(istioctl, gatewayApi, manifests); }

    public RemoteSecrets remoteSecrets() { return new RemoteSecrets(istioctl, docker); }

    public SampleApp sampleApp() {
        return new SampleApp(manifests, istio.dataPlane(), istio.waypoints(), observes());
    }

    public Observability observability() {
        return new Observability(manifests, remoteSecrets(), observes(), options.stopsObserving());
    }

    /** Whether the options, or earlier runs, say that the demo has Prometheus and Kiali. */
    public boolean observes() { return options.observe(state); }

    public boolean usesExistingClusters() { return options.existing(); }

    public boolean wantsDiagnostics() { return options.diagnostics().isPresent(); }

    /** Whether the options, or earlier runs, say that the mesh is ambient. */
    public boolean isAmbient() { return istio.dataPlane() == DataPlane.ambient; }

    public String istioVersion() { return istio.version(); }

    public DemoCommands commands() { return console.commands(); }
}
