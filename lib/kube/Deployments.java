package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClientException;

/** The deployments of a namespace: whether they are available, and what their pods wait for when not. */
public record Deployments(Kube kube, String namespace) {
    /** Waits until those among these resources have all their replicas available; on giving up says what their pods wait for. */
    public void await(Collection<? extends HasMetadata> resources, Duration limit, Consumer<String> progress) {
        List<String> names = resources.stream().filter(r -> r.getKind().equals("Deployment")).map(Deployments::name).toList();
        try {
            kube.await("deployments of " + namespace, limit, kube.client().apps().deployments().inNamespace(namespace), all -> {
                List<String> open = new ArrayList<>();
                for (String name : names) {
                    var found = all.stream().filter(d -> name(d).equals(name)).findFirst();
                    if (found.isEmpty()) open.add(name + " absent");
                    else if (!available(found.get())) open.add(name + " not ready");
                }
                return String.join(", ", open);
            }, progress, new Pods(kube, namespace)::cannotRecover);
        } catch (Problem p) {
            throw Problem.failed(p.getMessage() + "\n" + problems(), lookAtPods());
        }
    }

    /** Names them; a {@link Problem} with what their pods wait for when some are not available, or there are none. */
    public String ready() { return ready(_ -> true); }

    /** The same for some of them: a namespace may have others, which are not the mesh's. */
    public String ready(Predicate<Deployment> meant) {
        var all = kube.client().apps().deployments().inNamespace(namespace).list().getItems().stream().filter(meant)
                .toList();
        if (all.isEmpty()) throw Problem.failed("there is no deployment in " + namespace,
                "%s; see %s get all -n %s".formatted(kube.commands().kindDemo(), kube.kubectl(), namespace));
        List<String> not = all.stream().filter(d -> !available(d)).map(Deployments::name).toList();
        if (!not.isEmpty())
            throw Problem.failed("not available in %s: %s\n%s".formatted(namespace, String.join(", ", not), problems()), lookAtPods());
        return all.stream().map(Deployments::name).collect(Collectors.joining(", "));
    }

    /** A line for each Deployment and DaemonSet with fewer ready pods than it should have; none is too few in ours. */
    public List<String> incomplete() {
        var apps = kube.client().apps();
        return incomplete(apps.deployments().inNamespace(namespace).list().getItems(),
                apps.daemonSets().inNamespace(namespace).list().getItems(), kube.cluster().isKind() ? 1 : 0);
    }

    public static List<String> incomplete(List<Deployment> deployments, List<DaemonSet> daemonSets, int least) {
        List<String> lines = new ArrayList<>();
        for (Deployment d : deployments)
            count(lines, least, "deployment " + name(d), d.getStatus().getReadyReplicas(), d.getSpec().getReplicas());
        for (DaemonSet d : daemonSets)
            count(lines, least, "daemonset " + name(d), d.getStatus().getNumberReady(),
                    d.getStatus().getDesiredNumberScheduled());
        return lines;
    }

    private static void count(List<String> lines, int least, String what, Integer ready, Integer wanted) {
        int some = Objects.requireNonNullElse(ready, 0), all = Objects.requireNonNullElse(wanted, 0);
        if (some < Math.max(all, least)) lines.add("%s: %d of %d pods ready".formatted(what, some, all));
    }

    /** Whether all replicas are of the newest kind and available, and no older one is left: as `kubectl rollout status` sees it. */
    private static boolean available(Deployment d) {
        var status = d.getStatus();
        if (status == null || !Objects.equals(status.getObservedGeneration(), d.getMetadata().getGeneration())) return false;
        int updated = Objects.requireNonNullElse(status.getUpdatedReplicas(), 0);
        return updated >= d.getSpec().getReplicas() && Objects.requireNonNullElse(status.getReplicas(), 0) <= updated
                && Objects.requireNonNullElse(status.getAvailableReplicas(), 0) >= updated;
    }

    /** What the nodes complain of, and pods that are not ready; the API server may be what is gone. */
    private String problems() {
        try {
            return Stream.concat(Nodes.of(kube).complaints().stream(), Stream.of(new Pods(kube, namespace).problems()))
                    .collect(Collectors.joining("\n"));
        } catch (KubernetesClientException e) {
            return Kube.reason(e);
        }
    }

    private String lookAtPods() { return "%s describe pods -n %s".formatted(kube.kubectl(), namespace); }

    private static String name(HasMetadata resource) { return resource.getMetadata().getName(); }
}
