package lib.verify;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.utils.Serialization;

/** What the mesh stands on: the tools, the clusters, their load balancers. */
public final class ClusterChecks {
    private static final String KUBE_SYSTEM = "kube-system";

    private final List<Kube> kubes;
    private final SampleTarget app;
    private final Docker docker;
    private final Binary kind;
    private final Istioctl istioctl;

    public ClusterChecks(List<Kube> kubes, SampleTarget app, Docker docker, Binary kind, Istioctl istioctl) {
        this.kubes = kubes;
        this.app = app;
        this.docker = docker;
        this.kind = kind;
        this.istioctl = istioctl;
    }

    String tools() { return "kind %s, istioctl %s".formatted(kind.describe(), istioctl.binary().describe()); }

    public String reachable(Kube kube) {
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
        allReady(kube, KUBE_SYSTEM);
        return "all ready in " + KUBE_SYSTEM;
    }

    private static void allReady(Kube kube, String namespace) {
        List<String> not = new ArrayList<>(new Deployments(kube, namespace).incomplete());
        not.addAll(new Pods(kube, namespace).states());
        if (!not.isEmpty()) throw Problem.failed(String.join("\n", not),
                "%s get deployments,daemonsets,pods -n %s".formatted(kube.kubectl(), namespace));
    }

    /**
     * The cluster's own DNS answers a pod. Proxies answer the queries of their applications, so requests in the mesh
     * work without it, but a new pod resolves no name, not even istiod's.
     * https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
     */
    String dns(Kube kube) {
        String hint = kube.kubectl() + " get services,endpointslices,pods -n kube-system -l k8s-app=kube-dns";
        long ready = kube.client().discovery().v1().endpointSlices().inNamespace(KUBE_SYSTEM)
                .withLabel("kubernetes.io/service-name", "kube-dns").list().getItems().stream()
                .flatMap(slice -> Stream.ofNullable(slice.getEndpoints()).flatMap(List::stream))
                .filter(e -> e.getConditions() == null || !Boolean.FALSE.equals(e.getConditions().getReady())).count();
        // another cluster's DNS may have another name
        if (ready == 0 && kube.cluster().isKind())
            throw Problem.failed("the service kube-dns has no ready endpoint: new pods resolve no names", hint);
        if (new Pods(kube, app.namespace()).ready(app.client()).isEmpty())
            return "%d ready endpoints; no pod of %s to ask from".formatted(ready, app.client());
        Optional<ExternalCommand.Result> answer = new ClientPod(kube, app).curlOutsideMesh("https://kubernetes.default.svc");
        if (answer.isEmpty()) return "%d ready endpoints; the proxy's image has no curl to ask with".formatted(ready);
        // curl's exit codes for no such host, and for no answer in time: https://curl.se/docs/manpage.html#EXIT
        int code = answer.get().exitCode();
        if (code == 6 || code == 28 && answer.get().err().contains("Resolving"))
            throw Problem.failed("the cluster's DNS does not answer a pod: " + answer.get().lastLines(), hint);
        return "kubernetes.default.svc resolved from a pod, %d ready endpoints".formatted(ready);
    }

    /**
     * What the other clusters were told of this one's API server is where it is: an engine may give its node another address after
     * a restart. Of a cluster that is not ours it is only known that no other cluster finds it at an address
     * of this machine alone.
     */
    public String remoteAddress(Kube kube) {
        Cluster cluster = kube.cluster();
        Set<String> told = new TreeSet<>();
        for (Kube other : kubes) {
            var secret = other.client().secrets().inNamespace(Mesh.NAMESPACE).withName("istio-remote-secret-" + cluster.id()).get();
            if (secret == null) continue; // whether there must be one is the control plane's matter
            String kubeconfig = Certificates.decode(secret.getData().get(cluster.id()));
            if (kubeconfig.isBlank()) throw Problem.failed("%s: the secret %s in %s has no kubeconfig for the cluster %s".formatted(
                    other.cluster(), secret.getMetadata().getName(), Mesh.NAMESPACE, cluster.id()),
                    "%s describe secret %s -n %s".formatted(other.kubectl(), secret.getMetadata().getName(), Mesh.NAMESPACE));
            String server = Serialization.unmarshal(kubeconfig, JsonNode.class).at("/clusters/0/cluster/server").asText();
            String host = Objects.requireNonNullElse(URI.create(server).getHost(), ""), right = cluster.isKind() ? docker.address(cluster) : "ADDRESS";
            told.add(server);
            if (cluster.isKind() ? !host.equals(right) : ApiServer.onlyFromHere(host))
                throw Problem.failed("%s was told that its API server is at %s; it is at https://%s:6443".formatted(other.cluster(), server,
                        right), cluster.isKind() ? kube.commands().kindDemo() + " (it recreates the remote secrets)"
                        : "istioctl create-remote-secret --context %s --name %s --server https://ADDRESS:6443 | %s apply -f -".formatted(
                                cluster.quotedContext(), cluster.id(), other.kubectl()));
        }
        return told.isEmpty() ? "no other cluster was told" : String.join(", ", told);
    }

    String metalLbReady(Kube kube) {
        if (!kube.cluster().isKind() && kube.client().namespaces().withName(MetalLb.NAMESPACE).get() == null)
            return "there is no MetalLB: addresses come from elsewhere";
        allReady(kube, MetalLb.NAMESPACE);
        return new Deployments(kube, MetalLb.NAMESPACE).ready();
    }

    /** Every gateway has an address from the cluster's own range, which no other cluster's range overlaps. */
    public String addresses(Kube kube) {
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
        return addresses(kube.client().services().inNamespace(Mesh.NAMESPACE).list().getItems(), own, pools);
    }

    public static String addresses(List<Service> services, List<AddressRange> own, String hint) {
        Map<String, List<String>> addresses = new TreeMap<>();
        for (Service service : services) {
            String name = service.getMetadata().getName();
            boolean gateway = InstalledIstio.isGateway(service) || name.equals(InstalledIstio.EAST_WEST);
            if (gateway && "LoadBalancer".equals(service.getSpec().getType()))
                addresses.put(name, Kube.addresses(service));
        }
        addresses.forEach((name, all) -> {
            if (all.isEmpty()) throw Problem.failed("the service %s has no address".formatted(name), hint);
            for (String address : all) {
                // the ranges are of IPv4 addresses; a host name or an IPv6 address is given by somebody else
                boolean judged = !own.isEmpty() && address.matches("[0-9.]+");
                if (judged && own.stream().noneMatch(r -> r.contains(AddressRange.ofAddress(address))))
                    throw Problem.failed("%s has %s, which is not in %s".formatted(name, address, own), hint);
            }
        });
        return addresses.entrySet().stream().map(e -> "%s %s".formatted(e.getKey(), String.join(" ", e.getValue())))
                .collect(Collectors.joining(", "));
    }
}
