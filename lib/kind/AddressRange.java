package lib.kind;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/**
 * A range of IPv4 addresses, both ends in it.
 *
 * @param first the first address, as an unsigned number
 * @param last  the last one
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

    /** One address, with or without a prefix length behind it. */
    public static AddressRange ofAddress(String address) {
        long number = number(address.split("/")[0]);
        return new AddressRange(number, number);
    }

    /** As MetalLB writes it: 172.18.255.1-172.18.255.64. */
    public static AddressRange parse(String text) {
        if (text.contains("/")) return ofSubnet(text);
        String[] ends = text.split("-");
        return new AddressRange(number(ends[0].strip()), number(ends[1].strip()));
    }

    /**
     * The LoadBalancer addresses of the cluster in place {@code index} of all demos' clusters. Docker hands out addresses from
     * the low end of its subnet, so blocks are cut from the high end, each a 32nd of the subnet and at most 64 addresses. A block with addresses
     * that docker keeps for itself, or is told to give out (its ip-range), is passed over. What containers have taken is only
     * left out of the block, so that a cluster keeps its addresses whoever comes and goes.
     *
     * @param network what {@code docker network inspect} says; its first subnet may be IPv6, which is passed over
     * @return the block, in as many pieces as what is left out makes of it
     * @throws Problem when there is no IPv4 subnet, or it is too small
     */
    public static List<AddressRange> of(JsonNode network, int index) {
        String name = network.path("Name").asText();
        for (JsonNode config : network.at("/IPAM/Config")) {
            String cidr = config.path("Subnet").asText();
            if (!cidr.contains(".")) continue;
            AddressRange subnet = ofSubnet(cidr);
            long size = Math.min(64, subnet.size() / 32);
            List<AddressRange> kept = kept(config);
            // the topmost block holds the broadcast address
            long found = 0;
            for (long last = subnet.last - size; last - size > subnet.first && size >= 4; last -= size) {
                AddressRange range = new AddressRange(last - size + 1, last);
                if (kept.stream().noneMatch(range::overlaps) && ++found == index) return range.without(containers(network));
            }
            throw Problem.unmet("the docker network %s (%s) has room for %d ranges of load balancer addresses, not for %d"
                    .formatted(name, cidr, found, index), ("remove another demo; or remove the network when nothing uses it"
                    + " (docker network rm %s): kind makes a larger one").formatted(name));
        }
        throw Problem.unmet("the docker network %s has no IPv4 subnet".formatted(name),
                "remove it when nothing uses it (docker network rm %s): kind makes a new one".formatted(name));
    }

    /** The pieces that are left when single addresses are taken out. */
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

    /** What docker keeps for itself, or gives out on its own. */
    private static List<AddressRange> kept(JsonNode config) {
        List<AddressRange> kept = new ArrayList<>();
        String gateway = config.path("Gateway").asText(), dynamic = config.path("IPRange").asText();
        if (!gateway.isEmpty()) kept.add(ofAddress(gateway));
        if (!dynamic.isEmpty() && !ofSubnet(dynamic).contains(ofSubnet(config.path("Subnet").asText()))) kept.add(ofSubnet(dynamic));
        config.path("AuxiliaryAddresses").forEach(a -> kept.add(ofAddress(a.asText())));
        return kept;
    }

    private static SortedSet<Long> containers(JsonNode network) {
        return StreamSupport.stream(network.path("Containers").spliterator(), false).map(c -> c.path("IPv4Address").asText())
                .filter(a -> !a.isEmpty()).map(a -> number(a.split("/")[0])).collect(Collectors.toCollection(TreeSet::new));
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
