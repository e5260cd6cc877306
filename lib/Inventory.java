package lib;

import module java.base;

/**
 * The kind clusters that there are whose names could be this demo's.
 *
 * @param prefix what the names of the demo's clusters begin with
 * @param ours   the nodes of those that it made, whole or not
 * @param others the nodes of those that it did not
 */
public record Inventory(String prefix, List<Docker.Node> ours, List<Docker.Node> others) {
    static Inventory of(String prefix, List<Docker.Node> nodes) {
        var named = nodes.stream().filter(n -> named(prefix, n.cluster()).isPresent())
                .collect(Collectors.partitioningBy(Docker.Node::ours));
        return new Inventory(prefix, named.get(true), named.get(false));
    }

    /** The cluster of that name; empty when none of the demo's could be called so. */
    private static Optional<Cluster> named(String prefix, String name) {
        boolean ours = name.length() == prefix.length() + 1 && name.startsWith(prefix) && name.matches(".*[1-9]");
        return ours ? Optional.of(new Cluster(name.charAt(name.length() - 1) - '0', name)) : Optional.empty();
    }

    /** The demo's. */
    public List<Cluster> clusters() { return clusters(ours); }

    /** Those that it did not make, and must not touch. */
    public List<Cluster> foreign() { return clusters(others); }

    private List<Cluster> clusters(List<Docker.Node> nodes) {
        return nodes.stream().flatMap(n -> named(prefix, n.cluster()).stream()).distinct().sorted(Comparator.comparing(Cluster::index))
                .toList();
    }

    /** The nodes of one of the demo's. */
    List<Docker.Node> nodes(Cluster cluster) { return ours.stream().filter(n -> n.cluster().equals(cluster.name())).toList(); }

    /** How many workers the demo's clusters have, the one with most of them. */
    int workers() { return clusters().stream().mapToInt(c -> (int) nodes(c).stream().filter(Docker.Node::worker).count()).max().orElse(0); }

    /** kind's node image that the demo's nodes were made from; empty when there are none. */
    Optional<String> nodeImage() { return ours.stream().map(Docker.Node::base).filter(b -> !b.isEmpty()).findFirst(); }
}
