package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.utils.Serialization;

/** What the mesh stands on: the clusters and their load balancers. */
final class PlatformChecks {
    private final List<Kube> kubes;
    private final Docker docker;

    PlatformChecks(List<Kube> kubes, Docker docker) {
        this.kubes = kubes;
        this.docker = docker;
    }

    String reachable(Kube kube) {
        Cluster cluster = kube.cluster();
        Docker.Node node = docker.nodes(cluster).stream().filter(n -> n.name().equals(cluster.controlPlane())).findFirst()
                .orElseThrow(() -> Problem.failed("its container %s is gone".formatted(cluster.controlPlane()), "jbang KindDemo.java"));
        if (!node.running()) throw Problem.failed("its container %s is stopped".formatted(node.name()),
                "docker start %s, then jbang KindDemo.java".formatted(node.name()));
        if (node.paused()) throw Problem.failed("its container %s is paused".formatted(node.name()), "docker unpause " + node.name());
        return "Kubernetes " + kube.client().getKubernetesVersion().getGitVersion();
    }

    String nodesReady(Kube kube) {
        var nodes = kube.client().nodes().list().getItems();
        List<String> not = nodes.stream().filter(n -> n.getStatus().getConditions().stream()
                .noneMatch(c -> c.getType().equals("Ready") && c.getStatus().equals("True"))).map(n -> n.getMetadata().getName()).toList();
        if (!not.isEmpty()) throw Problem.failed("not Ready: " + String.join(", ", not), Kube.kubectl(kube.cluster()) + " describe node "
                + not.getFirst());
        return nodes.size() + (nodes.size() == 1 ? " node Ready" : " nodes Ready");
    }

    String systemPods(Kube kube) {
        List<String> not = kube.podsNotReady("kube-system");
        if (!not.isEmpty()) throw Problem.failed(String.join("\n", not), Kube.kubectl(kube.cluster()) + " get pods -n kube-system");
        return "all ready in kube-system";
    }

    /**
     * The address that other clusters were given for this one's API server is the one it has: an engine may give another after
     * a restart.
     */
    String remoteAddress(Kube kube) {
        Cluster cluster = kube.cluster();
        String address = docker.address(cluster);
        for (Kube other : kubes) {
            var secret = other.client().secrets().inNamespace(Istioctl.NAMESPACE).withName("istio-remote-secret-" + cluster.id()).get();
            if (secret == null) continue; // whether there must be one is the control plane's matter
            String kubeconfig = CertificateAuthority.decode(secret.getData().get(cluster.id()));
            String server = Serialization.unmarshal(kubeconfig, JsonNode.class).at("/clusters/0/cluster/server").asText();
            if (!address.equals(URI.create(server).getHost()))
                throw Problem.failed("%s was told that its API server is at %s; it is at https://%s:6443".formatted(other.cluster(), server,
                        address), "jbang KindDemo.java (it makes the remote secrets anew)");
        }
        return "https://%s:6443".formatted(address);
    }

    String metalLbReady(Kube kube) {
        List<String> not = kube.podsNotReady(MetalLb.NAMESPACE);
        if (!not.isEmpty()) throw Problem.failed(String.join("\n", not), Kube.kubectl(kube.cluster()) + " describe pods -n "
                + MetalLb.NAMESPACE);
        return kube.deploymentsReady(MetalLb.NAMESPACE);
    }

    /** Every LoadBalancer service has an address, from this cluster's own range, which no other cluster's overlaps. */
    String addresses(Kube kube) {
        List<AddressRange> own = MetalLb.ranges(kube);
        String pools = Kube.kubectl(kube.cluster()) + " get ipaddresspools,services -A";
        if (own.isEmpty()) throw Problem.failed("MetalLB has no address pool", "jbang KindDemo.java (it makes the pool anew); see "
                + pools);
        for (Kube other : kubes) {
            if (other == kube) continue;
            if (MetalLb.ranges(other).stream().anyMatch(r -> own.stream()
                    .anyMatch(r::overlaps))) throw Problem.failed("its pool %s overlaps that of %s".formatted(own, other.cluster()),
                    "jbang KindDemo.java");
        }
        Map<String, String> addresses = new TreeMap<>();
        for (Service service : kube.client().services().inAnyNamespace().list().getItems())
            if ("LoadBalancer".equals(service.getSpec().getType())) addresses.put(service.getMetadata().getName(),
                    Istioctl.address(service));
        addresses.forEach((name, address) -> {
            if (address.isEmpty()) throw Problem.failed("the service %s has no address".formatted(name), pools);
            if (own.stream().noneMatch(r ->
                    r.contains(AddressRange.ofAddress(address)))) throw Problem.failed("%s has %s, which is not in %s".formatted(name,
                    address, own), pools);
        });
        return addresses.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
    }
}
