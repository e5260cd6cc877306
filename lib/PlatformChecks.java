package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.utils.Serialization;

/** What the mesh stands on: the tools, the clusters, their load balancers. */
final class PlatformChecks {
    private final List<Kube> kubes;
    private final Docker docker;
    private final Program kind;
    private final Istioctl istioctl;

    PlatformChecks(List<Kube> kubes, Docker docker, Program kind, Istioctl istioctl) {
        this.kubes = kubes;
        this.docker = docker;
        this.kind = kind;
        this.istioctl = istioctl;
    }

    String tools() { return "kind %s, istioctl %s".formatted(kind.look(), istioctl.program.look()); }

    String reachable(Kube kube) {
        if (kube.cluster().isKind()) nodeRuns(kube);
        return "Kubernetes " + kube.client().getKubernetesVersion().getGitVersion();
    }

    private void nodeRuns(Kube kube) {
        Cluster cluster = kube.cluster();
        Docker.Node node = docker.nodes(cluster).stream().filter(n -> n.name().equals(cluster.controlPlane())).findFirst()
                .orElseThrow(() -> Problem.failed("its container %s is gone".formatted(cluster.controlPlane()),
                        kube.commands().kindDemo()));
        if (!node.running()) throw Problem.failed("its container %s is stopped".formatted(node.name()),
                "docker start %s, then %s".formatted(node.name(), kube.commands().kindDemo()));
        if (node.paused()) throw Problem.failed("its container %s is paused".formatted(node.name()), "docker unpause " + node.name());
    }

    String nodesReady(Kube kube) {
        Nodes nodes = Nodes.of(kube);
        List<String> complaints = nodes.complaints();
        if (!complaints.isEmpty()) throw Problem.failed(String.join("\n", complaints), kube.kubectl() + " describe nodes");
        return nodes.all().size() + (nodes.all().size() == 1 ? " node Ready" : " nodes Ready");
    }

    String systemPods(Kube kube) {
        List<String> not = new Pods(kube, "kube-system").states();
        if (!not.isEmpty()) throw Problem.failed(String.join("\n", not), kube.kubectl() + " get pods -n kube-system");
        return "all ready in kube-system";
    }

    /**
     * What the other clusters were told of this one's API server is where it is: an engine may give its node another address after
     * a restart. Of a cluster that is not ours it is only known that no other cluster finds it at an address
     * of this machine alone.
     */
    String remoteAddress(Kube kube) {
        Cluster cluster = kube.cluster();
        Set<String> told = new TreeSet<>();
        for (Kube other : kubes) {
            var secret = other.client().secrets().inNamespace(Istio.NAMESPACE).withName("istio-remote-secret-" + cluster.id()).get();
            if (secret == null) continue; // whether there must be one is the control plane's matter
            String kubeconfig = Certificates.decode(secret.getData().get(cluster.id()));
            if (kubeconfig.isBlank()) throw Problem.failed("%s: the secret %s in %s has no kubeconfig for the cluster %s".formatted(
                    other.cluster(), secret.getMetadata().getName(), Istio.NAMESPACE, cluster.id()),
                    "%s describe secret %s -n %s".formatted(other.kubectl(), secret.getMetadata().getName(), Istio.NAMESPACE));
            String server = Serialization.unmarshal(kubeconfig, JsonNode.class).at("/clusters/0/cluster/server").asText();
            String host = Objects.requireNonNullElse(URI.create(server).getHost(), ""), right = cluster.isKind() ? docker.address(cluster) : "ADDRESS";
            told.add(server);
            if (cluster.isKind() ? !host.equals(right) : Kube.onlyFromHere(host))
                throw Problem.failed("%s was told that its API server is at %s; it is at https://%s:6443".formatted(other.cluster(), server,
                        right), cluster.isKind() ? kube.commands().kindDemo() + " (it recreates the remote secrets)"
                        : "istioctl create-remote-secret --context %s --name %s --server https://ADDRESS:6443 | %s apply -f -".formatted(
                                cluster.typedContext(), cluster.id(), other.kubectl()));
        }
        return told.isEmpty() ? "no other cluster was told" : String.join(", ", told);
    }

    String metalLbReady(Kube kube) {
        if (!kube.cluster().isKind() && kube.client().namespaces().withName(MetalLb.NAMESPACE).get() == null)
            return "there is no MetalLB: addresses come from elsewhere";
        List<String> not = new Pods(kube, MetalLb.NAMESPACE).states();
        if (!not.isEmpty()) throw Problem.failed(String.join("\n", not), kube.kubectl() + " describe pods -n "
                + MetalLb.NAMESPACE);
        return new Deployments(kube, MetalLb.NAMESPACE).ready();
    }

    /** Every LoadBalancer service has an address, from this cluster's own range, which no other cluster's overlaps. */
    String addresses(Kube kube) {
        List<AddressRange> own = MetalLb.ranges(kube);
        String pools = kube.kubectl() + " get ipaddresspools,services -A";
        if (own.isEmpty() && kube.cluster().isKind())
            throw Problem.failed("MetalLB has no address pool", "%s (it recreates the pool); see %s".formatted(
                    kube.commands().kindDemo(), pools));
        for (Kube other : kubes) {
            if (other == kube) continue;
            if (MetalLb.ranges(other).stream().anyMatch(r -> own.stream().anyMatch(r::overlaps)))
                throw Problem.failed("its pool %s overlaps that of %s".formatted(own, other.cluster()),
                        kube.commands().kindDemo());
        }
        Map<String, String> addresses = new TreeMap<>();
        for (Service service : kube.client().services().inAnyNamespace().list().getItems())
            if ("LoadBalancer".equals(service.getSpec().getType())) addresses.put(service.getMetadata().getName(), Kube.address(service));
        addresses.forEach((name, address) -> {
            if (address.isEmpty()) throw Problem.failed("the service %s has no address".formatted(name), pools);
            if (!own.isEmpty() && own.stream().noneMatch(r -> r.contains(AddressRange.ofAddress(address))))
                throw Problem.failed("%s has %s, which is not in %s".formatted(name, address, own), pools);
        });
        return addresses.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
    }
}
