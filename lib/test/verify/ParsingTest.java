package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.istio.*;
import lib.run.*;
import lib.sample.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ParsingTest {
    @Test void parsesRemoteClusters() {
        assertEquals(Map.of("istio-so1", "synced", "istio-so2", "timeout"), Istioctl.parseRemoteClusters("""
                NAME         SECRET                                        STATUS     ISTIOD                    REVISION
                istio-so1                                                  synced     istiod-585956fbb-jdk8j    default
                istio-so2    istio-system/istio-remote-secret-istio-so2    timeout    istiod-585956fbb-jdk8j    default
                """));
        assertThrows(Problem.class, () -> Istioctl.parseRemoteClusters("Error: no istiod\n"));
    }

    @Test void parsesProxyStatus() throws IOException {
        String proxy = """
                {"node": {"id": "%s"}, "genericXdsConfigs": [{"configStatus": "SYNCED"}, {"configStatus": "%s"}]}""";
        assertEquals(Map.of("sleep-1.sample", Set.of("SYNCED"), "gateway.istio-system", Set.of("SYNCED", "STALE")),
                Istioctl.parseProxyStatus("{\"resources\": [%s, %s]}"
                        .formatted(proxy.formatted("sleep-1.sample", "SYNCED"),
                        proxy.formatted("gateway.istio-system", "STALE"))));
    }

    @Test void parsesEndpoints() throws IOException {
        String host = """
                {"address": {"socket_address": {"address": "%s", "port_value": %d}}, "health_status": {%s}}""";
        String json = """
                {"cluster_statuses": [
                  {"name": "outbound|5000||helloworld.sample.svc.cluster.local", "host_statuses": [%s, %s, %s]},
                  {"name": "other", "host_statuses": [%s]}]}""".formatted(
                host.formatted("10.101.0.5", 5000, "\"eds_health_status\": \"HEALTHY\""),
                        host.formatted("172.18.255.64", 15443,
                        "\"eds_health_status\": \"HEALTHY\", \"failed_outlier_check\": true"),
                host.formatted("10.101.0.6", 5000, ""), host.formatted("10.0.0.1", 80, ""));
        assertEquals(List.of("10.101.0.5:5000 HEALTHY", "172.18.255.64:15443 EJECTED", "10.101.0.6:5000 HEALTHY"),
                ClientPod.parseEndpoints(json, "outbound|5000||helloworld.sample.svc.cluster.local"));
    }

    /** A serial number that starts with a small byte has one more digit in Envoy than in Java. */
    @Test void parsesRootsOfAProxy() throws IOException {
        String certificates = """
                [{"ca_cert": [{"serial_number": "0dcdc31c2e"}], "cert_chain": [{"serial_number": "77"}]},
                 {"ca_cert": []}]""";
        assertEquals(Set.of(new BigInteger("dcdc31c2e", 16)),
                TrustChecks.rootSerials(new ObjectMapper().readTree(certificates)));
    }

    @Test void countsAnswersByCluster() {
        String replies = """
                Hello version: v1, instance: a
                Hello version: v2, instance: b
                Hello version: v1, instance: a
                Hello version: v1, instance: stranger
                """;
        assertEquals(Map.of("so1", 2, "so2", 1, "unknown", 1),
                TrafficChecks.countAnswers(replies, Map.of("a", "so1", "b", "so2")));
    }

    @Test void parsesVersions() {
        assertEquals(new Version(0, 33, 0), Version.first("kind v0.33.0 go1.26.8 linux/amd64"));
        assertEquals(new Version(0, 0, 0), Version.first("no version here"));
        assertTrue(Version.first("v0.9.1").compareTo(Version.first("v0.33.0")) < 0);
        assertTrue(new Version(1, 31, 9).sameMinor(new Version(1, 31, 4)));
    }
}
