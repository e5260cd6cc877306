package lib.test;

import module java.base;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A demo of the test's own, with its own kubeconfig and state folder: one for all tests of a class when it is a static
 *  field, else one for each test. It refuses to start where a demo of the default name exists, and removes the demo in
 *  the end.
 */
public final class OwnDemo implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    /** What exists on this machine apart from node images' volumes, which are kept for the next demo. */
    private static final String EXISTING =
            "docker ps -aq | sort; docker volume ls -q | grep -v ^kind-demo-images- | sort";

    /** The variables that the commands get beside those of the tests; a test may add some. */
    public final Map<String, String> environment;
    private boolean forAllTests, started;
    private String before;

    public OwnDemo() { this(Shell.ownFolders()); }

    private OwnDemo(Map<String, String> environment) { this.environment = new HashMap<>(environment); }

    /** One in the user's own kubeconfig, for tests that connect to its clusters from this process. */
    public static OwnDemo inTheUsersKubeconfig() { return new OwnDemo(Map.of()); }

    public Path kubeconfig() { return Path.of(environment.get("KUBECONFIG")); }

    /** Where XDG_STATE_HOME points. */
    public Path folder() { return Path.of(environment.get("XDG_STATE_HOME")); }

    /** The state of the demo that has the default name. */
    public Path state() { return folder().resolve("kind-demo/so"); }

    public Shell.Result run(String command) { return Shell.run(command, environment); }

    /** The same for a command that must end with 0. */
    public Shell.Result succeeds(String command) { return Shell.succeeds(command, environment); }

    /** The containers and volumes that exist now, and those that existed before the demo. */
    public static String existing() { return Shell.run(EXISTING).out(); }

    public String before() { return before; }

    @Override public void beforeAll(ExtensionContext context) {
        forAllTests = true;
        start();
    }

    @Override public void beforeEach(ExtensionContext context) { if (!forAllTests) start(); }

    @Override public void afterEach(ExtensionContext context) { if (!forAllTests) remove(); }

    @Override public void afterAll(ExtensionContext context) { remove(); }

    private void start() {
        String there = Shell.run("docker ps -a --format '{{.Names}}' --filter name=^so[1-9]- --filter name=^so-vault$")
                .out();
        if (!there.isBlank()) throw new AssertionError(
                "a demo exists, and the test would use its clusters; first: jbang Teardown.java\n"
                + there);
        before = existing();
        started = true;
    }

    private void remove() { if (started) run("jbang Teardown.java"); }
}
