package lib.experiments;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an experiment changed is restored: when it ends, and on Ctrl-C. DemoTest interrupts real ones. */
@Tag("unit")
@Timeout(20)
class ExperimentContextTest {
    private final Kube kube = new Kube(new Cluster(1, "so1"), new Console(false));
    private final ExperimentContext context = new ExperimentContext(List.of(kube), SampleApp.TARGET, new Manifests(null), null, new Console(false));
    private final List<String> done = new CopyOnWriteArrayList<>();

    private void change(String name) throws Exception {
        context.change("so1 " + name, () -> done.add(name), () -> done.add("no " + name), () -> {});
    }

    @Test void ctrlCDoesNotWaitForPodsThatAreAwaited() throws Exception {
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
        assertTrue(System.nanoTime() - start < 2e9, "it waited");
        assertEquals(List.of("one", "two", "no two", "no one"), done);
        experiment.interrupt();
    }

    @Test void ctrlCLetsAChangeThatIsBeingMadeGoFirst() throws Exception {
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

    @Test void whatCannotBeRestoredDoesNotKeepTheOthers() throws Exception {
        change("one");
        context.change("so1 two", () -> done.add("two"), () -> { throw new StackOverflowError(); }, () -> {});
        change("three");
        assertFalse(context.restoreAll());
        assertEquals(List.of("one", "two", "three", "no three", "no one"), done);
        context.close();
        assertEquals(Status.FAILED, context.result("a", "an experiment").status());
    }
}
