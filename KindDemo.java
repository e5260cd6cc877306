///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION A multi-primary, multi-network Istio mesh on kind, in one command
//SOURCES lib/Lib.java

import module java.base;
import lib.ca.*;
import lib.cli.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import lib.verify.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "KindDemo", description = "Creates kind clusters and joins them in one Istio mesh: multi-primary, each cluster on its own "
        + "network. Existing clusters are reused and left unchanged unless an option says otherwise.", footer = {
            "  Two clusters, in about a minute:",
            "    jbang KindDemo.java",
            "  Three clusters with a worker node each; a setting of Istio:",
            "    jbang KindDemo.java --clusters 3 --workers 1",
            "    jbang KindDemo.java --istio-set meshConfig.enableTracing=true",
            "  The mesh in existing clusters:",
            "    jbang KindDemo.java --contexts east,west",
            "  The same as a shell script:",
            "    jbang KindDemo.java --dry-run"})
public class KindDemo extends DemoCommand {
    @Option(names = "--no-locality", description = "Leave out the locality rule: requests spread over all clusters.")
    boolean noLocality;
    @Option(names = "--dry-run", description = "Print a shell script that does the same, step by step; create nothing.")
    boolean dryRun;
    @Option(names = "--bundle", paramLabel = "FILE", description = "Only put everything that the demo needs into this archive "
            + "(FILE.tar.gz) or folder, for --offline on another machine.")
    Path bundle;
    @Option(names = "--export-manifests", paramLabel = "DIR",
            description = "Only write the manifests into this folder, to be changed there and used with --manifests.")
    Path export;
    @Option(names = "--force", description = "With --contexts: install into clusters that have another Istio. With --export-manifests: "
            + "replace files that differ, and keep them as NAME.bak.")
    boolean force;
    @Option(names = "--timings", description = "Print where the time went.")
    boolean timings;

    public static void main(String[] arguments) { main(new KindDemo(), arguments); }

    @Override protected String afterInterrupt() {
        return bundle == null ? super.afterInterrupt() : "create it again: " + commands().bundle("" + bundle);
    }

    @Override protected int run(Console console) throws Exception {
        if (export != null) {
            Manifests.export(export, force);
            console.result("The manifests are in %s. Change what you want, then run: %s".formatted(export,
                    commands().kindDemo("--manifests", DemoCommands.quoted("" + export))));
            return 0;
        }
        DemoContext demo = dryRun || bundle != null ? withoutClusters() : discover();
        demo.manifests().check();
        if (bundle != null) return new BundleMaker(bundle, demo).make() ? 0 : Problem.FAILED;
        boolean own = !demo.usesExistingClusters(); // existing clusters have everything but the mesh
        Mesh mesh = demo.mesh();
        if (!dryRun) demo.istioctl().downloadToRender();
        Images images = own ? demo.images(mesh) : null;
        List<Kube> kubes = demo.connect(mesh);
        if (!dryRun) {
            console.info("%d clusters %s, Istio multi-primary on different networks".formatted(mesh.clusters().size(), mesh.clusters()));
            demo.keptIstioSettings().ifPresent(kept -> console.info("Istio settings are kept: %s; to reset them: %s".formatted(kept,
                    commands().kindDemo(IstioSettings.RESET))));
            demo.preflight(mesh, images, force).require();
            demo.dirs().lock("KindDemo");
            demo.keepState(mesh);
            console.keepLog(demo.dirs().log("KindDemo"));
        }
        Plan plan = plan(demo, mesh, images, kubes, console);
        if (dryRun) {
            console.result(plan.toShell());
            return 0;
        }
        boolean done = plan.run();
        if (timings) console.result(plan.timeline());
        if (!done) {
            plan.report();
            console.hint("→ %s reports which layer fails".formatted(commands().verify()));
        }
        if (!done || demo.wantsDiagnostics()) demo.diagnostics(kubes).collect(plan.timeline());
        demo.kind().deleteFailed();
        if (!done) return Problem.FAILED;
        console.info(Kube.changes(kubes));
        console.result(demo.sampleApp().nextSteps(mesh, cluster -> own ? demo.docker().published(cluster, cluster.httpPort())
                : Optional.empty(), commands()));
        return 0;
    }

    /** The steps, and which steps each of them waits for. */
    private Plan plan(DemoContext demo, Mesh mesh, Images images, List<Kube> kubes, Console console) {
        Kind kind = demo.kind();
        CertificateAuthority authority = demo.authority();
        IstioInstaller istio = demo.istioInstaller();
        boolean own = !demo.usesExistingClusters();
        Plan plan = new Plan(console);
        // a remote secret waits for the accounts of every cluster, the last step for everything in them
        List<Step> accounts = new ArrayList<>(), parts = new ArrayList<>();

        Step unpacked = own && demo.bundle().isPresent()
                ? plan.step("images of the bundle", images.loadBundle(demo.bundle().get(), demo.dirs().cache())) : Step.NONE;
        Step kindDownloaded = own ? demo.kindBinary().download(plan) : Step.NONE;
        Step istioctlDownloaded = demo.istioctl().binary().download(plan);
        Step node = own ? plan.step("node image", images.node(), unpacked) : Step.NONE;
        Step pulled = own ? plan.step("images", images.pull(), unpacked) : Step.NONE;
        Step root = plan.step("root of trust", authority.root(), node);
        for (Kube kube : kubes) {
            Cluster cluster = kube.cluster();
            String name = cluster.name();
            Step created = own ? plan.step(name, "kind cluster", kind.create(kube, images), kindDownloaded, node) : Step.NONE;
            Step loaded = own ? plan.step(name, "images", images.load(cluster), created, pulled) : Step.NONE;
            Step balanced = own ? plan.step(name, "load balancer", demo.metalLb().install(kube), loaded) : Step.NONE;
            // its CRDs go before Istio's, which istiod can start without
            Step signers = authority instanceof IstioCsr csr ? plan.step(name, "cert-manager", csr.certManager(kube), loaded) : created;
            Step trusted = plan.step(name, authority.installs(), authority.install(kube), signers, root);
            Step manifest = plan.step(name, "istio manifest", istio.render(kube), istioctlDownloaded);
            Step crds = plan.step(name, "istio CRDs", istio.crds(kube), signers, manifest);
            Step started = plan.step(name, "istiod started", istio.start(kube), loaded, trusted, manifest);
            Step istiod = plan.step(name, "istiod", istio.istiod(kube), started);
            Step gateways = plan.step(name, "gateways", istio.gateways(kube), istiod);
            Step addresses = plan.step(name, "gateway addresses", istio.addresses(kube), balanced, gateways);
            Step exposed = plan.step(name, "expose services", istio.expose(kube), istiod, crds);
            Step sample = plan.step(name, "sample app", demo.sampleApp().install(kube, !noLocality, istio), istiod, crds);
            accounts.add(started);
            parts.addAll(List.of(addresses, exposed, sample));
        }
        RemoteSecrets secrets = demo.remoteSecrets();
        for (Kube kube : kubes) parts.add(plan.step(kube.cluster().name(), "remote secret", secrets.give(kube, kubes), accounts));
        Checks checks = demo.checks(kubes, SampleApp.TARGET, null);
        for (Kube kube : kubes) plan.step(kube.cluster().name(), "endpoints of all clusters", checks.awaitEndpoints(kube), parts);
        return plan;
    }
}
