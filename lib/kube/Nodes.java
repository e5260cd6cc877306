package lib.kube;

import module java.base;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeCondition;

/** A cluster's nodes and their conditions. https://kubernetes.io/docs/reference/node/node-status/#condition */
public record Nodes(List<Node> all) {
    public static Nodes of(Kube kube) { return new Nodes(kube.client().nodes().list().getItems()); }

    /** A line for each bad condition: a node is not Ready, or short of disk, memory or processes. */
    public List<String> complaints() {
        List<String> lines = new ArrayList<>();
        for (Node node : all) {
            for (NodeCondition c : node.getStatus().getConditions()) {
                String defect = c.getType().equals("Ready") ? "not Ready" : c.getType();
                String name = node.getMetadata().getName();
                if (isBad(c)) lines.add("node %s: %s: %s".formatted(name, defect, c.getMessage()));
            }
        }
        return lines;
    }

    /** All conditions except Ready are bad when they are true. */
    private static boolean isBad(NodeCondition c) {
        return c.getType().equals("Ready") != c.getStatus().equals("True");
    }

    /** Whether a node accepts no pods: its disk is full, or its kubelet has been silent for 40 seconds. */
    boolean rejectPods() {
        return all.stream().flatMap(node -> node.getStatus().getConditions().stream()).anyMatch(c ->
                c.getType().equals("DiskPressure") && isBad(c)
                        || c.getType().equals("Ready") && c.getStatus().equals("Unknown"));
    }
}
