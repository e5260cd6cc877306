package lib.experiments;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.test.*;
import lib.verify.*;

/**
 * Sends steady requests that both clusters answer, and kills something at random, again and again. The next kill waits
 * until both clusters answer again.
 */
public final class Soak {
    /** What is killed, in either cluster. The client in so1 and its node send the requests, so they are not killed. */
    private enum Fault {
        APP("a pod of the app", "sample", "helloworld"),
        GATEWAY("an east-west gateway", "istio-system", "istio-eastwestgateway"),
        ISTIOD("an istiod", "istio-system", "istiod"),
        NODE("the other cluster's node", "", ""),
        ZTUNNEL("a ztunnel", "istio-system", "ztunnel");

        private final String title, namespace, app;

        Fault(String title, String namespace, String app) {
            this.title = title;
            this.namespace = namespace;
            this.app = app;
        }

        void strike(Random random) {
            String kubectl = "kubectl --context kind-so" + (1 + random.nextInt(2));
            String choice = "shuf -n 1 --random-source=<(yes %d)".formatted(random.nextInt(1000));
            Shell.succeeds(this == NODE ? "docker kill so2-control-plane && docker start so2-control-plane"
                    : "%1$s delete -n %2$s --grace-period 0 --force $(%1$s get pods -n %2$s -l app=%3$s -o name | %4$s)"
                    .formatted(kubectl, namespace, app, choice));
        }
    }

    /** The lost requests of one kind of fault. */
    private static final class Losses {
        int times, sent, lost;
        double longest;

        void add(List<ExperimentResult.Reply> replies) {
            times++;
            sent += replies.size();
            lost += (int) replies.stream().filter(ExperimentResult.Reply::lost).count();
            double since = -1;
            for (ExperimentResult.Reply r : replies) {
                if (r.lost() && since < 0) since = r.at();
                if (!r.lost() && since >= 0) {
                    longest = Math.max(longest, r.at() - since);
                    since = -1;
                }
            }
        }
    }

    /** Spreads requests over the clusters, and ejects a failed endpoint for five seconds. */
    private static final String SPREAD = """
            kubectl --context kind-so1 apply --server-side --force-conflicts -f - <<'RULE'
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: helloworld, namespace: sample}
            spec:
              host: helloworld.sample.svc.cluster.local
              trafficPolicy:
                connectionPool: {http: {maxRequestsPerConnection: 1}}
                loadBalancer: {simple: ROUND_ROBIN, localityLbSetting: {enabled: false}}
                outlierDetection:
                  consecutive5xxErrors: 1
                  interval: 1s
                  baseEjectionTime: 5s
                  maxEjectionPercent: 100
            RULE""";

    /** The same in an ambient mesh: the service without its locality rule. */
    private static final String SPREAD_AMBIENT = "kubectl --context kind-so1 apply --server-side --force-conflicts"
            + " --field-manager kind-demo -f manifests/apps/helloworld.yaml";

    private Soak() {}

    /**
     * Runs on the existing demo and restores it. It kills at least one istiod.
     *
     * @return the share of requests that were lost while istiods were killed: the mesh must work without them
     */
    public static double run(Duration duration, long seed, DataPlane dataPlane) throws IOException {
        System.out.printf("soak of %d s, %s, seed %d%n", duration.toSeconds(), dataPlane, seed);
        boolean ambient = dataPlane == DataPlane.ambient;
        List<Fault> faults = Arrays.stream(Fault.values()).filter(fault -> ambient || fault != Fault.ZTUNNEL).toList();
        Random random = new Random(seed);
        Console console = new Console(false);
        List<Kube> kubes = Mesh.of("so", 2).clusters().stream().map(c -> new Kube(c, console)).toList();
        Map<Fault, Losses> losses = new EnumMap<>(Fault.class);
        Shell.succeeds(ambient ? SPREAD_AMBIENT : SPREAD);
        int most = (int) (duration.toSeconds() + 600) * Traffic.PER_SECOND;
        try (Traffic traffic = Traffic.fromClient(new ClientPod(kubes.getFirst(), SampleApp.TARGET), _ -> {},
                () -> new TrafficChecks(kubes, SampleApp.TARGET).clusterOfPod(), most)) {
            awaitBoth(traffic, 0);
            List<Fault> round = new ArrayList<>();
            for (Instant end = Instant.now().plus(duration); Instant.now().isBefore(end)
                    || !losses.containsKey(Fault.ISTIOD); ) {
                if (round.isEmpty()) Collections.shuffle(round = new ArrayList<>(faults), random);
                Fault fault = round.removeLast();
                double since = traffic.now();
                fault.strike(random);
                awaitBoth(traffic, traffic.now());
                List<ExperimentResult.Reply> replies = traffic.replies(since, traffic.now());
                losses.computeIfAbsent(fault, _ -> new Losses()).add(replies);
                System.out.printf("%6.0f s  %s: %s%n", since, fault.title, Traffic.count(replies));
            }
        } finally {
            kubes.forEach(Kube::close);
            if (!ambient) Shell.succeeds("kubectl --context kind-so1 delete destinationrule helloworld -n sample");
            Shell.succeeds("jbang KindDemo.java");
        }
        System.out.println("\n| killed | times | requests | lost | longest outage |\n| --- | --- | --- | --- | --- |");
        losses.forEach((fault, loss) -> System.out.printf("| %s | %d | %d | %d | %.1f s |%n", fault.title, loss.times,
                loss.sent, loss.lost, loss.longest));
        return lostShare(losses.get(Fault.ISTIOD));
    }

    /** Throws an AssertionError if no request was sent: the share would prove nothing. */
    private static double lostShare(Losses loss) {
        if (loss.sent == 0) throw new AssertionError("no request was sent while an istiod was killed");
        return (double) loss.lost / loss.sent;
    }

    /** Waits until both clusters have answered, in the requests of three seconds. */
    private static void awaitBoth(Traffic traffic, double since) throws IOException {
        traffic.awaitAnswersFrom(Set.of("so1", "so2"), since, 3 * Traffic.PER_SECOND, Duration.ofMinutes(4));
    }
}
