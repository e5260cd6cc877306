package lib;

import module java.base;

/**
 * What each istiod reads the other clusters' services and endpoints with.
 * https://istio.io/latest/docs/setup/install/multicluster/multi-primary_multi-network/#enable-endpoint-discovery
 */
public final class RemoteSecrets {
    private final Istioctl istioctl;
    private final Docker docker;

    public RemoteSecrets(Istioctl istioctl, Docker docker) {
        this.istioctl = istioctl;
        this.docker = docker;
    }

    /**
     * Gives the control planes of all other clusters the right to read this one's services and endpoints, at an address that they
     * reach: on the docker network, or the one in the kubeconfig when that is no loopback address.
     */
    public Action give(Kube kube, List<Kube> all) {
        Cluster cluster = kube.cluster();
        List<Kube> others = all.stream().filter(k -> k != kube).toList();
        String create = "istioctl create-remote-secret --context %s --name %s --server".formatted(
                cluster.typedContext(), cluster.id());
        String address = cluster.isKind() ? "docker inspect --format '{{.NetworkSettings.Networks.%s.IPAddress}}' %s".formatted(
                Docker.network(), cluster.controlPlane())
                : cluster.kubectl() + " get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}'";
        String byHand = others.stream().map(o -> "%s \"https://$(%s):6443\" | %s apply -f -".formatted(create, address,
                o.kubectl())).collect(Collectors.joining("\n"));
        return new Action(byHand, seen -> {
            var secret = new AtomicReference<String>();
            Await.until(cluster + ": a token for the other control planes", Duration.ofMinutes(2), Duration.ofMillis(500), seen, () -> {
                try {
                    secret.set(istioctl.remoteSecret(cluster, cluster.isKind() ? "https://%s:6443".formatted(docker.address(cluster))
                            : kube.reachableServer()));
                    return "";
                } catch (Problem p) {
                    // a cluster whose controllers have just started gives tokens late
                    if (!p.getMessage().contains("data found")) throw p;
                    return "there is none yet";
                }
            });
            others.forEach(other -> other.apply(secret.get()));
            forgetRemoved(kube, all);
        });
    }

    /** Takes away our remote secrets for clusters that the mesh no longer has: istiod would go on asking them. */
    private static void forgetRemoved(Kube kube, List<Kube> all) {
        Set<String> ids = all.stream().map(k -> k.cluster().id()).collect(Collectors.toSet());
        kube.client().secrets().inNamespace(Istio.NAMESPACE).withLabel("istio/multiCluster", "true").list().getItems().stream()
                .filter(s -> s.getMetadata().getManagedFields().stream().anyMatch(f -> Kube.MANAGER.equals(f.getManager())))
                .filter(s -> !ids.containsAll(s.getData().keySet())).forEach(kube::remove);
    }
}
