package lib.kind;

import module java.base;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;

/**
 * Checks before kind creates clusters. Each throws a {@link Problem} when the clusters cannot be created.
 *
 * @param wanted   the nodes that the options ask for
 * @param existing the existing clusters
 */
public record KindChecks(Kind kind, NodeSettings wanted, ExistingClusters existing, Docker docker,
        DemoCommands commands) {
    /** The version of kind, or where it would be downloaded from. */
    public String version() { return kind.version(); }

    /** Whether the configuration of new clusters lets the kubelet start on cgroup v1. */
    public boolean allowsCgroupV1() { return kind.allowsCgroupV1(); }

    /** The clusters of the mesh that do not exist. */
    public List<Cluster> missing(Mesh mesh) {
        return mesh.clusters().stream().filter(c -> !existing.clusters().contains(c)).toList();
    }

    /** Checks that no cluster with a name of the mesh exists that the demo did not create. */
    public String checkNames(Mesh mesh) {
        for (Cluster taken : existing.foreign()) if (mesh.clusters().contains(taken))
            throw Problem.unmet("a kind cluster named %s exists and was not created by this demo; nothing was changed"
                    .formatted(taken), "choose other names (%s), or remove it: kind delete cluster --name %s"
                    .formatted(existing.freePrefix(), taken));
        List<Cluster> ours = existing.clusters();
        return "%s, of which %s".formatted(mesh.clusters(), ours.isEmpty() ? "none exists" : ours + " exist");
    }

    /** Checks that the options ask for nothing that kind cannot change in the existing clusters. */
    public String checkExisting(Mesh mesh) {
        Set<String> extra = new TreeSet<>();
        for (Cluster cluster : existing.clusters()) if (!mesh.clusters().contains(cluster)) extra.add(cluster.name());
        if (!extra.isEmpty())
            throw Problem.unmet("--clusters %d would delete %s and everything in it".formatted(mesh.clusters().size(),
                    String.join(", ", extra)), ("to keep it, omit --clusters; to remove it: kind delete cluster"
                    + " --name %s, then run this again").formatted(extra.iterator().next()));
        for (Cluster cluster : existing.clusters()) {
            List<Docker.Node> nodes = existing.nodes(cluster);
            if (kind.isComplete(cluster, nodes)) checkNodes(cluster, nodes); // others are recreated
        }
        return "%d workers per cluster, %s".formatted(wanted.workers(), wanted.image());
    }

    private void checkNodes(Cluster cluster, List<Docker.Node> nodes) {
        String fromScratch = "start from scratch: %s, then run this again".formatted(commands.teardown());
        long workers = nodes.stream().filter(Docker.Node::worker).count();
        if (wanted.workersSet() && wanted.workers() != workers)
            throw Problem.unmet("%s has %d workers, not %d, and kind cannot change that".formatted(cluster, workers,
                    wanted.workers()), "to keep them, omit --workers; or " + fromScratch);
        Set<String> networks = docker.networks(cluster.controlPlane());
        if (!networks.contains(Docker.network()))
            throw Problem.unmet("%s is on the Docker network %s, not on %s".formatted(cluster,
                    String.join(", ", networks), Docker.network()),
                    "export KIND_EXPERIMENTAL_DOCKER_NETWORK=" + String.join(" or ", networks));
        String base = nodes.getFirst().base();
        if (wanted.imageSet() && !base.isEmpty() && !isSameImage(base, wanted.image()))
            throw Problem.unmet("%s was created from %s, not from %s, and kind cannot change that"
                    .formatted(cluster, base, wanted.image()),
                    "to keep it, omit --node-image and --kubernetes-version; or " + fromScratch);
    }

    private boolean isSameImage(String one, String other) {
        if (one.equals(other)) return true;
        Map<String, String> ids = docker.images().present(List.of(one, other));
        return ids.size() == 2 && ids.get(one).equals(ids.get(other));
    }

    /** Checks that the host ports of these new clusters are free. */
    public String ports(List<Cluster> missing) { return ports(missing, docker.nodes()); }

    String ports(List<Cluster> missing, List<Docker.Node> nodes) {
        List<HostPort> ports = new ArrayList<>();
        for (Cluster cluster : missing) ports.addAll(HostPort.of(cluster, kind.config(cluster, Optional.empty())));
        Map<HostPort, String> inUse = HostPort.inUse(ports, nodes);
        if (inUse.isEmpty()) return missing.isEmpty() ? "in use by the existing clusters" : ports.size() + " free";
        int first = inUse.keySet().iterator().next().number();
        boolean ofDemo = missing.stream().anyMatch(cluster -> cluster.ports().contains(first));
        throw Problem.unmet(String.join("; ", inUse.values()), ("find the process (lsof -i :%d) and end it; or use"
                + " other ports: %sanother hostPort in a copy of manifests/kind/cluster.yaml, such as 3401${INDEX},"
                + " with --manifests").formatted(first, ofDemo ? existing.freePrefix() + ", or " : ""));
    }
}
