///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION A multi-primary, multi-network Istio mesh on kind, in one command
//SOURCES lib/Lib.java

import module java.base;
import lib.cli.*;
import lib.verify.*;
import lib.istio.*;
import lib.kind.*;
import lib.ca.*;
import lib.docker.*;
import lib.kube.*;
import lib.fetch.*;
import lib.run.*;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "KindDemo", description = "Makes kind clusters and joins them to one Istio mesh: multi-primary, each cluster on a network "
        + "of its own. What is there already is gone on with, and stays as it is where no option says otherwise.", footer = {
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
    @Option(names = "--bundle", paramLabel = "FILE",
            description = "Only put all that the demo needs into this archive (FILE.tar.zst) or folder, for --offline elsewhere.")
    Path bundle;
    @Option(names = "--export-manifests", paramLabel = "DIR",
            description = "Only write the manifests into this folder, to be changed there and named with --manifests.")
    Path export;
    @Option(names = "--force", description = "With --contexts: also into clusters that have another Istio. With --export-manifests: "
            + "replace files that differ, and keep them as NAME.bak.")
    boolean force;
    @Option(names = "--timings", description = "Print at the end where the time went.")
    boolean timings;

    public static void main(String[] arguments) { main(new KindDemo(), arguments); }

    @Override protected String afterInterrupt() {
        return bundle == null ? super.afterInterrupt() : "make it again: " + settings.commands().bundle("" + bundle);
    }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        if (export != null) {
            Manifests.export(export, force);
            console.result("The manifests are in %s. Change what you want, then: %s".formatted(export,
                    settings.commands().kindDemo("--manifests", ExternalCommand.quoted("" + export))));
            return 0;
        }
        settings.diagnostics().ifPresent(Diagnostics::check);
        Docker docker = new Docker(console, settings.prefix());
        if (bundle != null) return new BundleMaker(bundle, settings, docker).make() ? 0 : Problem.FAILED;
        Optional<Bundle> given = settings.bundle();
        Kind kind = new Kind(settings, docker);
        MetalLb metalLb = new MetalLb(settings, docker);
        CertificateAuthority authority = CertificateAuthority.of(settings, docker);
        Istioctl istioctl = new Istioctl(settings);
        IstioInstaller istio = new IstioInstaller(settings, istioctl);
        RemoteSecrets secrets = new RemoteSecrets(istioctl, docker);
        SampleApp app = new SampleApp(settings);
        settings.manifests().check();

        Mesh mesh = dryRun ? settings.found(List.of()).mesh() : InstalledIstio.kept(settings.discover(docker).mesh(), console);
        if (!dryRun && settings.ownIstio()) settings.istioctl().path(); // what it renders is checked before anything is made
        Images images = new Images(settings, docker, istioctl);
        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        if (!dryRun) {
            kubes.stream().filter(kube -> settings.found().clusters().contains(kube.cluster())).forEach(Kube::connectEarly);
            console.say("%d clusters %s, Istio multi-primary on different networks".formatted(mesh.clusters().size(), mesh.clusters()));
            if (settings.keepsIstio()) console.say("Istio as before: %s; to go back: %s".formatted(settings.istio(),
                    settings.commands().kindDemo(IstioSettings.BACK)));
            new Preflight(settings, docker, istioctl, force).run(mesh, images);
            settings.home().lock("KindDemo");
            settings.remember(mesh);
            console.keepLog(settings.home().log("KindDemo"));
        }

        Checks checks = new Checks(kubes, SampleApp.APP, docker, settings.kind(), istioctl, null);
        Plan plan = new Plan(console);
        boolean own = !settings.existing(); // clusters that are there already have all but the mesh
        // a remote secret waits for the accounts of every cluster, the last step for all that is in them
        List<Step> accounts = new ArrayList<>(), parts = new ArrayList<>();

        Step unpacked = own && given.isPresent() ? plan.step("images of the bundle", given.get().load(docker, settings.home().cache()))
                : Step.NONE;
        Step kindFetched = own ? settings.kind().fetched(plan) : Step.NONE;
        Step istioctlFetched = settings.istioctl().fetched(plan);
        Step node = own ? plan.step("node image", images.node(), unpacked) : Step.NONE;
        Step pulled = own ? plan.step("images", images.pull(), unpacked) : Step.NONE;
        Step root = plan.step("root of trust", authority.root(), node);
        for (Kube kube : kubes) {
            Cluster cluster = kube.cluster();
            String name = cluster.name();
            Step there = own ? plan.step(name, "kind cluster", kind.create(kube, images), kindFetched, node) : Step.NONE;
            Step loaded = own ? plan.step(name, "images", images.load(cluster), there, pulled) : Step.NONE;
            Step balanced = own ? plan.step(name, "load balancer", metalLb.install(kube), loaded) : Step.NONE;
            // its definitions go before Istio's, which istiod can start without
            Step able = authority instanceof IstioCsr csr ? plan.step(name, "cert-manager", csr.certManager(kube), loaded) : there;
            Step signer = plan.step(name, authority.installs(), authority.install(kube), able, root);
            Step manifest = plan.step(name, "istio manifest", istio.render(kube), istioctlFetched);
            Step definitions = plan.step(name, "istio definitions", istio.definitions(kube), able, manifest);
            Step started = plan.step(name, "istiod started", istio.start(kube), loaded, signer, manifest);
            Step istiod = plan.step(name, "istiod", istio.istiod(kube), started);
            Step gateways = plan.step(name, "gateways", istio.gateways(kube), istiod);
            Step addresses = plan.step(name, "gateway addresses", istio.addresses(kube), balanced, gateways);
            Step exposed = plan.step(name, "expose services", istio.expose(kube), istiod, definitions);
            Step sample = plan.step(name, "sample app", app.install(kube, !noLocality, istio), istiod, definitions);
            accounts.add(started);
            parts.addAll(List.of(addresses, exposed, sample));
        }
        for (Kube kube : kubes) parts.add(plan.step(kube.cluster().name(), "remote secret", secrets.give(kube, kubes), accounts));
        for (Kube kube : kubes) plan.step(kube.cluster().name(), "endpoints of all clusters", checks.awaitEndpoints(kube), parts);

        if (dryRun) {
            console.result(plan.toShell());
            return 0;
        }
        boolean done = plan.run();
        if (timings) console.result(plan.timeline());
        if (!done) plan.report();
        if (!done) console.hint("→ %s reports which layer fails".formatted(settings.commands().verify()));
        if (!done || settings.diagnostics().isPresent()) new Diagnostics(settings, docker, istioctl, kubes).collect(plan.timeline());
        kind.deleteFailed();
        if (!done) return Problem.FAILED;
        console.say(Kube.changes(kubes));
        console.result(app.whatToTry(mesh, cluster -> own ? docker.published(cluster, cluster.httpPort()) : Optional.empty(), settings));
        return 0;
    }
}
