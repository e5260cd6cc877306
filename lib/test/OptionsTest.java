package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

@Tag("unit")
class OptionsTest {
    @CommandLine.Command(name = "Probe")
    private static final class Probe extends Script {
        Mesh mesh;

        @Override protected int run() {
            mesh = settings.mesh();
            return 0;
        }
    }

    private static int exitCode(Probe probe, String... arguments) {
        return new CommandLine(probe).setErr(new PrintWriter(Writer.nullWriter())).setOut(new PrintWriter(Writer.nullWriter()))
                .execute(arguments);
    }

    @ParameterizedTest @ValueSource(strings = {"--clusters 0", "--clusters 10", "--clusters two", "--workers -1", "--workers 10",
            "--name-prefix So", "--name-prefix a_b", "--name-prefix x;rm",
        "--name-prefix -", "--node-image --privileged", "--node-image=a b", "--manifests /nowhere/at/all", "--assets /nowhere/at/all",
                "--no-such-option", "--ca step-ca", "--contexts a --ca istio-csr", "--vault-port 0", "--vault-port 65536",
                "--mirror github.com", "--mirror file:///tmp"})
    void whatCannotBeMeantIsRefused(String arguments) {
        String[] words = arguments.startsWith("--node-image=") ? new String[] {arguments} : arguments.split(" ");
        assertEquals(Problem.USAGE, exitCode(new Probe(), words));
    }

    @Test void theMeshFollowsTheOptions() {
        Probe probe = new Probe();
        assertEquals(0, exitCode(probe, "--clusters", "3", "--name-prefix", "demo"));
        assertEquals(List.of("demo1", "demo2", "demo3"), probe.mesh.clusters().stream().map(Cluster::name).toList());
        Cluster third = probe.mesh.clusters().getLast();
        assertEquals(List.of("kind-demo3", "istio-demo3", "network3", "region3"),
                List.of(third.context(), third.id(), third.network(), third.region()));
        assertEquals(List.of(32013, 32023, 32033), third.ports());
    }

    @Test void whoSignsIsNamedAsItsProject() {
        Probe probe = new Probe();
        assertEquals(0, exitCode(probe, "--ca", "istio-csr"));
        assertEquals(CertificateAuthority.Choice.istioCsr, probe.settings.ca());
    }

    @Test void nothingThatMustDifferBetweenClustersIsShared() {
        List<Cluster> clusters = Mesh.of("so", 9).clusters();
        for (String key : List.of("POD_SUBNET", "SERVICE_SUBNET", "NETWORK", "CLUSTER_ID", "REGION", "ZONE")) {
            assertEquals(9, clusters.stream().map(c -> c.placeholders().get(key)).distinct().count(), key);
        }
        assertEquals(27, clusters.stream().flatMap(c -> c.ports().stream()).distinct().count());
    }
}
