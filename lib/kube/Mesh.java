package lib.kube;

import module java.base;

/** The mesh: clusters that trust one root, each with a control plane and a network of its own. */
public record Mesh(List<Cluster> clusters) {
    /** {@code values.global.meshID}, the same in every cluster. */
    public static final String ID = "mesh1";

    /** The namespace of each control plane. */
    public static final String NAMESPACE = "istio-system";

    /** The most clusters whose ports (3201i) have one digit for the cluster. */
    public static final int MOST_CLUSTERS = 9;

    /** The longest {@link #plain} name: a label's 63 characters, less what goes before it. */
    private static final int LONGEST = 50;

    /** A mesh of {@code count} clusters named {@code prefix} and 1, 2, … */
    public static Mesh of(String prefix, int count) { return of(prefix, count, 0); }

    /** The same of the demo with this slot of ports and addresses. */
    public static Mesh of(String prefix, int count, int slot) {
        return new Mesh(IntStream.rangeClosed(1, count).mapToObj(i -> new Cluster(i, prefix + i, slot)).toList());
    }

    /** A mesh in existing clusters, in the order of their contexts; their IDs do not depend on that order. */
    public static Mesh of(List<String> contexts) {
        List<String> sorted = contexts.stream().sorted().toList();
        return new Mesh(contexts.stream().map(c -> Cluster.existing(sorted.indexOf(c) + 1, c, plain(c))).toList());
    }

    /**
     * A context's name as part of names and labels: lower-case letters, digits and hyphens, at most 50 characters. A name
     * that has to be changed for that gets a hash, so that two never become one; one that ends like a hash gets one too.
     * https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
     */
    public static String plain(String name) {
        String plain = lowerCase(name);
        boolean fits = plain.equals(name) && plain.length() <= LONGEST && !plain.matches("(.*-)?[0-9a-f]{8}");
        return fits ? plain : hashed(name);
    }

    /** The same with a hash in any case. */
    public static String hashed(String name) {
        // the end of a cloud's name says most
        String plain = lowerCase(name);
        String end = plain.substring(Math.max(0, plain.length() - LONGEST + 9)).replaceFirst("^-", "");
        return end.isEmpty() ? hash(name) : end + "-" + hash(name);
    }

    private static String lowerCase(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
    }

    /** Eight hex digits that tell names apart. */
    public static String hash(String name) {
        return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString().substring(0, 8);
    }
}
