package lib.istio;

import module java.base;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;

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
        return new Action(others.isEmpty() ? "# there is no other cluster" : toShell(cluster, others), progress -> {
            var secret = new AtomicReference<String>();
            Await.until(cluster + ": a token for the other control planes", Duration.ofMinutes(2), Duration.ofMillis(500), progress, () -> {
                try {
                    secret.set(istioctl.remoteSecret(cluster, cluster.isKind() ? "https://%s:6443".formatted(docker.address(cluster))
                            : new ApiServer(kube).reachableUrl()));
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

    /** The secret stays out of argument lists; a cluster that has just started gives a token late. */
    private static String toShell(Cluster cluster, List<Kube> others) {
        String server = cluster.isKind() ? "server=https://$(%s):6443".formatted(Docker.addressAsShell(cluster.controlPlane())) : """
                server=$(%1$s config view --minify -o jsonpath='{.clusters[0].cluster.server}')
                case $server in *//127.*|*//0.0.0.0*|*//'[::'*|*localhost*|*//host.*.internal*|*.docker.internal*|*.containers.internal*)
                  ip=$(%1$s -n default get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}')
                  port=$(%1$s -n default get endpoints kubernetes -o jsonpath='{.subsets[0].ports[0].port}')
                  case $ip in *:*) ip="[$ip]";; esac
                  server=https://$ip:$port;;
                esac""".formatted(cluster.kubectl());
        String applied = others.stream().map(o -> "\n%s apply -f - <<< \"$secret\"".formatted(o.kubectl())).collect(Collectors.joining());
        return "%s\nsecret=$(retry istioctl create-remote-secret --context %s --name %s --server \"$server\")%s".formatted(server,
                cluster.quotedContext(), cluster.id(), applied);
    }

    /** Takes away our remote secrets for clusters that the mesh no longer has: istiod would go on asking them. */
    private static void forgetRemoved(Kube kube, List<Kube> all) {
        Set<String> ids = all.stream().map(k -> k.cluster().id()).collect(Collectors.toSet());
        kube.client().secrets().inNamespace(Mesh.NAMESPACE).withLabel("istio/multiCluster", "true").list().getItems().stream()
                .filter(s -> s.getMetadata().getManagedFields().stream().anyMatch(f -> Kube.MANAGER.equals(f.getManager())))
                .filter(s -> !ids.containsAll(s.getData().keySet())).forEach(kube::remove);
    }
}
