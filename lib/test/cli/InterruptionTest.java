package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ends KindDemo at different moments of its run, and runs it again: it resumes, and its result is that of an
 * undisturbed run. DemoTest has a short form.
 */
@Tag("long")
class InterruptionTest {
    @RegisterExtension final OwnDemo demo = new OwnDemo();
    private final String mark = "KIND_DEMO_TEST=" + UUID.randomUUID();
    private String foreignBefore;

    private Shell.Result succeeds(String command) { return demo.succeeds(command); }

    /**
     * Resources that do not belong to the demo: a container with the label of another kind cluster, a volume, a
     * network, and the other contexts in the kubeconfig.
     */
    private String foreign() {
        return succeeds("""
                docker inspect canary --format '{{.Id}} {{.State.StartedAt}}'
                docker volume inspect canary; docker network inspect canary
                kubectl config view --minify; kubectl config get-contexts -o name | grep -v kind-so
                """).out();
    }

    @BeforeEach void fresh() {
        Shell.run("jbang build KindDemo.java");
        succeeds("docker volume create canary && docker network create canary && docker run --detach --rm --name canary"
                + " --volume canary:/canary --network canary --label io.x-k8s.kind.cluster=other"
                + " --entrypoint sleep docker.io/curlimages/curl:8.16.0 infinity");
        foreignBefore = foreign();
    }

    /** Teardown must remove everything, whatever state the test ended in. */
    @AfterEach void nothingIsLeft() {
        try {
            succeeds("jbang Teardown.java");
            assertEquals("", Shell.run("docker ps -aq --filter name=^so[12]-").out());
            assertEquals(foreignBefore, foreign());
        } finally {
            Shell.run("docker rm --force canary; docker volume rm canary; docker network rm canary");
        }
    }

    /**
     * SIGINT, as with Ctrl-C, alternates with SIGKILL. SIGKILL ends only the program itself: its child processes keep
     * running.
     */
    @ParameterizedTest
    @CsvSource({"1,KILL", "2,INT", "4,KILL", "6,INT", "8,KILL", "11,INT", "14,KILL", "18,INT", "22,KILL", "27,INT",
            "33,KILL", "40,INT"})
    void atAnyMoment(int seconds, String signal) {
        Shell.Result first = demo.run(
                "env %s timeout --foreground --preserve-status --signal %s %d jbang KindDemo.java"
                        .formatted(mark, signal, seconds));
        // on a slow machine the script itself may not have started yet
        if (signal.equals("INT") && first.err().contains("Istio multi-primary")) {
            assertEquals(Problem.INTERRUPTED, first.exitCode(), first.all());
            assertTrue(first.err().contains("interrupted"), first.err());
            assertTrue(first.err().contains("jbang KindDemo.java; or remove it: jbang Teardown.java"), first.err());
            assertTrue(Shell.inTime("Ctrl-C", first.took().minusSeconds(seconds), Duration.ofSeconds(3)),
                    "it took " + first.took());
            assertEquals("", Shell.run("grep -slz '^%s' /proc/[0-9]*/environ".formatted(mark)).out(),
                    "child processes are still running");
        }
        Shell.Result again = succeeds("jbang KindDemo.java");
        succeeds("jbang Verify.java");
        String end = first.err().lines().filter(l -> l.contains("interrupted")).findFirst().orElse("killed");
        System.out.printf("SIG%s after %d s: %s; then %d s%n", signal, seconds, end, again.took().toSeconds());
    }
}
