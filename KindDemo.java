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
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "KindDemo", description = "Creates kind clusters and joins them in one Istio mesh, each on its own "
        + "network. Existing clusters are reused and left as they are unless an option says so.", footer = {
        "  Two clusters, in about a minute:", "    jbang KindDemo.java",
        "  Three clusters with a worker node each:", "    jbang KindDemo.java --clusters 3 --workers 1",
        "  Without sidecars:", "    jbang KindDemo.java --dataplane ambient",
        "  With Kiali, which shows the requests:", "    jbang KindDemo.java --observe",
        "  An Istio setting:", "    jbang KindDemo.java --istio-set meshConfig.enableTracing=true",
        "  The mesh in existing clusters:", "    jbang KindDemo.java --contexts east,west",
        "  The same as a shell script:", "    jbang KindDemo.java --dry-run"})
public class KindDemo extends DemoCommand {
    @Option(names = "--no-locality", description = "Leave out the locality rule: requests spread over all clusters.")
    boolean noLocality;
    @Option(names = "--dry-run", description = "Print a shell script that does the same, step by step; create nothing.")
    boolean dryRun;
    @Option(names = "--bundle", paramLabel = "FILE", description = "Only put everything that the demo needs into this "
            + "archive (FILE.tar.gz) or folder, for --offline on another machine.")
    Path bundle;
    @Option(names = "--export-manifests", paramLabel = "DIR",
            description = "Only write the manifests into this folder, to change them and use them with --manifests.")
    Path export;
    @Option(names = "--force", description = "With --contexts: install into clusters that have another Istio. With "
            + "--export-manifests: replace files that differ, and keep them as NAME.bak.")
    boolean force;
    @Option(names = "--timings", description = "Print how long each step took.")
    boolean timings;

    public static void main(String[] arguments) { main(new KindDemo(), arguments); }

    @Override protected String afterInterrupt() {
        return bundle == null ? super.afterInterrupt() : "create it again: " + commands().bundle("" + bundle);
    }

    @Override protected int run(Console console) throws Exception {
        DemoContext demo = dryRun || export != null || bundle != null ? withoutClusters() : discover();
        if (export != null) return demo.exportManifests(export, force);
        demo.manifests.check();
        if (bundle != null) return new BundleMaker(bundle, demo).make() ? 0 : Problem.FAILED;
        Mesh mesh = demo.clusters.wanted();
        Images images = demo.images(mesh, !dryRun);
        List<Kube> kubes = demo.connect(mesh);
        if (dryRun) {
            console.result(plan(demo, images, kubes, console).toShell());
            return 0;
        }
        demo.begin(mesh, images, force);
        Plan plan = plan(demo, images, kubes, console);
        boolean done = plan.run();
        if (timings) console.result(plan.timeline());
        if (!done) plan.report("→ %s reports which layer fails".formatted(commands().verify()));
        if (!done || demo.wantsDiagnostics()) demo.diagnostics(kubes).collect(plan.timeline());
        kubes.forEach(Kube::close);
        demo.kind.deleteFailed();
        if (!done) return Problem.FAILED;
        console.info(Kube.changes(kubes));
        console.result(demo.nextSteps(mesh));
        return 0;
    }

    /** The steps, and which steps each of them waits for. Existing clusters have everything but the mesh. */
    private Plan plan(DemoContext demo, Images images, List<Kube> kubes, Console console) {
        Plan plan = new Plan(console);
        boolean own = !demo.usesExistingClusters();
        IstioInstaller istio = demo.istioInstaller();
        // a remote secret needs the accounts of every cluster; the endpoints need all parts of every cluster
        List<Step> accounts = new ArrayList<>(), parts = new ArrayList<>();
        Step istioctl = demo.istioctl.binary().download(plan), kind = Step.NONE, node = Step.NONE, pulled = Step.NONE;
        if (own) {
            Step bundled = demo.bundle.isEmpty() ? Step.NONE : plan.step("images of the bundle", images.loadBundle());
            kind = demo.kindBinary.download(plan);
            node = plan.step("node image", images.node(), bundled);
            pulled = plan.step("images pulled", images.pull(), bundled);
        }
        Step root = plan.step("root CA", demo.authority.root(), node);
        for (Kube kube : kubes) {
            String name = kube.cluster().name();
            Step created = Step.NONE, loaded = Step.NONE, balanced = Step.NONE;
            if (own) {
                created = plan.step(name, "kind cluster", demo.kind.create(kube, images), kind, node);
                loaded = plan.step(name, "images loaded", images.load(kube.cluster()), created, pulled);
                balanced = plan.step(name, "load balancer", demo.metalLb.install(kube), loaded);
            }
            // cert-manager comes before Istio's CRDs: istiod can start without those
            Step signers = !(demo.authority instanceof IstioCsr csr) ? created
                    : plan.step(name, "cert-manager", csr.certManager(kube), loaded);
            Step trusted = plan.step(name, demo.authority.installTitle(), demo.authority.install(kube), signers, root);
            Step manifest = plan.step(name, "Istio manifest", istio.render(kube), istioctl);
            Step crds = plan.step(name, "Istio CRDs", istio.crds(kube), signers, manifest);
            Step started = plan.step(name, "istiod started", istio.start(kube), loaded, trusted, manifest);
            Step istiod = plan.step(name, "istiod", istio.istiod(kube), started);
            Step exposed = Step.NONE, ztunnel = Step.NONE;
            if (demo.isAmbient()) ztunnel = plan.step(name, "ztunnel", istio.ztunnel(kube), started);
            else exposed = plan.step(name, "expose services", istio.expose(kube), istiod, crds);
            Step gateways = plan.step(name, "gateways", istio.gateways(kube), istiod, demo.isAmbient() ? crds : istiod);
            Step addresses = plan.step(name, "gateway addresses", istio.addresses(kube), balanced, gateways);
            Action sample = demo.sampleApp().install(kube, !noLocality, istio);
            parts.addAll(List.of(addresses, exposed, plan.step(name, "sample app", sample, istiod, crds, ztunnel)));
            accounts.add(started);
        }
        for (Kube kube : kubes) parts.add(plan.step(kube.cluster().name(), "remote secret",
                demo.remoteSecrets().install(kube, kubes), accounts));
        for (Kube kube : kubes)
            plan.step(kube.cluster().name(), "endpoints of all clusters", demo.awaitEndpoints(kube, kubes), parts);
        demo.observability().addSteps(plan, kubes, accounts);
        return plan;
    }
}
