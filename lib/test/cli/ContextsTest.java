package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.manifests.*;
import lib.observe.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Installs the mesh into plain kind clusters, in which the test itself has installed a load balancer, and removes the
 * mesh again.
 */
@Tag("long")
class ContextsTest {
    private static final List<String> CLUSTERS = List.of("east", "west");
    /** The name of the second context must be quoted, and is not a valid name in Kubernetes. */
    private static final String BOTH = " --contexts 'kind-east,West (EU)'";
    private static final String SWAPPED = " --contexts 'West (EU),kind-east'";
    @TempDir private static Path folder;
    @RegisterExtension static final OwnDemo DEMO = new OwnDemo();

    private static Shell.Result succeeds(String command) { return DEMO.succeeds(command); }

    @BeforeAll static void plainClustersWithALoadBalancer() throws IOException {
        Set<String> images = new TreeSet<>(IstioSettings.PINNED.images());
        images.addAll(MetalLb.images());
        Manifests manifests = new Manifests(null);
        Set<String> optional = new TreeSet<>(IstioSettings.PINNED.with(null, DataPlane.ambient, null, null, null)
                .images());
        for (String file : List.of("observability/prometheus.yaml", "observability/kiali.yaml"))
            optional.addAll(Manifests.images(manifests.read(file)));
        images.addAll(new Docker(new Console(false)).images().present(optional).keySet());
        for (String file : Manifests.ALL)
            if (file.startsWith("apps/")) images.addAll(Manifests.images(manifests.read(file)));
        String start = Shell.subnet().replaceFirst("\\.\\d+\\.\\d+/\\d+", "");
        Path assets = Path.of(Shell.variable("KIND_DEMO_ASSETS", AppDirs.of("so").cache().toString()))
                .resolve(Versions.METALLB_MANIFEST.file());
        for (String cluster : CLUSTERS) {
            String kubectl = "kubectl --context kind-" + cluster,
                    range = "%s.%d.10-%1$s.%2$d.30".formatted(start, 240 + CLUSTERS.indexOf(cluster));
            succeeds("kind create cluster --name %s --image %s".formatted(cluster, Shell.NODE_IMAGE));
            succeeds(("docker save %s | docker exec -i %s-control-plane"
                    + " ctr --namespace=k8s.io images import --snapshotter=overlayfs -")
                    .formatted(String.join(" ", images), cluster));
            succeeds(kubectl + " apply --server-side -f " + assets);
            succeeds(kubectl + " -n metallb-system rollout status deployment/controller --timeout 180s");
            Path pool = Files.writeString(folder.resolve(cluster + ".yaml"),
                    manifests.filled("metallb/pool.yaml", Map.of("ADDRESS_RANGE", range)));
            succeeds("for try in $(seq 60); do %s apply -f %s && break; sleep 2; done".formatted(kubectl, pool));
            succeeds(kubectl + " create configmap mine -n default --from-literal=a=b");
        }
        succeeds("kubectl config set-context 'West (EU)' --cluster kind-west --user kind-west");
    }

    @AfterAll static void down() { CLUSTERS.forEach(c -> DEMO.run("kind delete cluster --name " + c)); }

    /** The names of all resources that a user could miss or find left behind. */
    private static String all(String cluster) {
        return succeeds(("for kind in $(kubectl --context kind-%1$s api-resources --verbs=list -o name"
                + " | grep -v -e events -e leases -e replicasets -e pods -e endpointslices -e componentstatuses);"
                + " do kubectl --context kind-%1$s get $kind -A -o name; done | sort").formatted(cluster)).out();
    }

    @Test void installsAndRemovesAnAmbientMesh() throws IOException {
        Probe.requireZtunnel();
        String east = all("east"), west = all("west");
        Shell.Result demo = succeeds("jbang KindDemo.java --dataplane ambient --waypoints" + BOTH);
        System.out.println("KindDemo, ambient, on existing clusters: " + demo.took().toSeconds() + " s");
        assertTrue(succeeds("jbang Verify.java" + BOTH).out().contains("West (EU): endpoints: "));
        succeeds("jbang Teardown.java" + BOTH);
        assertEquals(east, all("east"));
        assertEquals(west, all("west"));
    }

    @Test void installsAndRemovesKiali() throws IOException {
        String east = all("east"), west = all("west");
        new ObservedDemo(DEMO).prepare();
        Shell.Result demo = succeeds("jbang KindDemo.java --observe" + BOTH);
        assertTrue(demo.out().strip().endsWith("istioctl dashboard kiali --context kind-east"), demo.out());
        assertEquals("ClusterIP ", succeeds("kubectl --context kind-east get service kiali -n istio-system -o "
                + "jsonpath='{.spec.type} {.spec.ports[*].nodePort}'").out());
        succeeds("jbang KindDemo.java --observe=" + BOTH);
        assertFalse(all("east").matches("(?s).*(prometheus|kiali|observer).*"));
        succeeds("jbang KindDemo.java --observe" + BOTH);
        succeeds("jbang Teardown.java" + BOTH);
        assertEquals(east, all("east"));
        assertEquals(west, all("west"));
        DEMO.environment.remove("KIND_DEMO_MANIFESTS");
    }

    @Test void installsAndRemovesAMesh() throws IOException {
        String east = all("east"), west = all("west"), current = succeeds("kubectl config current-context").out();

        succeeds("kubectl --context kind-west create namespace other"
                + " && kubectl --context kind-west -n other create deployment istiod --image none --replicas 0");
        Shell.Result refused = DEMO.run("jbang KindDemo.java" + BOTH);
        assertEquals(Problem.UNMET, refused.exitCode(), refused.all());
        String words = "West (EU) has an Istio that the demo did not install, in [other]";
        assertTrue(refused.err().contains(words), refused.err());
        succeeds("kubectl --context kind-west delete namespace other");

        Shell.Result demo = succeeds(Docs.command("jbang KindDemo.java --contexts east,west")
                .replace(" --contexts east,west", BOTH));
        System.out.println("KindDemo on existing clusters: %d s%n%s".formatted(demo.took().toSeconds(),
                demo.out()));
        assertTrue(succeeds(Docs.command("jbang Verify.java --contexts east,west")
                .replace(" --contexts east,west", BOTH)).out().contains("West (EU): endpoints: 2 local, 1 on 15443"));
        String secrets = "kubectl --context kind-west get secrets -n istio-system"
                + " -o custom-columns=:.metadata.name,:.metadata.uid";
        String before = succeeds(secrets).out();
        assertTrue(before.contains("istio-remote-secret-istio-kind-east"), before);
        succeeds("jbang KindDemo.java" + SWAPPED);
        assertEquals(before, succeeds(secrets).out());
        assertTrue(succeeds("jbang Verify.java" + SWAPPED).out().contains("The mesh works."));
        assertTrue(succeeds("jbang Teardown.java --dry-run" + BOTH).out().contains("kind-east: Deployment istiod"));
        Shell.Result teardown = succeeds(Docs.command("jbang Teardown.java --contexts east,west")
                .replace(" --contexts east,west", BOTH));
        System.out.println("Teardown: %d s%n%s".formatted(teardown.took().toSeconds(), teardown.out()));

        assertEquals(east, all("east"));
        assertEquals(west, all("west"));
        assertEquals(current, succeeds("kubectl config current-context").out());
        try (Stream<Path> states = Files.list(DEMO.folder().resolve("kind-demo"))) {
            assertEquals(List.of(), states.toList());
        }
        succeeds("jbang Teardown.java" + BOTH);
    }
}
