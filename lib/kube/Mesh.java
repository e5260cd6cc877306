package lib.kube;

import module java.base;

/** The mesh: clusters that trust one root CA, each with its own control plane and network. */
public record Mesh(List<Cluster> clusters) {
    /** The namespace of each control plane. */
    public static final String NAMESPACE = "istio-system";

    /** The first {@code count} clusters of the first demo: {@code prefix}1, {@code prefix}2, … */
    public static Mesh of(String prefix, int count) { return of(prefix, count, 0); }

    /** The first {@code count} clusters of the demo with this slot. */
    public static Mesh of(String prefix, int count, int slot) {
        return new Mesh(IntStream.rangeClosed(1, count).mapToObj(i -> new Cluster(i, prefix + i, slot)).toList());
    }

    /** A mesh in existing clusters. Their IDs do not depend on the order of the contexts. */
    public static Mesh of(List<String> contexts) {
        List<String> sorted = contexts.stream().sorted().toList();
        return new Mesh(contexts.stream().map(c -> Cluster.existing(sorted.indexOf(c) + 1, c, DnsLabel.of(c)))
                .toList());
    }
}
