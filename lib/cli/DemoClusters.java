package lib.cli;

import module java.base;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.kubeconfig.*;
import lib.run.*;

/** The clusters that the options name: to create, to verify, to remove. */
public record DemoClusters(DemoOptions options, DemoState state, ExistingClusters existing, Console console) {
    /** The mesh of --contexts or --clusters, else of the clusters that exist or an earlier run began, else of two. */
    public Mesh wanted() {
        if (options.existing()) return InstalledIstio.withKeptIds(Mesh.of(options.contexts()), console);
        List<Cluster> ours = existing.clusters();
        int known = Math.max(ours.isEmpty() ? 0 : ours.getLast().index(), state.clusters());
        return Mesh.of(options.prefix(), options.clusters(known == 0 ? 2 : known), existing.slot());
    }

    /** The mesh to verify: in existing clusters with the IDs and networks that its control planes have. */
    public Mesh installed() {
        if (options.existing()) return InstalledIstio.describe(Mesh.of(options.contexts()), console);
        if (existing.clusters().isEmpty()) throw Problem.unmet("no demo to verify: cluster %s does not exist"
                .formatted(wanted().clusters().getFirst()), console.commands().kindDemo());
        return wanted();
    }

    /** The clusters to remove: those that exist, and deleted ones that are still in the kubeconfig. */
    public List<Cluster> removable() {
        if (options.existing()) return Mesh.of(options.contexts()).clusters();
        Kubeconfig kubeconfig = Kubeconfig.ofUser();
        return Mesh.of(options.prefix(), Cluster.MOST, existing.slot()).clusters().stream()
                .filter(c -> existing.clusters().contains(c) || c.index() <= state.clusters()
                        && !existing.foreign().contains(c) && kubeconfig.has(c.context())).toList();
    }
}
