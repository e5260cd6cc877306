package lib.kube;

import module java.base;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeCondition;

/** A cluster's nodes, and what they complain of. https://kubernetes.io/docs/reference/node/node-status/#condition */
public record Nodes(List<Node> all) {
    public static Nodes of(Kube kube) { return new Nodes(kube.client().nodes().list().getItems()); }

    /** A line for each thing that is not as it should be: not Ready, or short of disk, memory or processes. */
    public List<String> complaints() {
        return all.stream().flatMap(node -> node.getStatus().getConditions().stream().filter(Nodes::bad).map(c -> "node %s: %s".formatted(
                node.getMetadata().getName(), c.getType().equals("Ready") ? "not Ready: " + c.getMessage()
                        : "%s: %s".formatted(c.getType(), c.getMessage())))).toList();
    }

    /** All conditions but Ready tell of trouble when they hold. */
    private static boolean bad(NodeCondition c) { return c.getType().equals("Ready") != c.getStatus().equals("True"); }

    /** Whether one takes no pods, for longer than a start lasts: its disk is full, or its kubelet has been silent for 40 seconds. */
    boolean takeNoPods() {
        return all.stream().flatMap(node -> node.getStatus().getConditions().stream()).anyMatch(c -> c.getType().equals("DiskPressure")
                ? bad(c) : c.getType().equals("Ready") && c.getStatus().equals("Unknown"));
    }
}
