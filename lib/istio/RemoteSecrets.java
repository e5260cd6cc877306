package lib.istio;

import module java.base;
import lib.docker.*;
import lib.kube.*;
import lib.run.*;

/**
 * Remote secrets: with them each istiod reads the services and endpoints of the other clusters.
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
     * Lets the control planes of all other clusters read this cluster, at an address that they reach: on the docker
     * network, or the kubeconfig's unless that is a loopback address. Removes secrets of clusters that left the mesh.
     */
    public Action install(Kube kube, List<Kube> all) {
        List<Kube> others = all.stream().filter(k -> k != kube).toList();
        String toShell = others.isEmpty() ? "# there is no other cluster" : toShell(kube.cluster(), others);
        return new Action(toShell, progress -> {
            var secret = new AtomicReference<String>();
            Await.until(kube.cluster() + ": a token for the other control planes", Duration.ofMinutes(2),
                    Duration.ofMillis(500), progress, () -> create(kube, secret));
            others.forEach(other -> other.apply(secret.get()));
            removeObsolete(kube, all);
        });
    }

    /** Creates the secret; returns what is missing. A cluster that has just started creates tokens late. */
    private String create(Kube kube, AtomicReference<String> secret) {
        try {
            secret.set(istioctl.remoteSecret(kube.cluster(), apiServer(kube)));
            return "";
        } catch (Problem p) {
            if (!p.getMessage().contains("data found")) throw p;
            return "the cluster has not created it yet";
        }
    }

    /** The URL of a cluster's API server for the other clusters. */
    public String apiServer(Kube kube) {
        Cluster cluster = kube.cluster();
        return cluster.isKind() ? "https://%s:6443".formatted(docker.address(cluster))
                : new ApiServer(kube).reachableUrl();
    }

    /** Shell commands that set the variable server to that URL. */
    public static String apiServerAsShell(Cluster cluster) {
        if (cluster.isKind())
            return "server=https://$(%s):6443".formatted(Docker.addressAsShell(cluster.controlPlane()));
        return """
                server=$(%1$s config view --minify -o jsonpath='{.clusters[0].cluster.server}')
                case $server in
                  *//127.*|*//0.0.0.0*|*//'[::'*|*localhost*|\
                *//host.*.internal*|*.docker.internal*|*.containers.internal*)
                  ip=$(%1$s -n default get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}')
                  port=$(%1$s -n default get endpoints kubernetes -o jsonpath='{.subsets[0].ports[0].port}')
                  case $ip in *:*) ip="[$ip]";; esac
                  server=https://$ip:$port;;
                esac""".formatted(cluster.kubectl());
    }

    /** The same as shell commands; they keep the secret out of argument lists. */
    private static String toShell(Cluster cluster, List<Kube> others) {
        StringBuilder text = new StringBuilder(apiServerAsShell(cluster));
        text.append("\nsecret=$(retry istioctl create-remote-secret --context %s --name %s --server \"$server\")"
                .formatted(cluster.quotedContext(), cluster.id()));
        for (Kube other : others) text.append("\n%s apply -f - <<< \"$secret\"".formatted(other.kubectl()));
        return text.toString();
    }

    /** Removes our remote secrets of clusters that left the mesh: istiod would keep connecting to them. */
    private static void removeObsolete(Kube kube, List<Kube> all) {
        Set<String> ids = all.stream().map(k -> k.cluster().id()).collect(Collectors.toSet());
        for (var secret : kube.client().secrets().inNamespace(Mesh.NAMESPACE).withLabel("istio/multiCluster", "true")
                .list().getItems()) {
            if (Kube.isApplied(secret) && !ids.containsAll(secret.getData().keySet())) kube.remove(secret);
        }
    }
}
