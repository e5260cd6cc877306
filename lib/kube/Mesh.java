package lib.kube;

import module java.base;

/** The mesh: clusters that trust one root, each with a control plane and a network of its own. */
public record Mesh(List<Cluster> clusters) {
    /** The namespace of each control plane. */
    public static final String NAMESPACE = "istio-system";

    /** A mesh of {@code count} clusters named {@code prefix} and 1, 2, … */
    public static Mesh of(String prefix, int count) { return of(prefix, count, 0); }

    /** The same of the demo with this slot of ports and addresses. */
    public static Mesh of(String prefix, int count, int slot) {
        return new Mesh(IntStream.rangeClosed(1, count).mapToObj(i -> new Cluster(i, prefix + i, slot)).toList());
    }

    /** A mesh in existing clusters, in the order of their contexts; their IDs do not depend on that order. */
    public static Mesh of(List<String> contexts) {
        List<String> sorted = contexts.stream().sorted().toList();
        return new Mesh(contexts.stream().map(c -> Cluster.existing(sorted.indexOf(c) + 1, c, DnsLabel.of(c))).toList());
    }
}
