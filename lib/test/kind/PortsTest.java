package lib.kind;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.ca.*;
import lib.cli.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The ports of several demos on one machine, and the ports in the user's own manifest. */
@Tag("unit")
class PortsTest {
    private static final IntPredicate FREE = _ -> true;
    private static final NodeSettings NODES = new NodeSettings(0, false, "", false);

    /** A node that publishes these ports: HOST:CONTAINER, or one number for both. */
    private static Docker.Node node(String cluster, boolean ours, boolean running, String... ports) {
        return new Docker.Node(cluster + "-control-plane", cluster, false, "", "", running, false, ours,
                Arrays.stream(ports).map(port -> port.split(":"))
                        .map(port -> new Docker.Port(Integer.parseInt(port[port.length - 1]), "127.0.0.1",
                                Integer.parseInt(port[0]))).toList());
    }

    private static int slot(String prefix, Docker.Node... nodes) {
        return ExistingClusters.slot(prefix, List.of(nodes), OptionalInt.empty(), Set.of(), FREE);
    }

    @ParameterizedTest @CsvSource({"32011, 0", "32039, 0", "32111, 1", "32725, 7", "32811, -1", "32010, -1",
            "32041, -1", "31911, -1", "8080, -1", "32109, -1"})
    void findsTheSlotOfAPort(int port, int slot) { assertEquals(slot, Cluster.slotOf(port).orElse(-1)); }

    @Test void givesEverySlotItsOwnNodePorts() {
        List<Integer> ports = IntStream.range(0, Cluster.SLOTS).boxed()
                .flatMap(slot -> Mesh.of("a", 9, slot).clusters().stream())
                .flatMap(cluster -> cluster.ports().stream()).toList();
        assertEquals(Cluster.SLOTS * 27, Set.copyOf(ports).size());
        assertTrue(ports.stream().allMatch(port -> port >= 30000 && port <= 32767), "NodePorts: " + ports);
    }

    @Test void givesASecondDemoTheNextFreeSlot() {
        assertEquals(0, slot("so"));
        Docker.Node first = node("so1", true, true, "32011", "32021", "32031", "40000:6443");
        assertEquals(1, slot("demo2", first));
        assertEquals(1, slot("demo2", node("so1", true, false, "32011")), "a stopped node keeps its ports");
        assertEquals(2, slot("third", first, node("demo21", true, true, "32111")));
        assertEquals(1, slot("third", first, node("demo21", true, true, "32211")), "the lowest free slot");
        assertEquals(1, ExistingClusters.slot("demo2", List.of(), OptionalInt.empty(), Set.of(0), FREE),
                "slot 0 belongs to a demo that has no nodes yet");
        assertEquals(3, ExistingClusters.slot("demo2", List.of(first), OptionalInt.empty(), Set.of(1),
                slot -> slot > 2), "a port of slot 2 is in use");
    }

    @Test void findsTheSlotByContainerPortsIfTheManifestChangesHostPorts() {
        assertEquals(1, slot("demo2", node("so1", true, true, "34011:32011")));
        assertEquals(2, slot("demo2", node("demo21", true, true, "34011:32211")));
        assertEquals(0, slot("demo2", node("other", false, true, "8080:32011")),
                "for other kind clusters only the host ports count");
        assertEquals(1, slot("demo2", node("other", false, false, "32039:80")));
    }

    @Test void keepsTheSlotOfAnExistingDemo() {
        Docker.Node own = node("demo21", true, false, "32111");
        assertEquals(1, slot("demo2", own), "although slot 0 is free");
        assertEquals(0, ExistingClusters.slot("so", List.of(node("so1", true, true, "32011")), OptionalInt.of(3),
                Set.of(0), _ -> false));
        assertEquals(3, ExistingClusters.slot("so", List.of(), OptionalInt.of(3), Set.of(), _ -> false));
        assertEquals(0, slot("so", node("demo21", true, true, "32111"), node("so1", true, true, "32011")));
    }

    @Test void givesEverySlotItsOwnAddressRanges() throws IOException {
        var network = new ObjectMapper()
                .readTree("{\"Name\": \"kind\", \"IPAM\": {\"Config\": [{\"Subnet\": \"172.18.0.0/16\"}]}}");
        List<AddressRange> ranges = IntStream.range(0, Cluster.SLOTS).boxed()
                .flatMap(slot -> Mesh.of("a", 9, slot).clusters().stream())
                .flatMap(cluster -> AddressRange.of(network, cluster.rangeIndex()).stream()).toList();
        assertEquals(72, ranges.size());
        for (AddressRange range : ranges) assertEquals(1, ranges.stream().filter(range::overlaps).count(), "" + range);
        assertEquals("172.18.255.128-172.18.255.191", ranges.getFirst().toString(), "unchanged for the first demo");
        assertEquals("172.18.253.64-172.18.253.127",
                AddressRange.of(network, new Cluster(1, "demo21", 1).rangeIndex()).getFirst().toString());
    }

    @Test void refusesASubnetWithoutRoomForASecondDemo() throws IOException {
        var small = new ObjectMapper()
                .readTree("{\"Name\": \"kind\", \"IPAM\": {\"Config\": [{\"Subnet\": \"10.5.0.0/26\"}]}}");
        Problem problem = assertThrows(Problem.class,
                () -> AddressRange.of(small, new Cluster(1, "demo21", 1).rangeIndex()));
        assertEquals(Problem.UNMET, problem.exitCode());
        assertTrue(problem.hint().contains("remove another demo"), problem.hint());
    }

    private static Kind kind(Manifests manifests, Path state) {
        Console console = new Console(false);
        return new Kind(new Binary(Kind.BINARY, null, state, console), null, manifests, NODES, state, console);
    }

    /** The checks, with this text as kind/cluster.yaml. */
    private static KindChecks checks(Path folder, String manifest) throws IOException {
        Files.createDirectories(folder.resolve("kind"));
        Files.writeString(folder.resolve("kind/cluster.yaml"), manifest);
        return new KindChecks(kind(new Manifests(folder), folder), NODES, ExistingClusters.NONE, null, null);
    }

    @Test void killsAnOrphanedKindThatIgnoresSigterm(@TempDir Path folder) throws Exception {
        Path script = Files.writeString(folder.resolve("kind"),
                "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n");
        script.toFile().setExecutable(true);
        Process orphan = new ProcessBuilder("" + script, "create", "cluster", "--name", "orphan1", "--config", "-",
                "--kubeconfig", "" + folder.resolve("kind.kubeconfig")).start();
        assertEquals("ready", orphan.inputReader().readLine());
        kind(new Manifests(null), folder).endOrphans(new Cluster(1, "orphan1"));
        assertFalse(orphan.isAlive());
    }

    private static String mapping(String port) {
        return "nodes:\n- role: control-plane\n  extraPortMappings: [{%s}]\n".formatted(port);
    }

    private static final List<Cluster> TWO = Mesh.of("so", 2).clusters();

    @Test void checksThePortsOfTheManifest(@TempDir Path folder) throws IOException {
        try (ServerSocket other = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))) {
            int port = other.getLocalPort();
            KindChecks kind = checks(folder,
                    mapping("listenAddress: 127.0.0.1, hostPort: %d, containerPort: 1".formatted(port)));
            Problem taken = assertThrows(Problem.class, () -> kind.ports(TWO.subList(0, 1), List.of()));
            assertEquals("port %d (so1) on 127.0.0.1 is already in use".formatted(port), taken.getMessage());
            assertTrue(taken.hint().contains("3401${INDEX}") && !taken.hint().contains("--name-prefix"),
                    "another prefix would not help: " + taken.hint());
            KindChecks any = checks(folder, mapping("hostPort: %d, containerPort: 1".formatted(port)));
            assertEquals("port %d (so1) on 0.0.0.0 is already in use".formatted(port), assertThrows(Problem.class,
                    () -> any.ports(TWO.subList(0, 1), List.of())).getMessage());
            KindChecks server = checks(folder,
                    "networking: {apiServerPort: %d}\nnodes: [{role: control-plane}]".formatted(port));
            assertTrue(assertThrows(Problem.class, () -> server.ports(TWO, List.of())).getMessage()
                    .startsWith("port " + port));
            assertEquals("2 free", checks(folder,
                    mapping("listenAddress: 127.0.0.2, hostPort: %d, containerPort: 1".formatted(port)
                            .replace("127.0.0.2", "127.0.0.1${INDEX}"))).ports(TWO, List.of()));
        }
    }

    @Test void refusesAPortThatTwoClustersUse(@TempDir Path folder) throws IOException {
        String fixed = "listenAddress: 127.0.0.1, hostPort: 34567, containerPort: ${HTTP_PORT}";
        assertEquals("port 34567 (so2) on 127.0.0.1 is used by so1", assertThrows(Problem.class,
                () -> checks(folder, mapping(fixed)).ports(TWO, List.of())).getMessage());
        assertEquals("2 free", checks(folder, mapping(fixed.replace("34567", "3456${INDEX}"))).ports(TWO, List.of()));
        assertEquals("0 free", checks(folder, mapping(fixed.replace("34567", "0"))).ports(TWO, List.of()),
                "Docker assigns the ports");
        assertEquals("2 free", checks(folder, mapping(fixed + ", protocol: UDP}, {" + fixed)).ports(TWO.subList(0, 1),
                List.of()));
    }

    @Test void refusesAPortOfAStoppedNode(@TempDir Path folder) throws IOException {
        KindChecks kind = checks(folder,
                mapping("listenAddress: 127.0.0.1, hostPort: ${HTTP_PORT}, containerPort: ${HTTP_PORT}"));
        Problem problem = assertThrows(Problem.class,
                () -> kind.ports(TWO, List.of(node("other", false, false, "32012:80"))));
        // a demo on this machine may use the first cluster's port
        assertTrue(problem.getMessage().endsWith("port 32012 (so2) on 127.0.0.1 is used by other-control-plane"),
                problem.getMessage());
        assertTrue(problem.hint().contains("--name-prefix demo"), problem.hint());
    }

    @Test void namesThePublishedAddress() {
        assertEquals("localhost:34011", new Docker.Port(32011, "127.0.0.1", 34011).reached());
        assertEquals("localhost:34011", new Docker.Port(32011, "0.0.0.0", 34011).reached());
        assertEquals("192.0.2.7:34011", new Docker.Port(32011, "192.0.2.7", 34011).reached());
        assertEquals("[2001:db8::7]:34011", new Docker.Port(32011, "2001:db8::7", 34011).reached());
    }

    @Test void remembersTheSlot(@TempDir Path folder) throws IOException {
        AppDirs home = new AppDirs(folder.resolve("cache"), folder.resolve("state/demo2"));
        assertEquals(OptionalInt.empty(), DemoState.of(home).slot());
        assertEquals(Set.of(), DemoState.slotsOfOthers(home));
        new DemoState(2, Optional.of(CertificateAuthority.Choice.local), Optional.of(IstioSettings.PINNED), false,
                OptionalInt.of(1)).write(home);
        assertEquals(OptionalInt.of(1), DemoState.of(home).slot());
        assertEquals(Set.of(), DemoState.slotsOfOthers(home));
        assertEquals(Set.of(1), DemoState.slotsOfOthers(new AppDirs(folder, folder.resolve("state/so"))));
    }
}
