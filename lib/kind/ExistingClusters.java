package lib.kind;

import module java.base;
import lib.docker.*;
import lib.kube.*;

/**
 * The existing kind clusters, from one demo's point of view.
 *
 * @param prefix the name prefix of the demo's clusters
 * @param slot   the demo's block of ports and addresses
 * @param ours   the nodes of the demo's clusters, complete or not
 * @param others the nodes of other clusters that have a name of the demo
 * @param names  the names of all kind clusters
 */
public record ExistingClusters(String prefix, int slot, List<Docker.Node> ours, List<Docker.Node> others,
        Set<String> names) {
    /** No kind clusters: the mesh is installed into clusters of other kinds. */
    public static final ExistingClusters NONE = of("", 0, List.of());

    public static ExistingClusters of(String prefix, int slot, List<Docker.Node> nodes) {
        var named = nodes.stream().filter(n -> isNamed(prefix, n))
                .collect(Collectors.partitioningBy(Docker.Node::ours));
        return new ExistingClusters(prefix, slot, named.get(true), named.get(false),
                nodes.stream().map(Docker.Node::cluster).collect(Collectors.toSet()));
    }

    /** The option for another demo, whose cluster names are free. */
    public String freePrefix() {
        String free = "demo";
        while (free.equals(prefix) || startsAnyName(free)) free += "2";
        return "--name-prefix " + free;
    }

    private boolean startsAnyName(String prefix) { return names.stream().anyMatch(name -> name.startsWith(prefix)); }

    /** Whether a node's cluster has a name of the demo: the prefix and a digit. */
    private static boolean isNamed(String prefix, Docker.Node node) {
        String name = node.cluster();
        return name.length() == prefix.length() + 1 && name.startsWith(prefix) && name.matches(".*[1-9]");
    }

    /**
     * The slot of a demo: that of its nodes, else the remembered one, else the first that no other demo uses.
     *
     * @param nodes  the nodes of all kind clusters; stopped nodes need their ports again
     * @param others remembered slots of other demos, which may have no nodes yet
     * @param free   whether a slot's ports are free
     */
    public static int slot(String prefix, List<Docker.Node> nodes, OptionalInt remembered, Set<Integer> others,
            IntPredicate free) {
        var byOwner = nodes.stream().collect(Collectors.partitioningBy(n -> n.ours() && isNamed(prefix, n)));
        SortedSet<Integer> own = slots(byOwner.get(true));
        if (!own.isEmpty()) return own.first();
        if (remembered.isPresent()) return remembered.getAsInt();
        Set<Integer> taken = slots(byOwner.get(false));
        taken.addAll(others);
        int[] left = IntStream.range(0, Cluster.SLOTS).filter(slot -> !taken.contains(slot)).toArray();
        if (left.length == 0) return 0; // preflight reports its ports
        return Arrays.stream(left).filter(free).findFirst().orElse(left[0]);
    }

    /** The slots whose ports nodes publish. A demo's container ports count, too: a manifest may change host ports. */
    private static SortedSet<Integer> slots(List<Docker.Node> nodes) {
        SortedSet<Integer> slots = new TreeSet<>();
        for (Docker.Node node : nodes) {
            for (Docker.Port port : node.ports()) {
                Cluster.slotOf(port.hostPort()).ifPresent(slots::add);
                if (node.ours()) Cluster.slotOf(port.containerPort()).ifPresent(slots::add);
            }
        }
        return slots;
    }

    /** The demo's clusters. */
    public List<Cluster> clusters() { return clusters(ours); }

    /** Clusters with names of the demo that the demo did not create. It must not touch them. */
    public List<Cluster> foreign() { return clusters(others); }

    private List<Cluster> clusters(List<Docker.Node> nodes) {
        return nodes.stream().map(Docker.Node::cluster).distinct().sorted()
                .map(name -> new Cluster(name.charAt(name.length() - 1) - '0', name, slot)).toList();
    }

    /** The nodes of one of the demo's clusters. */
    List<Docker.Node> nodes(Cluster cluster) {
        return ours.stream().filter(n -> n.cluster().equals(cluster.name())).toList();
    }

    /** The number of workers in the demo's cluster that has most of them. */
    public int workers() {
        return clusters().stream().mapToInt(c -> (int) nodes(c).stream().filter(Docker.Node::worker).count()).max()
                .orElse(0);
    }

    /** kind's node image that the demo's nodes were made from; empty without nodes. */
    public Optional<String> nodeImage() {
        return ours.stream().map(Docker.Node::base).filter(base -> !base.isEmpty()).findFirst();
    }
}
