package lib.cli;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A bundle, used where nothing is: by an engine of its own without any image, in a network namespace of its own from
 *  which nothing can be reached but itself. Needs root, and the programs of Docker's engine.
 */
@Tag("long")
class OfflineTest {
    private static final String NAMESPACE = "kind-demo-offline";
    @TempDir Path folder;
    private final Map<String, String> online = new HashMap<>(Shell.ownFolders()),
            offline = new HashMap<>(Shell.ownFolders());
    private Path engine;
    private Process dockerd;

    @BeforeEach void start() throws IOException, InterruptedException {
        assumeTrue(Shell.run("[ $(id -u) = 0 ] && command -v dockerd && command -v nsenter && ip netns add "
                + NAMESPACE).exitCode() == 0,
                "needs root, dockerd, nsenter and ip");
        // not below what JUnit removes: the engine's own files outlive its end for a moment
        engine = Files.createTempDirectory(Path.of("/var/tmp"), NAMESPACE);
        Shell.run(inside("ip link set lo up"));
        dockerd = new ProcessBuilder("nsenter", "--net=/run/netns/" + NAMESPACE, "dockerd", "--data-root", engine
                + "/data",
                "--exec-root", engine + "/exec", "--pidfile", engine + "/pid", "--host", socket())
                .redirectErrorStream(true)
                .redirectOutput(engine.resolve("log").toFile()).start();
        String path = Upstream.pathWithout(folder);
        online.putAll(Shell.SAME_JBANG);
        online.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder + "/online"));
        offline.putAll(Shell.SAME_JBANG);
        offline.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder + "/offline", "DOCKER_HOST", socket()));
        for (int i = 0; Shell.run("docker info", offline).exitCode() != 0; i++) {
            assumeTrue(i < 60 && dockerd.isAlive(), "a second engine does not start here:\n"
                    + Files.readString(engine.resolve("log")));
            Thread.sleep(500);
        }
    }

    @AfterEach void stop() throws Exception {
        if (dockerd == null) return;
        Shell.run("docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes", offline);
        dockerd.destroy();
        if (!dockerd.waitFor(30, TimeUnit.SECONDS)) dockerd.destroyForcibly();
        Shell.run("ip netns delete %s; umount %s/data/overlay2/* 2> /dev/null; rm -rf %2$s".formatted(NAMESPACE,
                engine));
    }

    private String socket() { return "unix://%s/docker.sock".formatted(engine); }

    private static String inside(String command) { return "nsenter --net=/run/netns/%s %s".formatted(NAMESPACE,
            command); }

    /** What a user types on the machine that can reach nothing. */
    private static String there(String command) {
        return inside("env --unset KIND_DEMO_NODE_IMAGE --unset KIND_DEMO_ASSETS --unset KIND_DEMO_MIRROR " + command);
    }

    private Shell.Result succeedsThere(String command) { return Shell.succeeds(there(command), offline); }

    @Test void theDemoIsMadeFromABundleAlone() throws Exception {
        Path archive = folder.resolve("demo.tar.gz");
        try (Mirror upstream = Upstream.ofThisMachine()) {
            online.put("KIND_DEMO_MIRROR", "" + upstream.address());
            Shell.Result made = Shell.succeeds(Docs.command("jbang KindDemo.java --bundle demo.tar.gz")
                    .replace("demo.tar.gz", "" + archive), online);
            System.out.printf("bundle: %d MB in %d s%n", Files.size(archive) / 1_000_000, made.took().toSeconds());
        }
        assertEquals("", Shell.run("ls %s | grep -e part -e new".formatted(folder)).out(),
                "nothing is left of the making");
        assertEquals("", Shell.succeeds("docker image ls --quiet", offline).out(), "the engine must be empty");
        assertNotEquals(0, Shell.run(inside("curl --max-time 3 http://1.1.1.1")).exitCode(),
                "the network must be none");

        Shell.Result without = Shell.run(there("jbang KindDemo.java"), offline);
        assertEquals(Problem.UNMET, without.exitCode(), without.all());

        String preflight = succeedsThere("jbang Verify.java --preflight --offline " + archive).out();
        assertTrue(preflight.contains("in the bundle or in Docker"), preflight);
        Shell.Result demo = succeedsThere(Docs.command("jbang --offline KindDemo.java")
                .replace("demo.tar.gz", archive + " --timings"));
        System.out.printf("KindDemo --offline: %d s%n%s", demo.took().toSeconds(), demo.out());
        assertTrue(succeedsThere("jbang Verify.java").out().contains("The mesh works."));

        Path unpacked = Files.createDirectory(folder.resolve("demo"));
        Shell.succeeds("tar -xzf '%s' -C '%s'".formatted(archive, unpacked));
        Shell.Result again = succeedsThere("jbang KindDemo.java --offline " + unpacked);
        System.out.printf("again, from a folder, all being there: %d s%n", again.took().toSeconds());
        succeedsThere("jbang Teardown.java");
    }
}
