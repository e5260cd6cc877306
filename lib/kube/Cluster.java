package lib.kube;

import module java.base;
import lib.run.*;

/**
 * One cluster of the mesh.
 *
 * @param index   the place in the mesh, from 1
 * @param name    kind's name of the cluster, such as so1; the context's when the cluster was there before
 * @param context how the kubeconfig names it
 * @param id      its ID in the mesh, {@code values.global.multiCluster.clusterName}
 * @param network {@code topology.istio.io/network}: each cluster has its own
 * @param slot    which block of ports and addresses its demo has, from 0: demos side by side have different ones
 */
public record Cluster(int index, String name, String context, String id, String network, int slot) {
    /** How many demos can run side by side: the ports of the last slot (3271i, 3272i, 3273i) are still NodePorts. */
    public static final int SLOTS = 8;
    /** {@code values.global.meshID}, the same in every cluster. */
    public static final String MESH_ID = "mesh1";

    /** The most clusters of a mesh: their ports (3201i) have one digit for the cluster. */
    public static final int MOST = 9;

    /** How the IDs begin that the demo gives. */
    public static final String ID = "istio-";

    /** A kind cluster of the first demo: its place in the mesh (1 to 9) decides all that must differ between clusters. */
    public Cluster(int index, String name) { this(index, name, 0); }

    /** The same of any demo. */
    public Cluster(int index, String name, int slot) {
        this(index, name, "kind-" + name, ID + name, "network" + index, slot);
    }

    /** A cluster whose ports and addresses are not the demo's. */
    public Cluster(int index, String name, String context, String id, String network) {
        this(index, name, context, id, network, 0);
    }

    /**
     * A cluster that exists already: its IDs come from its context's name alone, and are the same whatever other clusters
     * there are.
     */
    public static Cluster existing(int index, String context, String plain) {
        return new Cluster(index, context, context, ID + plain, "network-" + plain);
    }

    /** Whether it has the ID that its context's name gives. */
    public boolean hasOwnId() { return id.equals(ID + DnsLabel.of(context)); }

    /** The slot that a port belongs to; empty when it belongs to none. */
    public static OptionalInt slotOf(int port) {
        int slot = (port - 32000) / 100, kind = port / 10 % 10, index = port % 10;
        boolean ours = port > 32000 && slot < SLOTS && kind >= 1 && kind <= 3 && index > 0;
        return ours ? OptionalInt.of(slot) : OptionalInt.empty();
    }

    /** The place of its address range on the docker network among those of all demos' clusters, from 1. */
    public int rangeIndex() { return MOST * slot + index; }

    /** Whether its nodes are containers that kind made, and not a cluster that the user named by its context. */
    public boolean isKind() { return context.equals("kind-" + name); }

    /** How kubectl is typed for it. */
    public String kubectl() { return "kubectl --context " + quotedContext(); }

    /** The context as a shell takes it: it may have any characters. */
    public String quotedContext() { return DemoCommands.quoted(context); }

    /** How names of files begin that are made for it. */
    public String filePrefix() { return isKind() ? name : DnsLabel.of(context); }

    public String region() { return "region" + index; }

    public String zone() { return region() + "-zone1"; }

    /** The node that runs the API server, and the container of that name. */
    public String controlPlane() { return name + "-control-plane"; }

    /** The NodePort of the ingress gateway's HTTP, and the host port unless the manifest names another. */
    public int httpPort() { return 32010 + 100 * slot + index; }

    /** The same for HTTPS. */
    public int httpsPort() { return httpPort() + 10; }

    /** A third port, mapped and left free for a NodePort of the user's. */
    public int freePort() { return httpPort() + 20; }

    public List<Integer> ports() { return List.of(httpPort(), httpsPort(), freePort()); }

    /** What fills the placeholders of the manifests that differ from cluster to cluster. */
    public Map<String, String> placeholders() {
        return Map.ofEntries(Map.entry("CLUSTER", filePrefix()), Map.entry("INDEX", "" + index), Map.entry("CLUSTER_ID", id()),
                Map.entry("NETWORK", network()), Map.entry("MESH_ID", MESH_ID), Map.entry("REGION", region()),
                Map.entry("ZONE", zone()), Map.entry("POD_SUBNET", "10.%d.0.0/16".formatted(100 + index)),
                Map.entry("SERVICE_SUBNET", "10.%d.0.0/16".formatted(200 + index)),
                Map.entry("HTTP_PORT", "" + httpPort()), Map.entry("HTTPS_PORT", "" + httpsPort()),
                Map.entry("FREE_PORT", "" + freePort()));
    }

    @Override public String toString() { return name; }
}
