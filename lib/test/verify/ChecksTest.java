package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How individual checks evaluate what they find. */
@Tag("unit")
class ChecksTest {
    @Test void endedPodsAreNotLive() {
        var pod = new PodBuilder().withNewMetadata().endMetadata().withNewStatus().withPhase("Running").endStatus()
                .build();
        for (String phase : List.of("Pending", "Running", "Unknown", "Succeeded", "Failed")) {
            boolean ended = phase.equals("Succeeded") || phase.equals("Failed");
            assertEquals(!ended, Pods.isLive(new PodBuilder(pod).editStatus().withPhase(phase).endStatus().build()),
                    phase);
        }
        assertFalse(Pods.isLive(new PodBuilder(pod).editMetadata().withDeletionTimestamp("2026-11-27T00:00:00Z")
                .endMetadata().build()));
    }

    @Test void reportsDeploymentsWithMissingPods() {
        var complete = new DeploymentBuilder().withNewMetadata().withName("dns").endMetadata().withNewSpec()
                .withReplicas(2).endSpec().withNewStatus().withReadyReplicas(2).endStatus().build();
        var few = new DeploymentBuilder(complete).editStatus().withReadyReplicas(1).endStatus().build();
        var none = new DeploymentBuilder(complete).editSpec().withReplicas(0).endSpec().withNewStatus().endStatus()
                .build();
        var daemon = new DaemonSetBuilder().withNewMetadata().withName("proxy").endMetadata().withNewStatus()
                .withDesiredNumberScheduled(3).withNumberReady(2).endStatus().build();
        assertEquals(List.of(), Deployments.incomplete(List.of(complete), List.of(), 1));
        assertEquals(List.of("deployment dns: 1 of 2 pods ready", "daemonset proxy: 2 of 3 pods ready"),
                Deployments.incomplete(List.of(few), List.of(daemon), 0));
        assertEquals(List.of("deployment dns: 0 of 0 pods ready"), Deployments.incomplete(List.of(none), List.of(), 1));
        assertEquals(List.of(), Deployments.incomplete(List.of(none), List.of(), 0), "a user may have scaled it down");
    }

    private static Service service(String name, String component, String ip, String hostname) {
        return new ServiceBuilder().withNewMetadata().withName(name).addToLabels(InstalledIstio.COMPONENT, component)
                .endMetadata().withNewSpec().withType("LoadBalancer").endSpec().withNewStatus().withNewLoadBalancer()
                .addNewIngress().withIp(ip).withHostname(hostname).endIngress().endLoadBalancer().endStatus().build();
    }

    private static String addresses(Service... services) {
        AddressRange range = AddressRange.parse("172.18.255.1-172.18.255.64");
        return ClusterChecks.addresses(List.of(services), List.of(range), "hint");
    }

    @Test void checksOnlyAddressesOfGateways() {
        Service own = service("istio-ingressgateway", "IngressGateways", "172.18.255.3", null);
        assertEquals("istio-ingressgateway 172.18.255.3", addresses(own, service("theirs", "", null, "lb.example.com"),
                service("pending", "", null, null), service("elsewhere", "", "10.0.0.1", null)));
        for (String other : List.of("lb.example.com", "fd00::3"))
            assertEquals("istio-ingressgateway " + other,
                    addresses(service("istio-ingressgateway", "IngressGateways", null, other)));
        assertThrows(Problem.class, () -> addresses(service("istio-ingressgateway", "IngressGateways", null, null)));
        assertThrows(Problem.class, () -> addresses(service(InstalledIstio.EAST_WEST, "", "10.0.0.1", null)));
    }

    private static final Set<String> OWN = Set.of("10.101.0.5", "10.101.0.6");

    private static List<String> failures(Map<String, Set<String>> gateways, String... remote) {
        Stream<String> local = OWN.stream().map(address -> address + ":5000 HEALTHY");
        return TrafficChecks.failures(Stream.concat(local, Stream.of(remote)).toList(), OWN, gateways);
    }

    @Test void everyOtherNetworkNeedsAGateway() {
        Map<String, Set<String>> two = Map.of("network2", Set.of("172.18.255.64", "fd00::64"),
                "network3", Set.of("172.18.255.1"));
        assertEquals(List.of(), failures(two, "172.18.255.64:15443 HEALTHY", "172.18.255.1:15443 HEALTHY"));
        assertEquals(List.of(), failures(two, "172.18.255.64:15443 HEALTHY", "fd00::64:15443 HEALTHY",
                "172.18.255.1:15443 HEALTHY"));
        assertEquals(List.of("no gateway of network3 [172.18.255.1]"), failures(two, "172.18.255.64:15443 HEALTHY",
                "fd00::64:15443 HEALTHY"), "two addresses of one network are one gateway");
    }

    @Test void reportsUnknownMissingAndUnhealthyEndpoints() {
        Map<String, Set<String>> one = Map.of("network2", Set.of("172.18.255.64"));
        assertEquals(List.of("unknown endpoint 172.18.255.9:15443 HEALTHY"),
                failures(one, "172.18.255.64:15443 HEALTHY", "172.18.255.9:15443 HEALTHY"));
        assertEquals(List.of("172.18.255.64:15443 EJECTED"), failures(one, "172.18.255.64:15443 EJECTED"));
        assertEquals(List.of("no endpoint for the pod 10.101.0.5", "no endpoint for the pod 10.101.0.6"),
                TrafficChecks.failures(List.of("172.18.255.64:15443 HEALTHY"), OWN, one));
    }

    /** Only istiod knows the addresses of a gateway with a host name. */
    @Test void acceptsAnyAddressOfAGatewayWithAHostName() {
        Map<String, Set<String>> named = Map.of("network2", Set.of("lb.example.com"));
        assertEquals(List.of(), failures(named, "203.0.113.7:15443 HEALTHY", "203.0.113.8:15443 HEALTHY"));
        assertEquals(List.of("no gateway of network2 [lb.example.com]"), failures(named));
        assertEquals(List.of("no gateway of network2 [lb.example.com]", "unknown endpoint 203.0.113.7:5000 HEALTHY"),
                failures(named, "203.0.113.7:5000 HEALTHY"));
    }

    private static ExperimentResult experiment(Status status, String observation) {
        return new ExperimentResult("egress", "title", status, List.of(observation), List.of(), Map.of(), 0, List.of(),
                List.of());
    }

    @Test void skippedExperimentIsNotAFailure() {
        var check = new CheckResult("nodes", "dns", "title", "so1", Severity.FATAL, Status.PASSED, "message", "", 0);
        ExperimentResult skipped = experiment(Status.SKIPPED, "no gateway");
        assertTrue(Results.ok(List.of(check), List.of(experiment(Status.PASSED, ""), skipped)));
        assertFalse(Results.ok(List.of(check), List.of(experiment(Status.FAILED, ""), skipped)));
        String junit = new Results(true, "now", Map.of(), List.of(), List.of(check), List.of(skipped)).junit();
        assertTrue(junit.contains("skipped=\"1\"") && junit.contains("<skipped message=\"no gateway\""), junit);
    }

    @Test void everyCheckHasATestThatBreaksIt() throws IOException {
        String breakages = "";
        for (String test : List.of("verify/BreakageTest", "verify/AmbientBreakageTest", "observe/ObservabilityTest"))
            breakages += Files.readString(Shell.PROJECT.resolve("lib/test/%s.java".formatted(test)));
        Kube kube = new Kube(new Cluster(1, "so1"), null);
        for (DataPlane dataPlane : DataPlane.values())
            for (String id : new Checks(List.of(kube), SampleApp.TARGET, dataPlane, true, null, null, null, null).ids())
                assertTrue(breakages.contains("\"%s\"".formatted(id)), id + " has no test that breaks it");
    }
}
