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

    /** The images in its manifests. */
    public Collection<String> images() {
        return FILES.stream().flatMap(f -> Manifests.images(manifests.read(f)).stream()).toList();
    }

    /**
     * Applies the application and waits for it.
     *
     * @param locality whether requests stay in the caller's cluster while it has a healthy endpoint
     */
    public Action install(Kube kube, boolean locality, IstioInstaller istio) {
        List<String> files = new ArrayList<>(FILES);
        if (locality) files.add(LOCALITY);
        StringBuilder toShell = new StringBuilder();
        for (String file : files) toShell.append(Manifests.toShell(kube.kubectl(), manifests.read(file))).append("\n");
        toShell.append("%s -n %s rollout status deployment --timeout 300s".formatted(kube.kubectl(),
                TARGET.namespace()));
        return new Action(toShell.toString(), progress -> {
            List<GenericKubernetesResource> resources = new ArrayList<>();
            for (String file : files) resources.addAll(YamlDocuments.parse(manifests.read(file)));
            istio.annotatePods(kube, resources);
            kube.apply(resources);
            if (!locality) YamlDocuments.parse(manifests.read(LOCALITY)).forEach(kube::remove);
            new Deployments(kube, TARGET.namespace()).await(resources, Duration.ofMinutes(5), progress);
        });
    }

    /**
     * Commands to try next, and URLs to open.
     *
     * @param ingress the address of a cluster's ingress gateway on this machine, if a host port is mapped
     */
    public String nextSteps(Mesh mesh, Function<Cluster, Optional<String>> ingress, DemoCommands commands) {
        StringBuilder urls = new StringBuilder();
        for (Cluster cluster : mesh.clusters()) {
            String forwarded = """
                    localhost:8080/hello, while this runs:
                        %s -n %s port-forward service/istio-ingressgateway 8080:80""".formatted(cluster.kubectl(),
                    Mesh.NAMESPACE);
            String url = ingress.apply(cluster).map(address -> address + "/hello").orElse(forwarded);
            urls.append("  %s: http://%s\n".formatted(cluster, url));
        }
        return """

                The mesh is up. Try:
                  %s
                  %s exec -n %s deploy/%s -- curl -sS helloworld.sample:5000/hello
                Ingress gateways, from this machine:
                %sRemove the demo:
                  %s""".formatted(commands.verify(), mesh.clusters().getFirst().kubectl(), TARGET.namespace(),
                TARGET.client(), urls, commands.teardown());
    }
}
