package lib;

import module java.base;

/** The mesh: clusters that trust one root, each with a control plane and a network of its own. */
public record Mesh(List<Cluster> clusters) {
    /** {@code values.global.meshID}, the same in every cluster. */
    public static final String ID = "mesh1";

    /** The most clusters whose ports (3201i) have one digit for the cluster. */
    public static final int MOST_CLUSTERS = 9;

    /** A mesh of {@code count} clusters named {@code prefix} and 1, 2, … */
    public static Mesh of(String prefix, int count) {
        return new Mesh(IntStream.rangeClosed(1, count).mapToObj(i -> new Cluster(i, prefix + i)).toList());
    }

    /**
     * The mesh of clusters that were there before, as their control planes describe themselves.
     *
     * @param contexts their contexts in the kubeconfig
     */
    public static Mesh existing(List<String> contexts, Console console) {
        List<Cluster> clusters = new ArrayList<>();
        for (String context : contexts) {
            Cluster unknown = new Cluster(clusters.size() + 1, context, context, "", "");
            if (!Kubeconfig.ofUser().has(context)) throw Problem.usage("the kubeconfig has no context " + context, "kubectl config get-contexts");
            try (Kube kube = new Kube(unknown, console)) {
                clusters.add(new Cluster(unknown.index(), context, context, Istioctl.idOf(kube), Istioctl.networkOf(kube)));
            }
        }
        return new Mesh(clusters);
    }
}
