package lib.kube;

import module java.base;
import lib.run.*;

/**
 * One cluster of the mesh.
 *
 * @param index   its number in the mesh, from 1
 * @param name    kind's name of the cluster, such as so1; for an existing cluster the name of its context
 * @param context its context in the kubeconfig
 * @param id      its ID in the mesh, {@code values.global.multiCluster.clusterName}
 * @param network {@code topology.istio.io/network}: each cluster has its own
 * @param slot    the block of ports and addresses of its demo, from 0: demos side by side have different ones
 */
public record Cluster(int index, String name, String context, String id, String network, int slot) {
    /** How many demos can run side by side: the ports of the last slot (3271i, 3272i, 3273i) are still NodePorts. */
    public static final int SLOTS = 8;
    /** {@code values.global.meshID}, the same in every cluster. */
    public static final String MESH_ID = "mesh1";
    /** The most clusters of a mesh: their ports (3201i) have one digit for the cluster. */
    public static final int MOST = 9;
    /** The prefix of the IDs that the demo assigns. */
    public static final String ID = "istio-";

    /** A kind cluster of the first demo. */
    public Cluster(int index, String name) { this(index, name, 0); }

    /** A kind cluster. Its index and slot determine everything that must differ between clusters. */
    public Cluster(int index, String name, int slot) {
        this(index, name, "kind-" + name, ID + name, "network" + index, slot);
    }

    /** A cluster without ports and addresses of the demo. */
    public Cluster(int index, String name, String context, String id, String network) {
        this(index, name, context, id, network, 0);
    }

    /** An existing cluster. Its ID and network come from {@code label} alone, and do not depend on other clusters. */
    public static Cluster existing(int index, String context, String label) {
        return new Cluster(index, context, context, ID + label, "network-" + label);
    }

    /** Whether its ID is the one that its context's name determines. */
    public boolean hasOwnId() { return id.equals(ID + DnsLabel.of(context)); }

    /** The slot of a port, if it is one of the demo's. */
    public static OptionalInt slotOf(int port) {
        int slot = (port - 32000) / 100, kind = port / 10 % 10, index = port % 10;
        boolean ours = port > 32000 && slot < SLOTS && kind >= 1 && kind <= 3 && index > 0;
        return ours ? OptionalInt.of(slot) : OptionalInt.empty();
    }

    /** The number of its address range on the Docker network among the clusters of all demos, from 1. */
    public int rangeIndex() { return MOST * slot + index; }

    /** Whether it is a kind cluster of the demo, and not one that {@code --contexts} names. */
    public boolean isKind() { return context.equals("kind-" + name); }

    /** The start of a kubectl command for this cluster. */
    public String kubectl() { return "kubectl --context " + quotedContext(); }

    /** The context, quoted for a shell: it may contain any characters. */
    public String quotedContext() { return DemoCommands.quoted(context); }

    /** The prefix of the names of its files. */
    public String filePrefix() { return isKind() ? name : DnsLabel.of(context); }

    public String region() { return "region" + index; }

    public String zone() { return region() + "-zone1"; }

    /** The node that runs the API server, and its container. */
    public String controlPlane() { return name + "-control-plane"; }

    /** The NodePort of the ingress gateway's HTTP, and the host port unless the manifest names another. */
    public int httpPort() { return 32010 + 100 * slot + index; }

    public int httpsPort() { return httpPort() + 10; }

    /** A mapped port for Kiali, or without it for the user's own NodePort. */
    public int freePort() { return httpPort() + 20; }

    public List<Integer> ports() { return List.of(httpPort(), httpsPort(), freePort()); }

    /** The values of the manifests' placeholders that differ between clusters. */
    public Map<String, String> placeholders() {
        return Map.ofEntries(Map.entry("CLUSTER", filePrefix()), Map.entry("INDEX", "" + index),
                Map.entry("CLUSTER_ID", id), Map.entry("NETWORK", network), Map.entry("MESH_ID", MESH_ID),
                Map.entry("REGION", region()), Map.entry("ZONE", zone()),
                Map.entry("POD_SUBNET", "10.%d.0.0/16".formatted(100 + index)),
                Map.entry("SERVICE_SUBNET", "10.%d.0.0/16".formatted(200 + index)),
                Map.entry("HTTP_PORT", "" + httpPort()), Map.entry("HTTPS_PORT", "" + httpsPort()),
                Map.entry("FREE_PORT", "" + freePort()));
    }

    @Override public String toString() { return name; }
}
