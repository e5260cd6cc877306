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
 * Creates the demo from a bundle alone, with a second Docker daemon: it has no images, and its network namespace has no
 * connection to any network. Needs root and dockerd.
 */
@Tag("long")
class OfflineTest {
    private static final String NAMESPACE = "kind-demo-offline";
    @TempDir Path folder;
    private final Map<String, String> online = new HashMap<>(Shell.ownFolders()),
            offline = new HashMap<>(Shell.ownFolders());
    private Path dockerFolder;
    private Process dockerd;

    @BeforeEach void start() throws IOException, InterruptedException {
        assumeTrue(Shell.run("[ $(id -u) = 0 ] && command -v dockerd && command -v nsenter && ip netns add "
                + NAMESPACE).exitCode() == 0, "needs root, dockerd, nsenter and ip");
        // not in JUnit's folder, which JUnit removes at the end: Docker's files remain for a moment longer
        dockerFolder = Files.createTempDirectory(Path.of("/var/tmp"), NAMESPACE);
        Shell.run(inside("ip link set lo up"));
        dockerd = new ProcessBuilder("nsenter", "--net=/run/netns/" + NAMESPACE, "dockerd",
                "--data-root", dockerFolder + "/data", "--exec-root", dockerFolder + "/exec",
                "--pidfile", dockerFolder + "/pid", "--host", socket()).redirectErrorStream(true)
                .redirectOutput(dockerFolder.resolve("log").toFile()).start();
        String path = Upstream.pathWithout(folder);
        online.putAll(Shell.SAME_JBANG);
        online.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder + "/online"));
        offline.putAll(Shell.SAME_JBANG);
        offline.putAll(Map.of("PATH", path, "XDG_CACHE_HOME", folder + "/offline", "DOCKER_HOST", socket()));
        for (int i = 0; Shell.run("docker info", offline).exitCode() != 0; i++) {
            assumeTrue(i < 60 && dockerd.isAlive(), "a second Docker daemon does not start on this machine:\n"
                    + Files.readString(dockerFolder.resolve("log")));
            Thread.sleep(500);
        }
    }

    @AfterEach void stop() throws Exception {
        if (dockerd == null) return;
        Shell.run("docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes", offline);
        dockerd.destroy();
        if (!dockerd.waitFor(30, TimeUnit.SECONDS)) dockerd.destroyForcibly();
        Shell.run("ip netns delete %s; umount %s/data/overlay2/* 2> /dev/null; rm -rf %2$s"
                .formatted(NAMESPACE, dockerFolder));
    }

    private String socket() { return "unix://%s/docker.sock".formatted(dockerFolder); }

    private static String inside(String command) {
        return "nsenter --net=/run/netns/%s %s".formatted(NAMESPACE, command);
    }

    /** The command of a user on a machine without a network. */
    private static String isolated(String command) {
        return inside("env --unset KIND_DEMO_NODE_IMAGE --unset KIND_DEMO_ASSETS --unset KIND_DEMO_MIRROR " + command);
    }

    private Shell.Result succeedsOffline(String command) { return Shell.succeeds(isolated(command), offline); }

    @Test void createsTheDemoFromABundleAlone() throws Exception {
        Path archive = folder.resolve("demo.tar.gz");
        try (Mirror upstream = Upstream.ofThisMachine()) {
            online.put("KIND_DEMO_MIRROR", "" + upstream.address());
            Shell.Result bundle = Shell.succeeds(Docs.command("jbang KindDemo.java --bundle demo.tar.gz")
                    .replace("demo.tar.gz", "" + archive), online);
            System.out.printf("bundle: %d MB in %d s%n", Files.size(archive) / 1_000_000, bundle.took().toSeconds());
        }
        assertEquals("", Shell.run("ls %s | grep -e part -e new".formatted(folder)).out(),
                "no temporary files are left");
        assertEquals("", Shell.succeeds("docker image ls --quiet", offline).out(), "Docker must have no images");
        assertNotEquals(0, Shell.run(inside("curl --max-time 3 http://1.1.1.1")).exitCode(),
                "the network must not be reachable");

        Shell.Result without = Shell.run(isolated("jbang KindDemo.java"), offline);
        assertEquals(Problem.UNMET, without.exitCode(), without.all());

        String preflight = succeedsOffline("jbang Verify.java --preflight --offline " + archive).out();
        assertTrue(preflight.contains("in the bundle or in Docker"), preflight);
        Shell.Result demo = succeedsOffline(Docs.command("jbang --offline KindDemo.java")
                .replace("demo.tar.gz", archive + " --timings"));
        System.out.printf("KindDemo --offline: %d s%n%s", demo.took().toSeconds(), demo.out());
        assertTrue(succeedsOffline("jbang Verify.java").out().contains("The mesh works."));

        Path unpacked = Files.createDirectory(folder.resolve("demo"));
        Shell.succeeds("tar -xzf '%s' -C '%s'".formatted(archive, unpacked));
        Shell.Result again = succeedsOffline("jbang KindDemo.java --offline " + unpacked);
        System.out.printf("KindDemo --offline, from a folder, everything is up: %d s%n", again.took().toSeconds());
        succeedsOffline("jbang Teardown.java");
    }
}
