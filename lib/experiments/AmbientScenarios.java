package lib.experiments;

import static lib.experiments.Scenarios.*;

import module java.base;
import lib.sample.*;
import lib.report.ExperimentResult.Reply;

/** What the experiments of an ambient mesh do. */
final class AmbientScenarios {
    private AmbientScenarios() {}

    static void ztunnelDown(ExperimentContext context) throws Exception {
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, STEADY);
        double down = traffic.event("ztunnel of %s is restarted".formatted(context.first().cluster()));
        context.restartZtunnel();
        double ready = traffic.event("the new ztunnel is ready");
        traffic.awaitAnswersFrom(first(context), ready, UNDISTURBED);
        List<Reply> lost = traffic.replies(down, traffic.now()).stream().filter(Reply::lost).toList();
        double recovered = lost.isEmpty() ? 0 : Math.max(0, lost.getLast().at() - ready);
        context.metric("lost", lost.size());
        context.metric("restartSeconds", Traffic.round(ready - down));
        context.metric("recoveredSeconds", Traffic.round(recovered));
        context.observe("%d requests lost while ztunnel restarted in %.1f s; none later than %.1f s after it was ready"
                .formatted(lost.size(), ready - down, recovered));
        context.expect(recovered < MOVED, "requests were lost until %.1f s after ztunnel was ready; at most %d s"
                .formatted(recovered, MOVED));
    }

    static void waypointDown(ExperimentContext context) throws Exception {
        String waypoint = Locality.waypoint(context.first(), context.app()).orElseThrow();
        Traffic traffic = context.traffic();
        traffic.awaitAnswersFrom(first(context), 0, STEADY);
        double down = traffic.event("%s of %s is scaled to zero".formatted(waypoint, context.first().cluster()));
        context.scaleToZero(context.first(), context.app().namespace(), waypoint);
        traffic.awaitAnswersFrom(context.others(), down, STEADY);
        double restored = traffic.event("%s of %s is restored".formatted(waypoint, context.first().cluster()));
        observeMove(context, traffic, "away", context.others(), down, restored, MOVED * Traffic.PER_SECOND);
        context.restore(context.first(), waypoint);
        traffic.awaitAnswersFrom(first(context), restored, STEADY);
        observeMove(context, traffic, "home", first(context), restored, traffic.now(), 1);
    }
}
