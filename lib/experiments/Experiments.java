package lib.experiments;

import module java.base;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.observe.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;

/** The list of experiments, and their runner. Each breaks or changes something in the running mesh and restores it. */
public final class Experiments {
    private interface Scenario {
        void run(ExperimentContext context) throws Exception;
    }

    /**
     * @param alone whether one cluster is enough
     * @param only  the data plane that it needs; null for any
     * @param title what it demonstrates; FIRST and LAST stand for clusters, SERVICE for the application's service
     */
    private record Experiment(String name, boolean alone, DataPlane only, Scenario scenario, String title) {}

    private static final List<Experiment> ALL = List.of(
            new Experiment("failover", false, null, Scenarios::failover,
                    "SERVICE of FIRST is scaled to zero: the other clusters answer, then requests return"),
            new Experiment("broken-app", false, DataPlane.sidecar, Scenarios::brokenApp,
                    "SERVICE of FIRST answers 503: its endpoints are ejected, and the other clusters answer"),
            new Experiment("gateway-down", false, null, Scenarios::gatewayDown,
                    "the east-west gateway of LAST is scaled to zero: no local request is lost"),
            new Experiment("control-plane-down", true, null, Scenarios::controlPlaneDown,
                    "istiod of FIRST is scaled to zero: no request is lost, and istiod applies a rule when it is back"),
            new Experiment("locality", false, null, Scenarios::locality,
                    "requests stay in the cluster with the locality rule, and spread without it"),
            new Experiment("ingress", false, null, Scenarios::ingress,
                    "requests from this machine to the ingress gateway of FIRST, with and without its SERVICE"),
            new Experiment("egress", true, DataPlane.sidecar, Scenarios::egress,
                    "requests to a server outside the mesh, only through the egress gateway"),
            new Experiment("ztunnel-down", true, DataPlane.ambient, AmbientScenarios::ztunnelDown,
                    "ztunnel of the client's node in FIRST is restarted: new connections work again"),
            new Experiment("waypoint-down", false, DataPlane.ambient, AmbientScenarios::waypointDown,
                    "the waypoint of FIRST is scaled to zero: those of the other clusters take over"));

    private final List<Kube> kubes;
    private final SampleTarget app;
    private final Checks checks;
    private final Docker docker;
    private final Manifests manifests;
    private final DataPlane dataPlane;
    private final Optional<Prometheus> prometheus;
    private final Console console;
    private volatile ExperimentContext current;

    public Experiments(List<Kube> kubes, SampleTarget app, Checks checks, Docker docker, Manifests manifests,
            DataPlane dataPlane, Optional<Prometheus> prometheus, Console console) {
        this.kubes = kubes;
        this.app = app;
        this.checks = checks;
        this.docker = docker;
        this.manifests = manifests;
        this.dataPlane = dataPlane;
        this.prometheus = prometheus;
        this.console = console;
    }

    /** The experiments with these names, or all of them, in their order; a {@link Problem} if a name is unknown. */
    public static List<String> named(Collection<String> asked) {
        List<String> names = ALL.stream().map(Experiment::name).toList();
        for (String name : asked) if (!name.equals("all") && !names.contains(name))
            throw Problem.usage("there is no experiment '%s'".formatted(name),
                    "experiments: " + String.join(", ", names));
        return names.stream().filter(name -> asked.contains(name) || asked.contains("all")).toList();
    }

    /**
     * Runs experiments one after the other, and skips those that the settings of the mesh rule out. When all are asked
     * for, those of another data plane are left out. One that fails is restored and does not stop the others.
     *
     * @param listener gets each result as soon as the experiment has ended
     */
    public List<ExperimentResult> run(List<String> names, Consumer<ExperimentResult> listener) throws Exception {
        List<ExperimentResult> results = new ArrayList<>();
        for (Experiment experiment : ALL) {
            boolean fits = experiment.only == null || experiment.only == dataPlane;
            boolean all = names.size() == ALL.size();
            if (!names.contains(experiment.name) || all && !fits) continue;
            results.add(run(experiment));
            listener.accept(results.getLast());
        }
        return results;
    }

    private ExperimentResult run(Experiment experiment) throws Exception {
        String title = experiment.title.replace("FIRST", kubes.getFirst().cluster().name())
                .replace("LAST", kubes.getLast().cluster().name()).replace("SERVICE", app.service());
        console.info("\n%s: %s".formatted(experiment.name, title));
        ExperimentContext context = new ExperimentContext(kubes, app, manifests, dataPlane, docker, prometheus,
                console);
        current = context;
        try (context) {
            String reason = kubes.size() == 1 && !experiment.alone ? "there is no other cluster"
                    : experiment.only != null && experiment.only != dataPlane
                    ? "it needs --dataplane %s".formatted(experiment.only)
                    : Scenarios.ruledOut(experiment.name, context);
            if (reason.isEmpty()) {
                context.locality(true); // a demo with --no-locality lacks it
                experiment.scenario.run(context);
            } else {
                context.skip(reason);
            }
        } catch (Throwable e) { // it fails, and the next one runs
            context.expect(false, Check.message(e));
        }
        try {
            for (Kube kube : kubes) checks.awaitEndpoints(kube).task().run(_ -> {});
            context.readEdges();
        } catch (Exception e) { // the results so far must not be lost
            context.expect(false, "afterwards: " + Check.message(e));
        }
        return context.result(experiment.name, title);
    }

    /** On Ctrl-C: restores what the running experiment changed and ends it; returns whether everything is restored. */
    public boolean restore() { return current == null || current.restoreAll(); }
}
