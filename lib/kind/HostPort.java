package lib.kind;

import module java.base;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.client.utils.Serialization;

/** A host port that a cluster will publish, or that a node already publishes. */
record HostPort(int number, String address, String protocol, String owner) {
    /** The host ports in a cluster's kind configuration, without those that kind assigns: there hostPort is below 1. */
    static List<HostPort> of(Cluster cluster, String kindConfig) {
        JsonNode config = Serialization.unmarshal(kindConfig, JsonNode.class), server = config.path("networking");
        List<HostPort> ports = new ArrayList<>();
        ports.add(new HostPort(server.path("apiServerPort").asInt(),
                server.path("apiServerAddress").asText("127.0.0.1"), "TCP", cluster.name()));
        for (JsonNode mappings : config.findValues("extraPortMappings"))
            for (JsonNode mapping : mappings)
                ports.add(new HostPort(mapping.path("hostPort").asInt(),
                        mapping.path("listenAddress").asText("0.0.0.0"),
                        mapping.path("protocol").asText("TCP").toUpperCase(Locale.ROOT), cluster.name()));
        ports.removeIf(port -> port.number < 1);
        return ports;
    }

    /**
     * The ports in use, each with a message.
     *
     * @param nodes the nodes of all kind clusters; stopped nodes need their ports again
     */
    static Map<HostPort, String> inUse(List<HostPort> wanted, List<Docker.Node> nodes) {
        List<HostPort> known = new ArrayList<>();
        for (Docker.Node node : nodes)
            for (Docker.Port port : node.ports())
                known.add(new HostPort(port.hostPort(), port.address(), "TCP", node.name()));
        Map<HostPort, String> inUse = new LinkedHashMap<>();
        for (HostPort port : wanted) {
            Optional<HostPort> other = known.stream().filter(port::clashesWith).findFirst();
            String message = "port %d (%s) on %s is ".formatted(port.number, port.owner, port.address);
            if (other.isPresent()) inUse.put(port, message + "used by " + other.get().owner);
            else if (port.protocol.equals("TCP") && !Machine.isFree(port.address, port.number))
                inUse.put(port, message + "already in use");
            known.add(port);
        }
        return inUse;
    }

    private boolean clashesWith(HostPort other) {
        return number == other.number && protocol.equals(other.protocol)
                && (address.equals(other.address) || isWildcard() || other.isWildcard());
    }

    private boolean isWildcard() { return Set.of("", "0.0.0.0", "::").contains(address); }
}
