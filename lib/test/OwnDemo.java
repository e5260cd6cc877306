package lib.test;

import module java.base;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The test's own demo, with its own kubeconfig and state folder. A static field is one demo for all tests of the class;
 * otherwise each test has its own. The tests fail if a demo with the default name exists. The demo is removed at the
 * end.
 */
public final class OwnDemo implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    /** Lists all containers and volumes, except the volumes with node images: these are kept for the next demo. */
    private static final String EXISTING =
            "docker ps -aq | sort; docker volume ls -q | grep -v ^kind-demo-images- | sort";

    /** The variables of the commands, in addition to those of the tests. A test may add more. */
    public final Map<String, String> environment;
    private boolean forAllTests, started;
    private String before;

    public OwnDemo() { this(Shell.ownFolders()); }

    private OwnDemo(Map<String, String> environment) { this.environment = new HashMap<>(environment); }

    /** A demo in the user's own kubeconfig, for tests that connect to its clusters from this process. */
    public static OwnDemo inTheUsersKubeconfig() { return new OwnDemo(Map.of()); }

    public Path kubeconfig() { return Path.of(environment.get("KUBECONFIG")); }

    /** Where XDG_STATE_HOME points. */
    public Path folder() { return Path.of(environment.get("XDG_STATE_HOME")); }

    /** The state of the demo that has the default name. */
    public Path state() { return folder().resolve("kind-demo/so"); }

    public Shell.Result run(String command) { return Shell.run(command, environment); }

    /** The same for a command that must succeed. */
    public Shell.Result succeeds(String command) { return Shell.succeeds(command, environment); }

    /** The existing containers and volumes. */
    public static String existing() { return Shell.run(EXISTING).out(); }

    /** The containers and volumes that existed before the demo. */
    public String before() { return before; }

    @Override public void beforeAll(ExtensionContext context) {
        forAllTests = true;
        start();
    }

    @Override public void beforeEach(ExtensionContext context) { if (!forAllTests) start(); }

    @Override public void afterEach(ExtensionContext context) { if (!forAllTests) remove(); }

    @Override public void afterAll(ExtensionContext context) { remove(); }

    private void start() {
        String nodes = Shell.run("docker ps -a --format '{{.Names}}' --filter name=^so[1-9]- --filter name=^so-vault$")
                .out();
        if (!nodes.isBlank()) throw new AssertionError(
                "a demo exists, and the test would use its clusters; first run: jbang Teardown.java\n" + nodes);
        before = existing();
        started = true;
    }

    /** The folder stays when the demo could not be removed: Teardown needs it. */
    private void remove() {
        if (started && run("jbang Teardown.java").exitCode() == 0 && environment.containsKey("XDG_STATE_HOME"))
            succeeds("rm -r " + folder());
    }
}
