package lib.cli;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import org.junit.jupiter.api.Assumptions;
import picocli.CommandLine;

/** A script that does nothing, for tests of the shared options. */
@CommandLine.Command(name = "Probe")
public final class Probe extends DemoCommand {
    public Mesh mesh;

    @Override protected int run(Console console) {
        mesh = withoutClusters().clusters.wanted();
        return 0;
    }

    /** The exit code of a script with these arguments. Its output is discarded. */
    public int exitCode(String... arguments) {
        return DemoCommand.commandLine(this, System.getenv()).setErr(new PrintWriter(Writer.nullWriter()))
                .setOut(new PrintWriter(Writer.nullWriter())).execute(arguments);
    }

    /** The options of a script with these arguments, before any check. */
    static DemoOptions options(String... arguments) {
        Probe probe = new Probe();
        DemoCommand.commandLine(probe, System.getenv()).parseArgs(arguments);
        return probe.options;
    }

    /** The demo of a script with these arguments, if these are the nodes of all kind clusters. */
    public static DemoContext demo(Console console, List<Docker.Node> nodes, String... arguments) {
        return new DemoContext(options(arguments), console, nodes);
    }

    /** The same without any clusters. */
    public static DemoContext demo(String... arguments) { return demo(new Console(false), List.of(), arguments); }

    /** Skips the test if Docker has no image of ztunnel: not every registry provides it. */
    public static void requireZtunnel() {
        String image = IstioSettings.PINNED.with(null, DataPlane.ambient, null, null, null).images().stream()
                .filter(name -> name.contains("/ztunnel:")).findFirst().orElseThrow();
        Assumptions.assumeTrue(hasImage(image), () -> "skipped: image %s absent".formatted(image));
    }

    public static boolean hasImage(String image) {
        return !new Docker(new Console(false)).images().present(Set.of(image)).isEmpty();
    }

    /** Throws a {@link Problem} if cert-manager's manifest is not available. */
    public static void checkCertManager() { ((IstioCsr) demo("--ca", "istio-csr").authority).checkManifest(); }

    /** The IDs of all preflight checks. */
    public static Set<String> preflightChecks() {
        Set<String> ids = new TreeSet<>();
        for (String[] arguments : new String[][] {{}, {"--contexts", "a"}, {"--dataplane", "ambient"}}) {
            DemoContext demo = demo(arguments);
            Mesh mesh = Mesh.of("so", 2);
            ids.addAll(demo.preflight(mesh, demo.images(mesh, false), false).ids());
        }
        return ids;
    }
}
