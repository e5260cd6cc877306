package lib.verify;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.utils.Serialization;

/** Checks of what the mesh needs: the tools, the clusters and their load balancers. */
public record ClusterChecks(List<Kube> kubes, SampleTarget app, Docker docker, Binary kind, Istioctl istioctl) {
    private static final String KUBE_SYSTEM = "kube-system";

    String tools() { return "kind %s, istioctl %s".formatted(kind.describe(), istioctl.binary().describe()); }

    public String reachable(Kube kube) {
        if (kube.cluster().isKind()) nodeRuns(kube);
        return "Kubernetes " + kube.client().getKubernetesVersion().getGitVersion();
    }

    private void nodeRuns(Kube kube) {
        String name = kube.cluster().controlPlane(), kindDemo = kube.commands().kindDemo();
        Docker.Node node = docker.nodes(kube.cluster()).stream().filter(n -> n.name().equals(name)).findFirst()
                .orElseThrow(() -> Problem.failed("the container %s does not exist".formatted(name), kindDemo));
        if (!node.running()) throw Problem.failed("the container %s is stopped".formatted(name),
                "docker start %s, then %s".formatted(name, kindDemo));
        if (node.paused()) throw Problem.failed("the container %s is paused".formatted(name), "docker unpause " + name);
    }

    String nodesReady(Kube kube) {
        Nodes nodes = Nodes.of(kube);
        List<String> complaints = nodes.complaints();
        if (!complaints.isEmpty())
            throw Problem.failed(String.join("\n", complaints), kube.kubectl() + " describe nodes");
        return nodes.all().size() + (nodes.all().size() == 1 ? " node Ready" : " nodes Ready");
    }

    String systemPods(Kube kube) {
        checkPods(kube, KUBE_SYSTEM);
        return "all pods ready in " + KUBE_SYSTEM;
    }

    private static void checkPods(Kube kube, String namespace) {
        List<String> failures = new ArrayList<>(new Deployments(kube, namespace).incomplete());
        failures.addAll(new Pods(kube, namespace).states());
        if (!failures.isEmpty()) throw Problem.failed(String.join("\n", failures),
                kube.kubectl() + " get deployments,daemonsets,pods -n " + namespace);
    }

    /**
     * Without the cluster's DNS requests in the mesh work, as proxies answer the queries of their applications, but new
     * pods resolve no names, not even istiod's.
     * https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
     */
    String dns(Kube kube) {
        String hint = kube.kubectl() + " get services,endpointslices,pods -n kube-system -l k8s-app=kube-dns";
        long ready = kube.client().discovery().v1().endpointSlices().inNamespace(KUBE_SYSTEM)
                .withLabel("kubernetes.io/service-name", "kube-dns").list().getItems().stream()
                .flatMap(slice -> Stream.ofNullable(slice.getEndpoints()).flatMap(List::stream))
                .filter(e -> e.getConditions() == null || !Boolean.FALSE.equals(e.getConditions().getReady())).count();
        // the DNS of an existing cluster may have another name
        if (ready == 0 && kube.cluster().isKind())
            throw Problem.failed("the service kube-dns has no ready endpoint: new pods resolve no names", hint);
        if (new Pods(kube, app.namespace()).ready(app.client()).isEmpty())
            return "%d ready endpoints; no pod of %s to send a query from".formatted(ready, app.client());
        Optional<ExternalCommand.Result> answer =
                new ClientPod(kube, app).curlOutsideMesh("https://kubernetes.default.svc");
        if (answer.isEmpty()) return "%d ready endpoints; %s".formatted(ready, MeshChecks.NO_CURL);
        // curl's exit codes for an unknown host and for a timeout: https://curl.se/docs/manpage.html#EXIT
        int code = answer.get().exitCode();
        if (code == 6 || code == 28 && answer.get().err().contains("Resolving"))
            throw Problem.failed("the cluster's DNS does not answer a pod: " + answer.get().lastLines(), hint);
        return "kubernetes.default.svc resolved from a pod, %d ready endpoints".formatted(ready);
    }

    /**
     * Checks that the remote secrets in the other clusters have the address of this API server, which Docker may change
     * at a restart. In existing clusters it only checks that the address does not mean this machine.
     */
    public String remoteAddress(Kube kube) {
        Set<String> servers = new TreeSet<>();
        for (Kube other : kubes) remoteServer(kube.cluster(), other).ifPresent(server -> {
            checkRemoteServer(kube, other, server);
            servers.add(server);
        });
        return servers.isEmpty() ? "no other cluster has a remote secret" : String.join(", ", servers);
    }

    /** The API server in the remote secret for a cluster; empty if there is no secret, which another check reports. */
    private static Optional<String> remoteServer(Cluster cluster, Kube other) {
        String name = "istio-remote-secret-" + cluster.id();
        var secret = other.client().secrets().inNamespace(Mesh.NAMESPACE).withName(name).get();
        if (secret == null) return Optional.empty();
        String kubeconfig = Certificates.decode(secret.getData().get(cluster.id()));
        if (kubeconfig.isBlank()) throw Problem.failed("%s: the secret %s in %s has no kubeconfig for the cluster %s"
                .formatted(other.cluster(), name, Mesh.NAMESPACE, cluster.id()),
                "%s describe secret %s -n %s".formatted(other.kubectl(), name, Mesh.NAMESPACE));
        JsonNode config = Serialization.unmarshal(kubeconfig, JsonNode.class);
        return Optional.of(config.at("/clusters/0/cluster/server").asText());
    }

    private void checkRemoteServer(Kube kube, Kube other, String server) {
        Cluster cluster = kube.cluster();
        String message = "the remote secret in %s has the API server %s; the correct one is https://%s:6443";
        String host = Objects.requireNonNullElse(URI.create(server).getHost(), "");
        if (cluster.isKind()) {
            String expected = docker.address(cluster);
            if (!host.equals(expected)) throw Problem.failed(message.formatted(other.cluster(), server, expected),
                    kube.commands().kindDemo() + " (it recreates the remote secrets)");
        } else if (ApiServer.onlyFromHere(host)) {
            throw Problem.failed(message.formatted(other.cluster(), server, "ADDRESS"),
                    "istioctl create-remote-secret --context %s --name %s --server https://ADDRESS:6443 | %s apply -f -"
                            .formatted(cluster.quotedContext(), cluster.id(), other.kubectl()));
        }
    }

    String metalLbReady(Kube kube) {
        if (!kube.cluster().isKind() && kube.client().namespaces().withName(MetalLb.NAMESPACE).get() == null)
            return "no MetalLB: another load balancer assigns addresses";
        checkPods(kube, MetalLb.NAMESPACE);
        return new Deployments(kube, MetalLb.NAMESPACE).ready();
    }

    public String addresses(Kube kube) {
        List<AddressRange> own = MetalLb.ranges(kube);
        String hint = kube.kubectl() + " get ipaddresspools,services -A", kindDemo = kube.commands().kindDemo();
        if (own.isEmpty() && kube.cluster().isKind()) throw Problem.failed("MetalLB has no address pool",
                "%s (it recreates the pool); see %s".formatted(kindDemo, hint));
        for (Kube other : kubes) {
            if (other == kube) continue;
            if (MetalLb.ranges(other).stream().anyMatch(range -> own.stream().anyMatch(range::overlaps)))
                throw Problem.failed("the pool %s overlaps that of %s".formatted(own, other.cluster()), kindDemo);
        }
        return addresses(kube.client().services().inNamespace(Mesh.NAMESPACE).list().getItems(), own, hint);
    }

    static String addresses(List<Service> services, List<AddressRange> own, String hint) {
        Map<String, List<String>> gateways = new TreeMap<>();
        for (Service service : services) {
            String name = service.getMetadata().getName();
            boolean gateway = InstalledIstio.isGateway(service) || name.equals(InstalledIstio.EAST_WEST);
            if (gateway && "LoadBalancer".equals(service.getSpec().getType()))
                gateways.put(name, Addresses.of(service));
        }
        gateways.forEach((name, addresses) -> {
            if (addresses.isEmpty()) throw Problem.failed("the service %s has no address".formatted(name), hint);
            for (String address : addresses) {
                // the ranges are of IPv4 addresses; another load balancer assigns host names and IPv6 addresses
                boolean comparable = !own.isEmpty() && address.matches("[0-9.]+");
                if (comparable && own.stream().noneMatch(range -> range.contains(AddressRange.ofAddress(address))))
                    throw Problem.failed("%s has %s, which is not in %s".formatted(name, address, own), hint);
            }
        });
        return gateways.entrySet().stream().map(e -> e.getKey() + " " + String.join(" ", e.getValue()))
                .collect(Collectors.joining(", "));
    }
}
