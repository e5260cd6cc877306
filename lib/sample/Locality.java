package lib.sample;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;

/**
 * The rule that keeps requests to the sample service in the caller's cluster while it has a healthy endpoint: a
 * DestinationRule, or in an ambient mesh the Service's trafficDistribution.
 */
public record Locality(Manifests manifests, DataPlane dataPlane) {
    static final String RULE = "apps/locality.yaml", SERVICE = "ambient/locality.yaml", APP = "apps/helloworld.yaml",
            WAYPOINT_RULE = "ambient/waypoint-locality.yaml", USE_WAYPOINT = "ambient/use-waypoint.yaml";
    /** https://istio.io/latest/docs/reference/config/labels/ */
    private static final String WAYPOINT_LABEL = "istio.io/use-waypoint";

    /** The resources of a manifest. */
    public List<GenericKubernetesResource> resources(String path) { return YamlDocuments.parse(manifests.read(path)); }

    /** The rule as a resource of its own, which a mesh with sidecars has. */
    public List<GenericKubernetesResource> rule() { return resources(RULE); }

    /** Applies the rule, or removes it; the service stays with its waypoint, if it uses one. */
    public void set(Kube kube, SampleTarget app, boolean on) {
        if (dataPlane == DataPlane.ambient) set(kube, on, usesWaypoint(kube, app));
        else if (on) kube.apply(rule());
        else rule().forEach(kube::removeOwn);
    }

    /**
     * Applies the Service of an ambient mesh, with or without the rule.
     *
     * @param waypoint whether its callers go through the waypoint, which has a rule of its own
     */
    void set(Kube kube, boolean on, boolean waypoint) {
        List<GenericKubernetesResource> service = resources(on ? SERVICE : APP).stream()
                .filter(r -> r.getKind().equals("Service")).toList();
        if (waypoint) Manifests.patch(service, manifests.read(USE_WAYPOINT));
        kube.apply(service);
        // kubectl may have set the label, and then applying a Service without it does not remove it
        if (!waypoint) service.forEach(r -> kube.client().resource(r).patch(PatchContext.of(PatchType.JSON_MERGE),
                "{\"metadata\": {\"labels\": {\"%s\": null}}}".formatted(WAYPOINT_LABEL)));
        if (on && waypoint) kube.apply(resources(WAYPOINT_RULE));
        else resources(WAYPOINT_RULE).forEach(kube::removeOwn);
    }

    /** The same as shell commands. */
    String toShell(Kube kube, boolean waypoint) {
        List<String> files = dataPlane == DataPlane.sidecar ? List.of(RULE)
                : waypoint ? List.of(SERVICE, WAYPOINT_RULE) : List.of(SERVICE);
        return files.stream().map(file -> Manifests.toShell(kube.kubectl(), manifests.read(file)))
                .collect(Collectors.joining("\n"));
    }

    /** The waypoint that callers of a service use; empty when they use none. */
    public static Optional<String> waypoint(Kube kube, SampleTarget app) {
        var service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        return Optional.ofNullable(service).map(s -> s.getMetadata().getLabels())
                .map(labels -> labels.get(WAYPOINT_LABEL));
    }

    private static boolean usesWaypoint(Kube kube, SampleTarget app) { return waypoint(kube, app).isPresent(); }

    /** Whether a service has such a rule. */
    public static boolean isSet(Kube kube, SampleTarget app, DataPlane dataPlane) {
        if (dataPlane == DataPlane.sidecar)
            return kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule")
                    .inNamespace(app.namespace()).withName(app.service()).get() != null;
        var service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        return service != null && service.getSpec().getTrafficDistribution() != null;
    }
}
