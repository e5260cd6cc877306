package lib.kind;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/**
 * A range of IPv4 addresses, including both ends.
 *
 * @param first the first address, as an unsigned number
 * @param last  the last address
 */
public record AddressRange(long first, long last) {
    public boolean overlaps(AddressRange other) { return first <= other.last && other.first <= last; }

    public boolean contains(AddressRange other) { return first <= other.first && other.last <= last; }

    public long size() { return last - first + 1; }

    /** All addresses of a subnet such as 172.18.0.0/16. */
    public static AddressRange ofSubnet(String cidr) {
        String[] parts = cidr.split("/");
        long size = 1L << (32 - Integer.parseInt(parts[1]));
        long first = number(parts[0]) / size * size;
        return new AddressRange(first, first + size - 1);
    }

    /** One address, with or without a prefix length. */
    public static AddressRange ofAddress(String address) {
        long number = number(address.split("/")[0]);
        return new AddressRange(number, number);
    }

    /** A subnet, or a range as MetalLB writes it: 172.18.255.1-172.18.255.64. */
    public static AddressRange parse(String text) {
        if (text.contains("/")) return ofSubnet(text);
        String[] ends = text.split("-");
        return new AddressRange(number(ends[0].strip()), number(ends[1].strip()));
    }

    /**
     * The LoadBalancer addresses of a cluster. Docker assigns addresses from the low end of its subnet, so blocks are
     * cut from the high end, each a 32nd of the subnet and at most 64 addresses. Blocks with addresses that Docker
     * reserves or assigns itself (its ip-range) are skipped. Addresses of containers are only left out of the block, so
     * that a cluster keeps its block whatever containers exist.
     *
     * @param network Docker's description of the network; an IPv6 subnet in it is skipped
     * @param index   the cluster's place among the clusters of all demos, from 1
     * @return the block, in as many pieces as the containers' addresses leave
     * @throws Problem when there is no IPv4 subnet, or it is too small
     */
    public static List<AddressRange> of(JsonNode network, int index) {
        String name = network.path("Name").asText();
        for (JsonNode config : network.at("/IPAM/Config")) {
            String cidr = config.path("Subnet").asText();
            if (cidr.contains(".")) return block(config, name, index).without(containers(network));
        }
        throw Problem.unmet("the docker network %s has no IPv4 subnet".formatted(name),
                "remove it when nothing uses it (docker network rm %s): kind creates a new one".formatted(name));
    }

    private static AddressRange block(JsonNode config, String network, int index) {
        AddressRange subnet = ofSubnet(config.path("Subnet").asText());
        List<AddressRange> reserved = reserved(config, subnet);
        long size = Math.min(64, subnet.size() / 32);
        int found = 0;
        // the topmost block holds the broadcast address
        for (long last = subnet.last - size; last - size > subnet.first && size >= 4; last -= size) {
            AddressRange block = new AddressRange(last - size + 1, last);
            if (reserved.stream().anyMatch(block::overlaps)) continue;
            found++;
            if (found == index) return block;
        }
        throw Problem.unmet("the docker network %s (%s) has room for %d ranges of load balancer addresses, not for %d"
                .formatted(network, config.path("Subnet").asText(), found, index),
                ("remove another demo; or remove the network when nothing uses it (docker network rm %s):"
                + " kind creates a larger one").formatted(network));
    }

    /** The addresses that Docker reserves, or assigns itself. */
    private static List<AddressRange> reserved(JsonNode config, AddressRange subnet) {
        List<AddressRange> reserved = new ArrayList<>();
        String gateway = config.path("Gateway").asText(), dynamic = config.path("IPRange").asText();
        if (!gateway.isEmpty()) reserved.add(ofAddress(gateway));
        if (!dynamic.isEmpty() && !ofSubnet(dynamic).contains(subnet)) reserved.add(ofSubnet(dynamic));
        config.path("AuxiliaryAddresses").forEach(address -> reserved.add(ofAddress(address.asText())));
        return reserved;
    }

    private static SortedSet<Long> containers(JsonNode network) {
        SortedSet<Long> addresses = new TreeSet<>();
        for (JsonNode container : network.path("Containers")) {
            String address = container.path("IPv4Address").asText(); // empty for a stopped container
            if (!address.isEmpty()) addresses.add(ofAddress(address).first);
        }
        return addresses;
    }

    /** The pieces that remain without these addresses. */
    private List<AddressRange> without(SortedSet<Long> addresses) {
        List<AddressRange> pieces = new ArrayList<>();
        long from = first;
        for (long address : addresses.subSet(first, last + 1)) {
            if (from < address) pieces.add(new AddressRange(from, address - 1));
            from = address + 1;
        }
        if (from <= last) pieces.add(new AddressRange(from, last));
        return pieces;
    }

    private static long number(String address) {
        long number = 0;
        for (String part : address.split("\\.")) number = number << 8 | Integer.parseInt(part);
        return number;
    }

    private static String text(long number) {
        return "%d.%d.%d.%d".formatted(number >> 24 & 255, number >> 16 & 255, number >> 8 & 255, number & 255);
    }

    @Override public String toString() { return text(first) + "-" + text(last); }
}
