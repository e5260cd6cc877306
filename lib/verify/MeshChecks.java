package lib.verify;

import module java.base;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.Service;

/** The control planes and what connects them: webhooks, remote clusters, proxies, east-west gateways. */
public final class MeshChecks {
    /** curl's exit codes for a refused connection and for none in time, https://curl.se/docs/manpage.html#EXIT */
    static final Set<Integer> CANNOT_CONNECT = Set.of(7, 28);

    private final List<Kube> kubes;
    private final SampleTarget app;
    private final Istioctl istioctl;

    public MeshChecks(List<Kube> kubes, SampleTarget app, Istioctl istioctl) {
        this.kubes = kubes;
        this.app = app;
        this.istioctl = istioctl;
    }

    String istiodReady(Kube kube) {
        new Deployments(kube, Mesh.NAMESPACE).ready(d -> InstalledIstio.isGateway(d)
                || Pods.app(d.getSpec().getTemplate()).equals("istiod"));
        if (new Pods(kube, Mesh.NAMESPACE).ready("istiod").isEmpty()) throw Problem.failed("istiod is not running",
                "%s -n %s scale deployment istiod --replicas 1".formatted(kube.kubectl(), Mesh.NAMESPACE));
        return "istiod ready";
    }

    String webhooks(Kube kube) {
        boolean injects = kube.client().admissionRegistration().v1().mutatingWebhookConfigurations().list().getItems().stream()
                .filter(w -> w.getMetadata().getName().contains("istio"))
                .flatMap(w -> w.getWebhooks().stream()).anyMatch(h -> !Objects.requireNonNullElse(h.getClientConfig().getCaBundle(), "")
                        .isEmpty());
        if (!injects) throw Problem.failed("no injection webhook with a CA bundle: new pods get no proxy", kube.kubectl()
                + " get mutatingwebhookconfigurations");
        return "injection webhook has its CA bundle";
    }

    String networkLabel(Kube kube) {
        String network = new InstalledIstio(kube).network(), expected = kube.cluster().network();
        if (network.isEmpty() || !network.equals(expected))
            throw Problem.failed("the namespace %s has %s: istiod does not know which network this cluster is on".formatted(
                    Mesh.NAMESPACE, network.isEmpty() ? "no label topology.istio.io/network" : "the network " + network),
                    "%s label namespace %s topology.istio.io/network=%s --overwrite".formatted(kube.kubectl(),
                            Mesh.NAMESPACE, expected.isEmpty() ? "NETWORK" : expected));
        return network;
    }

    public String remoteClusters(Kube kube) {
        Map<String, String> states = istioctl.remoteClusters(kube.cluster());
        List<String> wrong = kubes.stream().map(k -> k.cluster().id()).filter(id -> !"synced".equals(states.get(id)))
                .map(id -> id + " " + states.getOrDefault(id, "absent")).toList();
        if (!wrong.isEmpty()) throw Problem.failed("istiod does not see every cluster: " + String.join(", ", wrong),
                "%s (it recreates the remote secrets); see istioctl remote-clusters --context %s".formatted(
                        kube.commands().kindDemo(), kube.cluster().quotedContext()));
        return "synced: " + String.join(", ", states.keySet());
    }

    /** The client has a proxy, istiod knows it, and no proxy's configuration is stale. */
    String proxies(Kube kube) throws IOException {
        String kubectl = kube.kubectl();
        String status = "istioctl --context %s proxy-status".formatted(kube.cluster().quotedContext());
        if (!new ClientPod(kube, app).hasProxy())
            throw Problem.failed("the pods of %s have no proxy".formatted(app.client()),
                    "%1$s label namespace %2$s istio-injection=enabled --overwrite && %1$s rollout restart deployment -n %2$s"
                            .formatted(kubectl, app.namespace()));
        Map<String, Set<String>> proxies = Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster()));
        String workload = "." + app.namespace(), gateway = "." + Mesh.NAMESPACE;
        List<String> stale = proxies.keySet().stream().filter(p -> p.endsWith(workload) || p.endsWith(gateway))
                .filter(proxy -> proxies.get(proxy).contains("STALE")).toList();
        if (!stale.isEmpty()) throw Problem.failed("what these proxies have from istiod is stale: " + String.join(", ", stale), status);
        if (proxies.keySet().stream().noneMatch(p -> p.startsWith(app.client() + "-") && p.endsWith(workload)))
            throw Problem.failed("the client's proxy is not connected to istiod", status);
        return "%d connected to istiod, none stale".formatted(proxies.size());
    }

    /**
     * Istio supports proxies that are at most two minor versions behind istiod, and none ahead of it; a kubelet may be three behind
     * its API server. https://istio.io/latest/docs/releases/supported-releases/#control-planedata-plane-skew
     */
    String versions(Kube kube) {
        Version kubernetes = Version.first(kube.client().getKubernetesVersion().getGitVersion());
        Set<Version> kubelets = kube.client().nodes().list().getItems().stream()
                .map(n -> Version.first(n.getStatus().getNodeInfo().getKubeletVersion())).collect(Collectors.toCollection(TreeSet::new));
        Set<Version> istiods = imageVersions(kube, Mesh.NAMESPACE, "discovery"),
                proxies = imageVersions(kube, Mesh.NAMESPACE, "istio-proxy");
        proxies.addAll(imageVersions(kube, app.namespace(), "istio-proxy"));
        Version istioctlVersion = istioctl.binary().version();
        String saw = "Kubernetes %s, kubelets %s, istiod %s, proxies %s, istioctl %s".formatted(kubernetes, kubelets, istiods, proxies,
                istioctlVersion);
        boolean fit = kubelets.stream().allMatch(k -> k.behind(kubernetes, 3))
                && istiods.stream().allMatch(i -> i.sameMinor(istioctlVersion) && proxies.stream().allMatch(p -> p.behind(i, 2)));
        if (!fit) throw Problem.failed("versions are too far apart: " + saw,
                "istioctl version --context " + kube.cluster().quotedContext());
        return saw;
    }

    /** The versions that the images of running containers of this name are tagged with. */
    private static Set<Version> imageVersions(Kube kube, String namespace, String container) {
        return kube.client().pods().inNamespace(namespace).list().getItems().stream().filter(Pods::isLive)
                .flatMap(Pods::containers).filter(c -> c.getName().equals(container))
                .map(c -> Version.first(c.getImage())).filter(v -> v.major() > 0)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    String eastWestReady(Kube kube) {
        if (new Pods(kube, Mesh.NAMESPACE).ready(InstalledIstio.EAST_WEST).isEmpty())
            throw Problem.failed("no pod of %s is ready: other networks cannot come in".formatted(InstalledIstio.EAST_WEST),
                    "%s -n %s scale deployment %s --replicas 1".formatted(kube.kubectl(), Mesh.NAMESPACE, InstalledIstio.EAST_WEST));
        return "%s ready at %s".formatted(InstalledIstio.EAST_WEST, eastWestAddress(kube));
    }

    private static String eastWestAddress(Kube kube) {
        Service service = kube.client().services().inNamespace(Mesh.NAMESPACE).withName(InstalledIstio.EAST_WEST).get();
        String address = service == null ? "" : Kube.address(service);
        if (address.isEmpty()) throw Problem.failed(service == null
                ? "there is no service %s in %s: other networks cannot come in".formatted(InstalledIstio.EAST_WEST, Mesh.NAMESPACE)
                : "the service %s in %s has no address".formatted(InstalledIstio.EAST_WEST, Mesh.NAMESPACE),
                "%s get services -n %s".formatted(kube.kubectl(), Mesh.NAMESPACE));
        return address;
    }

    /**
     * From every other cluster, port 15443 of this gateway takes connections; it then hangs up in the handshake, as it speaks to
     * proxies alone.
     */
    String eastWestReachable(Kube kube) {
        String url = "https://%s:15443/".formatted(Kube.inUrl(eastWestAddress(kube)));
        for (Kube other : kubes) {
            if (other == kube) continue;
            Optional<ExternalCommand.Result> result = new ClientPod(other, app).curlOutsideMesh(url);
            if (result.isEmpty()) return "the proxy's image has no curl to look with";
            if (CANNOT_CONNECT.contains(result.get().exitCode()))
                throw Problem.failed("%s cannot be reached from %s: %s".formatted(url, other.cluster(), result.get().lastLines()),
                        "%s get services,pods -n %s -l app=%s"
                                .formatted(kube.kubectl(), Mesh.NAMESPACE, InstalledIstio.EAST_WEST));
        }
        String others = kubes.stream().filter(k -> k != kube).map(k -> k.cluster().name()).collect(Collectors.joining(", "));
        return others.isEmpty() ? "there is no other cluster" : "%s reached from %s".formatted(url, others);
    }
}
