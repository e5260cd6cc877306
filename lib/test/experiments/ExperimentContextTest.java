package lib.experiments;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.sample.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Experiments restore what they changed: when they end, and on Ctrl-C. DemoTest interrupts real ones. */
@Tag("unit")
@Timeout(20)
class ExperimentContextTest {
    private final Kube kube = new Kube(new Cluster(1, "so1"), new Console(false));
    private final ExperimentContext context = new ExperimentContext(List.of(kube), SampleApp.TARGET,
            new Manifests(null), DataPlane.sidecar, null, Optional.empty(), new Console(false));
    private final List<String> done = new CopyOnWriteArrayList<>();

    private void change(String name) throws Exception {
        context.change("so1 " + name, () -> done.add(name), () -> done.add("no " + name), () -> {});
    }

    @Test void ctrlCDoesNotWaitForPods() throws Exception {
        CountDownLatch waiting = new CountDownLatch(1);
        change("one");
        context.change("so1 two", () -> done.add("two"), () -> done.add("no two"), () -> {
            waiting.countDown();
            Thread.sleep(Duration.ofMinutes(2));
        });
        Thread experiment = Thread.startVirtualThread(() -> {
            try {
                context.restore(kube, "two");
            } catch (Exception e) {
                done.add("" + e);
            }
        });
        waiting.await();
        long start = System.nanoTime();
        assertTrue(context.restoreAll());
        assertTrue(System.nanoTime() - start < 2e9, "Ctrl-C waited for pods");
        assertEquals(List.of("one", "two", "no two", "no one"), done);
        experiment.interrupt();
    }

    @Test void ctrlCWaitsForAChangeInProgress() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        Thread experiment = Thread.startVirtualThread(() -> {
            try {
                context.change("so1 slow", () -> {
                    begun.countDown();
                    Thread.sleep(500);
                    done.add("slow");
                }, () -> done.add("no slow"), () -> {});
            } catch (Exception e) {
                done.add("" + e);
            }
        });
        begun.await();
        assertTrue(context.restoreAll());
        experiment.join();
        assertEquals(List.of("slow", "no slow"), done);
        assertThrows(Problem.class, () -> change("late"));
        assertEquals(List.of("slow", "no slow"), done);
    }

    @Test void aFailedRestoreDoesNotStopTheOthers() throws Exception {
        change("one");
        context.change("so1 two", () -> done.add("two"), () -> { throw new StackOverflowError(); }, () -> {});
        change("three");
        assertFalse(context.restoreAll());
        assertEquals(List.of("one", "two", "three", "no three", "no one"), done);
        context.close();
        assertEquals(Status.FAILED, context.result("a", "an experiment").status());
    }

    private static final String USUAL = "{\"accessLogFile\": \"/dev/stdout\", \"defaultConfig\": {\"proxyMetadata\": "
            + "{\"ISTIO_META_DNS_CAPTURE\": \"true\"}}}";

    @Test void settingsRuleOutTheEgressExperiment() throws IOException {
        JsonNode usual = new ObjectMapper().readTree(USUAL);
        assertEquals("", Scenarios.egressRuledOut(1, false, usual));
        assertTrue(Scenarios.egressRuledOut(0, false, usual).contains("istio-egressgateway"));
        assertTrue(Scenarios.egressRuledOut(1, true, usual).contains("REGISTRY_ONLY"));
        JsonNode noLog = new ObjectMapper().readTree(USUAL.replace("/dev/stdout", ""));
        assertTrue(Scenarios.egressRuledOut(1, false, noLog).contains("accessLogFile"));
        JsonNode nothing = new ObjectMapper().createObjectNode();
        assertTrue(Scenarios.egressRuledOut(1, false, nothing).contains("DNS_CAPTURE"));
    }
}
