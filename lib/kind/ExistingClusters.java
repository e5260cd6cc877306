package lib.kind;

import module java.base;
import lib.docker.*;
import lib.kube.*;

/**
 * The existing kind clusters, seen from one demo.
 *
 * @param prefix what the names of the demo's clusters begin with
 * @param slot   the demo's block of ports and addresses
 * @param ours   the nodes of its clusters, complete or not
 * @param others the nodes of other clusters whose names could be the demo's
 * @param names  the names of all kind clusters
 */
public record ExistingClusters(String prefix, int slot, List<Docker.Node> ours, List<Docker.Node> others, Set<String> names) {
    /** Without kind clusters, as where the mesh goes into clusters of other kinds. */
    public static final ExistingClusters NONE = of("", 0, List.of());

    public static ExistingClusters of(String prefix, int slot, List<Docker.Node> nodes) {
        var named = nodes.stream().filter(n -> named(prefix, n)).collect(Collectors.partitioningBy(Docker.Node::ours));
        return new ExistingClusters(prefix, slot, named.get(true), named.get(false),
                nodes.stream().map(Docker.Node::cluster).collect(Collectors.toSet()));
    }

    /** The option for another demo, whose cluster names are free. */
    public String freePrefix() {
        Predicate<String> used = name -> name.equals(prefix) || names.stream().anyMatch(cluster -> cluster.startsWith(name));
        return "--name-prefix " + Stream.iterate("demo", name -> name + "2").filter(used.negate()).findFirst().orElseThrow();
    }

    /** Whether one of the demo's clusters could be called as the node's. */
    private static boolean named(String prefix, Docker.Node node) {
        String name = node.cluster();
        return name.length() == prefix.length() + 1 && name.startsWith(prefix) && name.matches(".*[1-9]");
    }

    /**
     * The slot of a demo: that of its nodes, else the remembered one, else the first that no other demo uses.
     *
     * @param nodes  those of all kind clusters; stopped ones need their ports again
     * @param others remembered slots of other demos, which may have no nodes yet
     * @param free   whether a slot's ports are free
     */
    public static int slot(String prefix, List<Docker.Node> nodes, OptionalInt remembered, Set<Integer> others,
            IntPredicate free) {
        List<Docker.Node> own = nodes.stream().filter(n -> n.ours() && named(prefix, n)).toList();
        Set<Integer> taken = new TreeSet<>(others), kept = slots(own);
        taken.addAll(slots(nodes.stream().filter(n -> !own.contains(n)).toList()));
        if (!kept.isEmpty()) return kept.iterator().next();
        if (remembered.isPresent()) return remembered.getAsInt();
        int[] left = IntStream.range(0, Cluster.SLOTS).filter(slot -> !taken.contains(slot)).toArray();
        // with none left preflight refuses the ports
        return Arrays.stream(left).filter(free).findFirst().orElse(left.length > 0 ? left[0] : 0);
    }

    /** The slots whose ports nodes publish. A demo's container ports count too: a manifest may name other host ports. */
    private static Set<Integer> slots(List<Docker.Node> nodes) {
        return nodes.stream().flatMapToInt(node -> node.ports().stream().flatMapToInt(port -> node.ours()
                ? IntStream.of(port.containerPort(), port.hostPort()) : IntStream.of(port.hostPort())))
                .flatMap(port -> Cluster.slotOf(port).stream()).boxed().collect(Collectors.toCollection(TreeSet::new));
    }

    /** The demo's. */
    public List<Cluster> clusters() { return clusters(ours); }

    /** Those that it did not make, and must not touch. */
    public List<Cluster> foreign() { return clusters(others); }

    private List<Cluster> clusters(List<Docker.Node> nodes) {
        return nodes.stream().map(Docker.Node::cluster).distinct()
                .map(name -> new Cluster(name.charAt(name.length() - 1) - '0', name, slot)).sorted(Comparator.comparing(Cluster::index)).toList();
    }

    /** The nodes of one of the demo's. */
    List<Docker.Node> nodes(Cluster cluster) { return ours.stream().filter(n -> n.cluster().equals(cluster.name())).toList(); }

    /** How many workers the demo's clusters have, the one with most of them. */
    public int workers() { return clusters().stream().mapToInt(c -> (int) nodes(c).stream().filter(Docker.Node::worker).count()).max().orElse(0); }

    /** kind's node image that the demo's nodes were made from; empty when there are none. */
    public Optional<String> nodeImage() { return ours.stream().map(Docker.Node::base).filter(b -> !b.isEmpty()).findFirst(); }
}
