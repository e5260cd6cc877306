package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClientException;

/** The deployments of a namespace: whether they are available, and why not. */
public record Deployments(Kube kube, String namespace) {
    /** Waits until the deployments among the resources are available. Throws a Problem that says why they are not. */
    public void await(Collection<? extends HasMetadata> resources, Duration limit, Consumer<String> progress) {
        await(resources.stream().filter(r -> r.getKind().equals("Deployment")).map(Deployments::name).toList(), limit,
                progress);
    }

    /** The same for deployments with these names, which may not exist yet. */
    public void await(List<String> names, Duration limit, Consumer<String> progress) {
        try {
            var deployments = kube.client().apps().deployments().inNamespace(namespace);
            kube.await("deployments of " + namespace, limit, deployments, all -> {
                List<String> missing = new ArrayList<>();
                for (String name : names) {
                    var found = all.stream().filter(d -> name(d).equals(name)).findFirst();
                    if (found.isEmpty()) missing.add(name + " absent");
                    else if (!isAvailable(found.get())) missing.add(name + " not ready");
                }
                return String.join(", ", missing);
            }, progress, new Pods(kube, namespace)::cannotRecover);
        } catch (Problem p) {
            throw withProblems(p.getMessage());
        }
    }

    /** Waits until a daemon set is available on every node. Throws a Problem that says why it is not. */
    public void awaitDaemonSet(String name, Duration limit, Consumer<String> progress) {
        try {
            var daemonSets = kube.client().apps().daemonSets().inNamespace(namespace);
            kube.await("daemon set " + name, limit, daemonSets, all -> all.stream()
                    .filter(d -> name(d).equals(name)).findFirst().map(Deployments::unavailable)
                    .orElse(name + " absent"), progress, new Pods(kube, namespace)::cannotRecover);
        } catch (Problem p) {
            throw withProblems(p.getMessage());
        }
    }

    /** On how many nodes a daemon set is not of the newest revision and available; empty when on none. */
    private static String unavailable(DaemonSet d) {
        var status = d.getStatus();
        if (status == null || !Objects.equals(status.getObservedGeneration(), d.getMetadata().getGeneration()))
            return name(d) + " not started";
        int desired = orZero(status.getDesiredNumberScheduled());
        int available = Math.min(orZero(status.getUpdatedNumberScheduled()), orZero(status.getNumberAvailable()));
        return desired > 0 && available >= desired ? "" : "%s on %d of %d nodes".formatted(name(d), available, desired);
    }

    /** The names of the namespace's deployments. Throws a Problem when there are none, or one is not available. */
    public String ready() { return ready(_ -> true); }

    /** The same for some deployments: the others may not belong to the mesh. */
    public String ready(Predicate<Deployment> included) {
        var all = list().stream().filter(included).toList();
        if (all.isEmpty()) throw Problem.failed("there is no deployment in " + namespace,
                "%s; see %s get all -n %s".formatted(kube.commands().kindDemo(), kube.kubectl(), namespace));
        String unavailable = names(all.stream().filter(d -> !isAvailable(d)));
        if (!unavailable.isEmpty()) throw withProblems("not available in %s: %s".formatted(namespace, unavailable));
        return names(all.stream());
    }

    /**
     * A line for each Deployment and DaemonSet with fewer ready pods than desired. In the demo's own clusters at least
     * one pod is desired.
     */
    public List<String> incomplete() {
        var daemonSets = kube.client().apps().daemonSets().inNamespace(namespace).list().getItems();
        return incomplete(list(), daemonSets, kube.cluster().isKind() ? 1 : 0);
    }

    private List<Deployment> list() {
        return kube.client().apps().deployments().inNamespace(namespace).list().getItems();
    }

    public static List<String> incomplete(List<Deployment> deployments, List<DaemonSet> daemonSets, int least) {
        List<String> lines = new ArrayList<>();
        for (Deployment d : deployments)
            addIncomplete(lines, least, "deployment " + name(d), d.getStatus().getReadyReplicas(),
                    d.getSpec().getReplicas());
        for (DaemonSet d : daemonSets)
            addIncomplete(lines, least, "daemonset " + name(d), d.getStatus().getNumberReady(),
                    d.getStatus().getDesiredNumberScheduled());
        return lines;
    }

    private static void addIncomplete(List<String> lines, int least, String workload, Integer ready, Integer desired) {
        if (orZero(ready) < Math.max(orZero(desired), least))
            lines.add("%s: %d of %d pods ready".formatted(workload, orZero(ready), orZero(desired)));
    }

    /** Whether all replicas are of the newest revision and available, as in {@code kubectl rollout status}. */
    private static boolean isAvailable(Deployment d) {
        var status = d.getStatus();
        if (status == null || !Objects.equals(status.getObservedGeneration(), d.getMetadata().getGeneration()))
            return false;
        int updated = orZero(status.getUpdatedReplicas());
        return updated >= d.getSpec().getReplicas() && orZero(status.getReplicas()) <= updated
                && orZero(status.getAvailableReplicas()) >= updated;
    }

    private static int orZero(Integer count) { return Objects.requireNonNullElse(count, 0); }

    /** Adds the bad conditions of the nodes and the pods that are not ready, if the API server answers. */
    private Problem withProblems(String message) {
        String problems;
        try {
            List<String> lines = new ArrayList<>(Nodes.of(kube).complaints());
            lines.add(new Pods(kube, namespace).problems());
            problems = String.join("\n", lines);
        } catch (KubernetesClientException e) {
            problems = Kube.reason(e);
        }
        return Problem.failed(message + "\n" + problems, "%s describe pods -n %s".formatted(kube.kubectl(), namespace));
    }

    private static String names(Stream<Deployment> deployments) {
        return deployments.map(Deployments::name).collect(Collectors.joining(", "));
    }

    private static String name(HasMetadata resource) { return resource.getMetadata().getName(); }
}
