package lib.kind;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.cli.*;
import lib.kube.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class AddressRangeTest {
    private static JsonNode network(String ipam, String containers) throws IOException {
        return new ObjectMapper().readTree("""
                {"Name": "kind", "IPAM": {"Config": [%s]}, "Containers": {%s}}""".formatted(ipam, containers));
    }

    @Test void skipsAnIpv6SubnetThatComesFirst() throws IOException {
        JsonNode network = network("""
                {"Subnet": "fc00:f853:ccd:e793::/64"}, {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}""", "");
        assertEquals("[172.18.255.128-172.18.255.191]", AddressRange.of(network, 1).toString());
    }

    @ParameterizedTest @ValueSource(strings = {"172.18.0.0/16", "10.89.0.0/24", "192.168.128.0/20", "10.1.0.128/25",
            "10.0.0.0/8"})
    void nineRangesAreInTheSubnetAndDoNotOverlap(String cidr) throws IOException {
        JsonNode network = network("{\"Subnet\": \"%s\"}".formatted(cidr), "");
        List<AddressRange> ranges = IntStream.rangeClosed(1, 9).mapToObj(i -> AddressRange.of(network, i))
                .flatMap(List::stream).toList();
        assertEquals(9, ranges.size());
        AddressRange subnet = AddressRange.ofSubnet(cidr);
        for (AddressRange range : ranges) {
            assertTrue(subnet.contains(range), range + " in " + cidr);
            assertTrue(range.size() >= 4);
            assertFalse(range.overlaps(new AddressRange(subnet.last(), subnet.last())), "the broadcast address");
            assertFalse(range.overlaps(new AddressRange(subnet.first(), subnet.first() + 20)),
                    "Docker's first addresses");
            assertEquals(1, ranges.stream().filter(range::overlaps).count());
        }
    }

    @Test void skipsAddressesOfContainersAndKeepsOtherRanges() throws IOException {
        JsonNode network = network("{\"Subnet\": \"172.18.0.0/16\"}",
                "\"c1\": {\"IPv4Address\": \"172.18.255.150/16\"}, "
                + "\"c2\": {\"IPv4Address\": \"172.18.255.128/16\"}, \"stopped\": {\"IPv4Address\": \"\"}");
        assertEquals("[172.18.255.129-172.18.255.149, 172.18.255.151-172.18.255.191]",
                AddressRange.of(network, 1).toString());
        assertEquals("[172.18.255.64-172.18.255.127]", AddressRange.of(network, 2).toString());
    }

    @Test void skipsTheRangeThatDockerAssigns() throws IOException {
        JsonNode network = network("""
                {"Subnet": "10.5.0.0/24", "IPRange": "10.5.0.128/25", "AuxiliaryAddresses": {"dns": "10.5.0.126"}}""",
                "");
        assertEquals("[10.5.0.112-10.5.0.119]", AddressRange.of(network, 1).toString());
    }

    @Test void rejectsASmallSubnet() throws IOException {
        JsonNode network = network("{\"Subnet\": \"10.5.0.0/27\"}", "");
        assertEquals(Problem.UNMET, assertThrows(Problem.class, () -> AddressRange.of(network, 1)).exitCode());
    }

    @Test void rejectsANetworkWithoutIpv4() throws IOException {
        JsonNode network = network("{\"Subnet\": \"fc00::/64\"}", "");
        assertTrue(assertThrows(Problem.class, () -> AddressRange.of(network, 1)).getMessage()
                .contains("no IPv4 subnet"));
    }

    /** Runs the commands of --dry-run with stubs: docker reports the network, and kubectl prints its input. */
    @Test void shellCommandsComputeTheSameRange() throws IOException {
        MetalLb metalLb = Probe.demo().metalLb;
        for (String subnet : List.of("172.18.0.0/16", "192.168.224.0/20", "10.5.7.0/24", "10.5.0.128/25", "10.0.0.0/8"))
            for (Cluster cluster : List.of(new Cluster(1, "so1"), new Cluster(9, "so9"), new Cluster(1, "demo21", 1))) {
                String commands = metalLb.install(new Kube(cluster, null)).toShell();
                String stubs = "retry() { \"$@\"; }; kubectl() { cat; };"
                        + " docker() { printf 'fc00:1::/64\\n%s\\n\\n'; }\n".formatted(subnet);
                String pool = Shell.succeeds("set -euo pipefail\n" + stubs + commands).out();
                String range = AddressRange.of(network("{\"Subnet\": \"%s\"}".formatted(subnet), ""),
                        cluster.rangeIndex()).getFirst().toString();
                assertTrue(pool.contains("addresses: [%s]\n".formatted(range)), range + " is not in\n" + pool);
            }
    }
}
