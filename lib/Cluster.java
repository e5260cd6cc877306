package lib;

import module java.base;

/**
 * One cluster of the mesh.
 *
 * @param index   the place in the mesh, from 1
 * @param name    kind's name of the cluster, such as so1; the context's when the cluster was there before
 * @param context how the kubeconfig names it
 * @param id      its ID in the mesh, {@code values.global.multiCluster.clusterName}
 * @param network {@code topology.istio.io/network}: each cluster has its own
 */
public record Cluster(int index, String name, String context, String id, String network) {
    /** How the IDs begin that the demo gives. */
    static final String ID = "istio-";

    /** A kind cluster of ours: its place in the mesh (1 to 9) decides all that must differ from the other clusters. */
    public Cluster(int index, String name) { this(index, name, "kind-" + name, ID + name, "network" + index); }

    /**
     * A cluster that exists already: its IDs come from its context's name alone, and are the same whatever other clusters
     * there are.
     */
    static Cluster existing(int index, String context, String plain) {
        return new Cluster(index, context, context, ID + plain, "network-" + plain);
    }

    /** Whether it has the ID that its context's name gives. */
    boolean hasOwnId() { return id.equals(ID + Mesh.plain(context)); }

    /** Whether its nodes are containers that kind made, and not a cluster that the user named by its context. */
    public boolean isKind() { return context.equals("kind-" + name); }

    /** How kubectl is typed for it. */
    String kubectl() { return "kubectl --context " + typedContext(); }

    /** The context as a shell takes it: it may have any characters. */
    String typedContext() { return Commands.quoted(context); }

    /** How names of files begin that are made for it. */
    String file() { return isKind() ? name : Mesh.plain(context); }

    public String region() { return "region" + index; }

    public String zone() { return region() + "-zone1"; }

    /** The node that runs the API server, and the container of that name. */
    public String controlPlane() { return name + "-control-plane"; }

    /** The port on the host's loopback, and the NodePort, of the ingress gateway's HTTP. */
    public int httpPort() { return 32010 + index; }

    /** The same for HTTPS. */
    public int httpsPort() { return 32020 + index; }

    /** A third port, mapped and left free for a NodePort of the user's. */
    public int freePort() { return 32030 + index; }

    public List<Integer> ports() { return List.of(httpPort(), httpsPort(), freePort()); }

    /** What fills the placeholders of the manifests that differ from cluster to cluster. */
    public Map<String, String> placeholders() {
        return Map.ofEntries(Map.entry("CLUSTER", file()), Map.entry("CLUSTER_ID", id()), Map.entry("NETWORK", network()),
                Map.entry("MESH_ID", Mesh.ID), Map.entry("REGION", region()), Map.entry("ZONE", zone()),
                Map.entry("POD_SUBNET", "10.%d.0.0/16".formatted(100 + index)),
                Map.entry("SERVICE_SUBNET", "10.%d.0.0/16".formatted(200 + index)),
                Map.entry("HTTP_PORT", "" + httpPort()), Map.entry("HTTPS_PORT", "" + httpsPort()),
                Map.entry("FREE_PORT", "" + freePort()));
    }

    @Override public String toString() { return name; }
}
