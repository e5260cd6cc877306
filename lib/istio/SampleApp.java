package lib.istio;

import module java.base;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/** The sample application: helloworld v1 and v2 and a client, sleep, in every cluster. */
public final class SampleApp {
    public static final SampleTarget TARGET = new SampleTarget("sample", "helloworld", "sleep", "/hello");
    public static final String LOCALITY = "apps/locality.yaml";
    private static final List<String> FILES = List.of("apps/namespace.yaml", "apps/strict.yaml", "apps/helloworld.yaml",
            "apps/sleep.yaml", "apps/ingress.yaml");

    private final Manifests manifests;

    public SampleApp(Manifests manifests) { this.manifests = manifests; }

    /** The images that its manifests name. */
    public Collection<String> images() { return FILES.stream().flatMap(f -> Manifests.images(manifests.read(f)).stream()).toList(); }

    /**
     * Applies the app and waits for it.
     *
     * @param locality whether requests stay in the caller's cluster while it has a healthy instance
     * @param istio    knows the settings of the proxies
     */
    public Action install(Kube kube, boolean locality, IstioInstaller istio) {
        String kubectl = kube.kubectl();
        List<String> files = locality ? Stream.concat(FILES.stream(), Stream.of(LOCALITY)).toList() : FILES;
        String toShell = files.stream().map(f -> Manifests.toShell(kubectl, manifests.read(f))).collect(Collectors.joining("\n"))
                + "\n%s -n %s rollout status deployment --timeout 300s".formatted(kubectl, TARGET.namespace());
        return new Action(toShell, progress -> {
            List<GenericKubernetesResource> resources = files.stream().flatMap(f -> YamlDocuments.parse(manifests.read(f)).stream()).toList();
            istio.markPods(kube, resources);
            kube.apply(resources);
            if (!locality) YamlDocuments.parse(manifests.read(LOCALITY)).forEach(kube::remove);
            new Deployments(kube, TARGET.namespace()).await(resources, Duration.ofMinutes(5), progress);
        });
    }

    /**
     * What to type next, and what can be opened where.
     *
     * @param ingress how this machine reaches a cluster's ingress gateway, where a port is mapped
     */
    public String nextSteps(Mesh mesh, Function<Cluster, Optional<String>> ingress, DemoCommands commands) {
        StringBuilder text = new StringBuilder("\nThe mesh is up. Try:\n");
        Cluster first = mesh.clusters().getFirst();
        text.append("  %s\n".formatted(commands.verify()));
        text.append("  %s exec -n %s deploy/%s -- curl -sS helloworld.sample:5000/hello\n".formatted(first.kubectl(), TARGET.namespace(),
                TARGET.client()));
        text.append("Open from this machine, answered through each cluster's ingress gateway:\n");
        for (Cluster cluster : mesh.clusters()) {
            String forwarded = "localhost:8080/hello, while this runs:\n    %s -n %s port-forward service/istio-ingressgateway 8080:80"
                    .formatted(cluster.kubectl(), Mesh.NAMESPACE);
            text.append("  %s: http://%s\n".formatted(cluster, ingress.apply(cluster).map(at -> at + "/hello").orElse(forwarded)));
        }
        text.append("Remove it all:\n  " + commands.teardown());
        return text.toString();
    }
}
