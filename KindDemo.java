///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION A multi-primary, multi-network Istio mesh on kind, in one command
//SOURCES lib/Lib.java

import module java.base;
import lib.*;
import lib.Plan.Step;
import static lib.Plan.NOTHING;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "KindDemo", description = "Makes kind clusters and joins them to one Istio mesh: multi-primary, each cluster on a network "
        + "of its own. What is there already is gone on with, and stays as it is where no option says otherwise.", footer = {
            "  jbang KindDemo.java                          # two clusters, in about a minute",
            "  jbang KindDemo.java --clusters 3 --workers 1",
            "  jbang KindDemo.java --istio-set meshConfig.enableTracing=true",
            "  jbang KindDemo.java --contexts east,west     # into clusters that you have",
            "  jbang KindDemo.java --dry-run                # the same as shell commands"})
public class KindDemo extends Script {
    @Option(names = "--no-locality", description = "Leave out the locality rule: requests spread over all clusters.")
    boolean noLocality;
    @Option(names = "--dry-run", description = "Print every step and the shell commands that do the same; make nothing.")
    boolean dryRun;
    @Option(names = "--bundle", paramLabel = "FILE",
            description = "Only put all that the demo needs into this archive (FILE.tar.zst) or folder, for --offline elsewhere.")
    Path bundle;
    @Option(names = "--offline", paramLabel = "FILE", defaultValue = "${KIND_DEMO_OFFLINE}",
            description = "Take everything from such an archive or folder, and fetch nothing. [KIND_DEMO_OFFLINE]")
    Path offline;
    @Option(names = "--diagnostics", paramLabel = "DIR",
            description = "Write what is known of the demo into this folder, without secrets. Done by itself when a step fails.")
    Path diagnostics;
    @Option(names = "--export-manifests", paramLabel = "DIR",
            description = "Only write the manifests into this folder, to be changed there and named with --manifests.")
    Path export;
    @Option(names = "--force", description = "With --contexts: also into clusters that have another Istio. With --export-manifests: over "
            + "files that are there.")
    boolean force;
    @Option(names = "--timings", description = "Print at the end where the time went.")
    boolean timings;

    public static void main(String[] arguments) { main(new KindDemo(), arguments); }

    @Override protected String afterInterrupt() {
        if (bundle != null) return "make it again: jbang KindDemo.java --bundle " + bundle;
        return super.afterInterrupt() + (offline == null ? "" : "; with --offline %s again".formatted(offline));
    }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        if (export != null) {
            Manifests.export(export, force);
            console.result("The manifests are in %1$s. Change what you want, then: jbang KindDemo.java --manifests %2$s".formatted(export,
                    Tool.quoted("" + export)));
            return 0;
        }
        Docker docker = new Docker(console);
        if (bundle != null) return new BundleMaker(bundle, settings, docker).make() ? 0 : Problem.FAILED;
        Bundle given = offline == null ? null : new Bundle(offline, settings.istio().version(), console)
                .open(settings.home().cache(), settings.kind(), settings.istioctl());
        if (given != null) settings.goOffline(given);
        Kind kind = new Kind(settings, docker);
        MetalLb metalLb = new MetalLb(settings, docker);
        CertificateAuthority authority = CertificateAuthority.of(settings, docker);
        Istioctl istioctl = new Istioctl(settings);
        IstioInstall istio = new IstioInstall(settings, istioctl);
        RemoteSecrets secrets = new RemoteSecrets(istioctl, docker);
        SampleApp app = new SampleApp(settings);
        settings.manifests().check();

        Mesh mesh = dryRun ? settings.mesh() : settings.discover(docker).mesh();
        Images images = new Images(settings, docker);
        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        if (!dryRun) {
            kubes.stream().filter(kube -> settings.found().contains(kube.cluster())).forEach(Kube::connectEarly);
            console.say("%d clusters %s, Istio multi-primary on different networks".formatted(mesh.clusters().size(), mesh.clusters()));
            if (settings.keepsIstio()) console.say("Istio as before: %s; to go back: jbang KindDemo.java%s %s".formatted(settings.istio(),
                    settings.asTyped(), IstioSettings.BACK));
            new Preflight(settings, docker, force).run(mesh, images);
            settings.home().lock("KindDemo");
            settings.remember(mesh);
            console.keepLog(settings.home().log("KindDemo"));
        }

        Checks checks = new Checks(kubes, SampleApp.APP, docker, kind, istioctl, null);
        Plan plan = new Plan(console);
        List<Step> accounts = new ArrayList<>(), parts = new ArrayList<>();

        boolean own = !settings.existing(); // of clusters that are there already nothing is made
        Step unpacked = own && given != null ? plan.step("images of the bundle", given.load(docker, settings.home().cache())) : NOTHING;
        Step kindFetched = own ? settings.kind().fetched(plan) : NOTHING;
        Step istioctlFetched = settings.istioctl().fetched(plan);
        Step node = own ? plan.step("node image", images.node(), unpacked) : NOTHING;
        Step pulled = own ? plan.step("images", images.pull(), unpacked) : NOTHING;
        Step root = plan.step("root of trust", authority.root(), node);
        for (Kube kube : kubes) {
            Cluster cluster = kube.cluster();
            Step there = own ? plan.step(cluster, "kind cluster", kind.create(kube, images), kindFetched, node) : NOTHING;
            Step loaded = own ? plan.step(cluster, "images", images.load(cluster), there, pulled) : NOTHING;
            Step balanced = own ? plan.step(cluster, "load balancer", metalLb.install(kube), loaded) : NOTHING;
            // its definitions go before Istio's, which istiod can start without
            Step able = authority instanceof IstioCsr csr ? plan.step(cluster, "cert-manager", csr.certManager(kube), loaded) : there;
            Step signer = plan.step(cluster, authority.installs(), authority.install(kube), able, root);
            Step manifest = plan.step(cluster, "istio manifest", istio.render(kube), istioctlFetched);
            Step definitions = plan.step(cluster, "istio definitions", istio.definitions(kube), able, manifest);
            Step started = plan.step(cluster, "istiod started", istio.start(kube), loaded, signer, manifest);
            Step istiod = plan.step(cluster, "istiod", istio.istiod(kube), started);
            Step gateways = plan.step(cluster, "gateways", istio.gateways(kube), istiod);
            Step addresses = plan.step(cluster, "gateway addresses", istio.addresses(kube), balanced, gateways);
            Step exposed = plan.step(cluster, "expose services", istio.expose(kube), istiod, definitions);
            Step sample = plan.step(cluster, "sample app", app.install(kube, !noLocality, istio), istiod, definitions);
            accounts.add(started);
            parts.addAll(List.of(addresses, exposed, sample));
        }
        for (Kube kube : kubes) parts.add(plan.step(kube.cluster(), "remote secret", secrets.give(kube, kubes), accounts));
        for (Kube kube : kubes) plan.step(kube.cluster(), "endpoints of all clusters", checks.awaitEndpoints(kube), parts);

        if (dryRun) {
            console.result(plan.byHand());
            return 0;
        }
        boolean done = plan.run();
        if (timings) console.result(plan.timeline());
        if (!done) plan.report();
        Diagnostics known = new Diagnostics(settings, docker, istioctl, kubes);
        if (!done || diagnostics != null) known.collect(diagnostics == null ? known.folder() : diagnostics, plan.timeline());
        if (!done) return Problem.FAILED;
        console.say(changed(kubes.stream().flatMap(kube -> kube.changed().stream()).toList()));
        console.result(app.whatToTry(mesh, settings));
        return 0;
    }

    private static String changed(List<String> resources) {
        if (resources.isEmpty()) return "Nothing had to be changed.";
        return resources.size() > 9 ? "%d resources were made or changed.".formatted(resources.size())
                : "Changed: " + String.join(", ", resources);
    }
}
