package lib.istio;

import module java.base;
import lib.kube.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * The rule that keeps requests to the sample service in the caller's cluster while it has a healthy endpoint: a
 * DestinationRule, or in an ambient mesh the Service's trafficDistribution.
 */
public record Locality(Manifests manifests, DataPlane dataPlane) {
    static final String RULE = "apps/locality.yaml", SERVICE = "ambient/locality.yaml", APP = "apps/helloworld.yaml";

    /** The path of its manifest. */
    public String path() { return dataPlane == DataPlane.ambient ? SERVICE : RULE; }

    private List<GenericKubernetesResource> resources() { return YamlDocuments.parse(manifests.read(path())); }

    /** The same as a shell command. */
    String toShell(Kube kube) { return Manifests.toShell(kube.kubectl(), manifests.read(path())); }

    /** Applies the rule, or removes it. */
    public void set(Kube kube, boolean on) {
        if (on) kube.apply(resources());
        else if (dataPlane == DataPlane.sidecar) resources().forEach(kube::remove);
        else kube.apply(YamlDocuments.parse(manifests.read(APP)).stream().filter(r -> r.getKind().equals("Service"))
                .toList());
    }

    /** Whether a service has such a rule. */
    public static boolean isSet(Kube kube, SampleTarget app, DataPlane dataPlane) {
        if (dataPlane == DataPlane.sidecar)
            return kube.client().genericKubernetesResources("networking.istio.io/v1", "DestinationRule")
                    .inNamespace(app.namespace()).withName(app.service()).get() != null;
        var service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        return service != null && service.getSpec().getTrafficDistribution() != null;
    }
}
