package lib.sample;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/** The sample application: helloworld v1 and v2 and a client, sleep, in every cluster. */
public final class SampleApp {
    public static final SampleTarget TARGET = new SampleTarget("sample", "helloworld", "sleep", "/hello");
    private static final String STRICT = "apps/strict.yaml", CLIENT = "apps/sleep.yaml",
            TRAFFIC = "observability/traffic.yaml";
    private static final List<String> WITH_SIDECARS = List.of("apps/namespace.yaml", STRICT, Locality.APP, CLIENT,
            "apps/ingress.yaml"), AMBIENT = List.of("ambient/namespace.yaml", STRICT, Locality.APP, CLIENT,
            "ambient/ingress.yaml");

    private static final String WAYPOINT = "waypoint", WAYPOINT_FILE = "ambient/waypoint.yaml";
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final Manifests manifests;
    private final DataPlane dataPlane;
    private final boolean waypoints, traffic;

    /**
     * @param waypoints whether requests go through a waypoint, in an ambient mesh
     * @param traffic   whether the client sends requests all the time
     */
    public SampleApp(Manifests manifests, DataPlane dataPlane, boolean waypoints, boolean traffic) {
        this.manifests = manifests;
        this.dataPlane = dataPlane;
        this.waypoints = waypoints;
        this.traffic = traffic;
    }

    private List<String> files() { return dataPlane == DataPlane.ambient ? AMBIENT : WITH_SIDECARS; }

    /** The images in its manifests. */
    public Collection<String> images() {
        Stream<String> all = traffic ? Stream.concat(files().stream(), Stream.of(TRAFFIC)) : files().stream();
        return all.flatMap(file -> Manifests.images(manifests.read(file)).stream()).toList();
    }

    /**
     * Applies the application and waits for it.
     *
     * @param locality whether requests stay in the caller's cluster while it has a healthy endpoint
     */
    public Action install(Kube kube, boolean locality, IstioInstaller istio) {
        Locality rule = new Locality(manifests, dataPlane);
        StringBuilder toShell = new StringBuilder();
        for (String file : files())
            toShell.append(Manifests.toShell(kube.kubectl(), manifests.read(file))).append("\n");
        if (traffic) toShell.append("%s -n %s patch deployment %s --patch-file /dev/stdin %s\n".formatted(
                kube.kubectl(), TARGET.namespace(), TARGET.client(),
                DemoCommands.hereDocument("EOF", manifests.read(TRAFFIC))));
        if (locality) toShell.append(rule.toShell(kube, waypoints)).append("\n");
        if (waypoints) toShell.append(waypointToShell(kube)).append("\n");
        toShell.append("%s -n %s rollout status deployment --timeout 300s".formatted(kube.kubectl(),
                TARGET.namespace()));
        return new Action(toShell.toString(), progress -> {
            List<GenericKubernetesResource> resources = new ArrayList<>();
            for (String file : files()) resources.addAll(YamlDocuments.parse(manifests.read(file)));
            if (traffic) Manifests.patch(resources, manifests.read(TRAFFIC));
            boolean ambient = dataPlane == DataPlane.ambient;
            // its rule is part of the Service, which is applied with or without it
            if (ambient) resources.removeIf(r -> r.getKind().equals("Service"));
            else istio.annotatePods(kube, resources);
            kube.apply(resources);
            Deployments deployments = new Deployments(kube, TARGET.namespace());
            if (ambient) applyService(kube, rule, locality, deployments, progress);
            else rule.set(kube, TARGET, locality);
            deployments.await(resources, LIMIT, progress);
        });
    }

    /** Applies the Service, and its waypoint. The Service uses the waypoint only while that is ready. */
    private void applyService(Kube kube, Locality rule, boolean locality, Deployments deployments,
            Consumer<String> progress) {
        List<GenericKubernetesResource> waypoint =
                YamlDocuments.parse(manifests.filled(WAYPOINT_FILE, kube.cluster().placeholders()));
        if (waypoints) {
            kube.apply(waypoint);
            deployments.await(List.of(WAYPOINT), LIMIT, progress);
        }
        rule.set(kube, locality, waypoints);
        if (!waypoints) waypoint.forEach(kube::removeOwn);
    }

    private String waypointToShell(Kube kube) {
        return """
                %1$s
                %2$s -n %3$s label service %4$s --overwrite istio.io/use-waypoint=%5$s
                %2$s -n %3$s wait %6$s %5$s --for=condition=Programmed --timeout 300s""".formatted(
                Manifests.toShell(kube.kubectl(), manifests.filled(WAYPOINT_FILE, kube.cluster().placeholders())),
                kube.kubectl(), TARGET.namespace(), TARGET.service(), WAYPOINT, GatewayApi.RESOURCE);
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
