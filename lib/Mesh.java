package lib;

import module java.base;

/** The mesh: clusters that trust one root, each with a control plane and a network of its own. */
public record Mesh(List<Cluster> clusters) {
    /** {@code values.global.meshID}, the same in every cluster. */
    public static final String ID = "mesh1";

    /** The most clusters whose ports (3201i) have one digit for the cluster. */
    public static final int MOST_CLUSTERS = 9;

    /** A mesh of {@code count} clusters named {@code prefix} and 1, 2, … */
    public static Mesh of(String prefix, int count) { return of(prefix, count, 0); }

    /** The same of the demo with this slot of ports and addresses. */
    static Mesh of(String prefix, int count, int slot) {
        return new Mesh(IntStream.rangeClosed(1, count).mapToObj(i -> new Cluster(i, prefix + i, slot)).toList());
    }

    /** A mesh in clusters that are there already: all that must differ between them comes from their contexts' names. */
    public static Mesh of(List<String> contexts) {
        return new Mesh(IntStream.range(0, contexts.size()).mapToObj(i -> {
            String context = contexts.get(i), plain = context.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
            return new Cluster(i + 1, context, context, "istio-" + plain, "network-" + plain);
        }).toList());
    }
}
