package lib.run;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.report.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Tag("unit")
@Timeout(20)
class PlanTest {
    private final Plan plan = new Plan(new Console(false));

    private static Action action(Action.Task task) { return new Action("true", task); }

    @Test void runsStepsConcurrentlyUnlessTheyDepend() {
        List<String> order = new CopyOnWriteArrayList<>();
        CyclicBarrier together = new CyclicBarrier(2);
        Step first = plan.step("first", action(_ -> order.add("first")));
        Step left = plan.step("left", action(_ -> together.await(5, TimeUnit.SECONDS)), first);
        Step right = plan.step("right", action(_ -> together.await(5, TimeUnit.SECONDS)), first);
        plan.step("last", action(_ -> order.add("last")), left, right);
        assertTrue(plan.run());
        assertEquals(List.of("first", "last"), order);
    }

    @Test void aFailureSkipsOnlyDependentSteps() {
        Step bad = plan.step("bad", action(_ -> { throw Problem.failed("broken", "repair it"); }));
        Step needsBad = plan.step("needs bad", action(_ -> {}), bad);
        Step needsThat = plan.step("needs that", action(_ -> {}), needsBad);
        Step free = plan.step("free", action(_ -> {}));
        assertFalse(plan.run());
        assertEquals(List.of(Step.State.FAILED, Step.State.SKIPPED, Step.State.SKIPPED, Step.State.DONE),
                Stream.of(bad, needsBad, needsThat, free).map(Step::state).toList());
        assertEquals(List.of(bad), plan.failures().stream().map(Plan.Failure::step).toList());
    }

    @Test void anErrorFailsItsStepAndSkipsDependentSteps() {
        Error cause = new StackOverflowError();
        Step bad = plan.step("bad", action(_ -> { throw cause; }));
        Step needsBad = plan.step("needs bad", action(_ -> {}), bad);
        Step free = plan.step("free", action(_ -> {}));
        assertFalse(plan.run());
        assertEquals(List.of(Step.State.FAILED, Step.State.SKIPPED, Step.State.DONE), Stream.of(bad, needsBad, free)
                .map(Step::state).toList());
        assertEquals(List.of(new Plan.Failure(bad, cause)), plan.failures());
        plan.report();
    }

    @Test void anErrorFailsItsCheck() {
        Check.Attempt broken = () -> { throw new NoClassDefFoundError("lib/Missing"); };
        Check check = new Check("a", "a check", "", Severity.FATAL, Duration.ZERO, broken);
        assertEquals(Status.FAILED, check.run("layer").status());
        assertTrue(check.run("layer").message().contains("lib/Missing"));
    }

    @Test void interruptionEndsRunningStepsAndSkipsOthers() throws InterruptedException {
        CountDownLatch running = new CountDownLatch(1);
        Step endless = plan.step("endless", action(_ -> {
            running.countDown();
            Thread.sleep(Duration.ofMinutes(5));
        }));
        Step after = plan.step("after", action(_ -> {}), endless);
        Thread runner = Thread.startVirtualThread(plan::run);
        running.await();
        runner.interrupt();
        runner.join();
        assertEquals(Step.State.FAILED, endless.state());
        assertEquals(Step.State.SKIPPED, after.state());
    }

    @Test void recordsTimings() {
        Step slow = plan.step("slow", action(_ -> Thread.sleep(200)));
        plan.step("quick", action(_ -> {}), slow);
        plan.run();
        assertTrue(slow.seconds() >= 0.2 && slow.seconds() < 2, "took " + slow.seconds());
        assertTrue(plan.timeline().lines().anyMatch(l -> l.startsWith("slow ")), plan.timeline());
    }

    @Test void shellPlanNamesDependencies() {
        Step first = plan.step("first", new Action("echo one", _ -> {}));
        plan.step("so2", "second", new Action("echo two", _ -> {}), first);
        assertTrue(plan.toShell().contains("# so2: second   (after first)\necho two\n"), plan.toShell());
    }
}
