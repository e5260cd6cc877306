///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION A multi-primary, multi-network Istio mesh on kind, in one command
//SOURCES lib/Lib.java

import module java.base;
import lib.*;
import lib.Plan.Step;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "KindDemo", description = "Makes kind clusters and joins them to one Istio mesh: multi-primary, each cluster on a network "
        + "of its own.")
public class KindDemo extends Script {
    @Option(names = "--no-locality", description = "Leave out the locality rule: requests spread over all clusters.")
    boolean noLocality;
    @Option(names = "--dry-run", description = "Print every step and the shell commands that do the same; make nothing.")
    boolean dryRun;
    @Option(names = "--diagnostics", paramLabel = "DIR",
            description = "Write what is known of the demo into this folder, without secrets. Done by itself when a step fails.")
    Path diagnostics;
    @Option(names = "--force", description = "With --contexts: also into clusters that have another Istio.")
    boolean force;
    @Option(names = "--timings", description = "Print at the end where the time went.")
    boolean timings;

    public static void main(String[] arguments) { main(new KindDemo(), arguments); }

    @Override protected int run() throws Exception {
        Console console = settings.console();
        Docker docker = new Docker(console);
        Kind kind = new Kind(settings, docker);
        MetalLb metalLb = new MetalLb(settings, docker);
        CertificateAuthority authority = CertificateAuthority.of(settings, docker);
        Istioctl istioctl = new Istioctl(settings, docker);
        SampleApp app = new SampleApp(settings);
        settings.manifests().check();

        Mesh mesh = dryRun ? settings.mesh() : settings.discover(docker).mesh();
        Images images = new Images(settings, docker);
        if (!dryRun) {
            console.say("%d clusters %s, Istio multi-primary on different networks".formatted(mesh.clusters().size(), mesh.clusters()));
            new Preflight(settings, docker, force).run(mesh, images);
            settings.home().lock("KindDemo");
            settings.home().remember(mesh.clusters().size(), settings.ca());
            console.keepLog(settings.home().log("KindDemo"));
        }

        List<Kube> kubes = mesh.clusters().stream().map(cluster -> new Kube(cluster, console)).toList();
        Checks checks = new Checks(kubes, SampleApp.APP, docker, kind, istioctl, null);
        Plan plan = new Plan(console);
        List<Step> accounts = new ArrayList<>(), parts = new ArrayList<>();

        List<Step> node = settings.existing() ? List.of() : List.of(plan.step("node image", images.node()));
        Step pulled = settings.existing() ? null : plan.step("images", images.pull());
        Step root = plan.step("root of trust", authority.root(), node);
        for (Kube kube : kubes) {
            Cluster cluster = kube.cluster();
            // of clusters that are there already nothing of this is made
            List<Step> there = List.of(), loaded = List.of(), balanced = List.of();
            if (!settings.existing()) {
                there = List.of(plan.step(cluster, "kind cluster", kind.create(kube, images), node));
                loaded = List.of(plan.step(cluster, "images", images.load(cluster), there, pulled));
                balanced = List.of(plan.step(cluster, "load balancer", metalLb.install(kube), loaded));
            }
            // its definitions go before Istio's, which istiod can start without
            List<Step> able = authority instanceof IstioCsr csr ? List.of(plan.step(cluster, "cert-manager", csr.certManager(kube), loaded))
                    : there;
            Step signer = plan.step(cluster, authority.installs(), authority.install(kube), able, root);
            Step manifest = plan.step(cluster, "istio manifest", istioctl.render(kube));
            Step definitions = plan.step(cluster, "istio definitions", istioctl.definitions(kube), able, manifest);
            Step started = plan.step(cluster, "istiod started", istioctl.start(kube), loaded, signer, manifest);
            Step istiod = plan.step(cluster, "istiod", istioctl.istiod(kube), started);
            Step gateways = plan.step(cluster, "gateways", istioctl.gateways(kube), istiod);
            Step addresses = plan.step(cluster, "gateway addresses", istioctl.addresses(kube), balanced, gateways);
            Step exposed = plan.step(cluster, "expose services", istioctl.expose(kube), istiod, definitions);
            Step sample = plan.step(cluster, "sample app", app.install(kube, !noLocality, istioctl), istiod, definitions);
            accounts.add(started);
            parts.addAll(List.of(addresses, exposed, sample));
        }
        for (Kube kube : kubes) parts.add(plan.step(kube.cluster(), "remote secret", istioctl.remoteSecret(kube, kubes), accounts));
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
        console.result(app.whatToTry(mesh, settings));
        return 0;
    }
}
