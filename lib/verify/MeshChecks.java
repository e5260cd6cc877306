package lib.verify;

import module java.base;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;
import io.fabric8.kubernetes.api.model.Service;

/** Checks of the control planes and what connects them: webhooks, remote clusters, proxies, east-west gateways. */
public record MeshChecks(List<Kube> kubes, SampleTarget app, Istioctl istioctl) {
    /** curl's exit codes for a refused connection and for a timeout, https://curl.se/docs/manpage.html#EXIT */
    static final Set<Integer> CANNOT_CONNECT = Set.of(7, 28);
    static final String NO_CURL = "not checked: there is no curl that bypasses the mesh";

    /** A command of istioctl for a hint. */
    static String command(Kube kube, String arguments) {
        return "istioctl --context %s %s".formatted(kube.cluster().quotedContext(), arguments);
    }

    String istiodReady(Kube kube) {
        new Deployments(kube, Mesh.NAMESPACE).ready(d -> InstalledIstio.isGateway(d)
                || Pods.app(d.getSpec().getTemplate()).equals("istiod"));
        checkReady(kube, "istiod", "istiod is not running");
        return "istiod ready";
    }

    private static void checkReady(Kube kube, String deployment, String message) {
        if (new Pods(kube, Mesh.NAMESPACE).ready(deployment).isEmpty()) throw Problem.failed(message,
                "%s -n %s scale deployment %s --replicas 1".formatted(kube.kubectl(), Mesh.NAMESPACE, deployment));
    }

    String webhooks(Kube kube) {
        var all = kube.client().admissionRegistration().v1().mutatingWebhookConfigurations().list().getItems();
        boolean hasBundle = all.stream().filter(istio -> istio.getMetadata().getName().contains("istio"))
                .flatMap(istio -> istio.getWebhooks().stream())
                .anyMatch(h -> !Objects.requireNonNullElse(h.getClientConfig().getCaBundle(), "").isEmpty());
        if (!hasBundle) throw Problem.failed("no injection webhook has a CA bundle: new pods get no proxy",
                kube.kubectl() + " get mutatingwebhookconfigurations");
        return "injection webhook has its CA bundle";
    }

    String networkLabel(Kube kube) {
        String network = new InstalledIstio(kube).network(), expected = kube.cluster().network();
        if (!network.isEmpty() && network.equals(expected)) return network;
        String label = network.isEmpty() ? "no label topology.istio.io/network" : "the network " + network;
        throw Problem.failed("the namespace %s has %s: istiod does not know which network this cluster is on"
                .formatted(Mesh.NAMESPACE, label),
                "%s label namespace %s topology.istio.io/network=%s --overwrite".formatted(kube.kubectl(),
                        Mesh.NAMESPACE, expected.isEmpty() ? "NETWORK" : expected));
    }

    public String remoteClusters(Kube kube) {
        Map<String, String> states = istioctl.remoteClusters(kube.cluster());
        List<String> failures = kubes.stream().map(k -> k.cluster().id()).filter(id -> !"synced".equals(states.get(id)))
                .map(id -> id + " " + states.getOrDefault(id, "absent")).toList();
        if (!failures.isEmpty())
            throw Problem.failed("istiod is not synced with every cluster: " + String.join(", ", failures),
                    "%s (it recreates the remote secrets); see %s".formatted(kube.commands().kindDemo(),
                            command(kube, "remote-clusters")));
        return "synced: " + String.join(", ", states.keySet());
    }

    /** Checks that the client has a proxy, that istiod knows it, and that no proxy's configuration is stale. */
    String proxies(Kube kube) throws IOException {
        if (!new ClientPod(kube, app).hasProxy())
            throw Problem.failed("the pods of %s have no proxy".formatted(app.client()), """
                    %1$s label namespace %2$s istio-injection=enabled --overwrite && \
                    %1$s rollout restart deployment -n %2$s""".formatted(kube.kubectl(), app.namespace()));
        Map<String, Set<String>> proxies = Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster()));
        String workload = "." + app.namespace(), gateway = "." + Mesh.NAMESPACE, hint = command(kube, "proxy-status");
        List<String> stale = proxies.keySet().stream().filter(p -> p.endsWith(workload) || p.endsWith(gateway))
                .filter(proxy -> proxies.get(proxy).contains("STALE")).toList();
        if (!stale.isEmpty())
            throw Problem.failed("these proxies have a stale configuration: " + String.join(", ", stale), hint);
        if (proxies.keySet().stream().noneMatch(p -> p.startsWith(app.client() + "-") && p.endsWith(workload)))
            throw Problem.failed("the client's proxy is not connected to istiod", hint);
        return "%d connected to istiod, none stale".formatted(proxies.size());
    }

    /**
     * Proxies may be at most two minor versions behind istiod, and kubelets three behind the API server.
     * https://istio.io/latest/docs/releases/supported-releases/#control-planedata-plane-skew
     */
    String versions(Kube kube) {
        Version kubernetes = Version.first(kube.client().getKubernetesVersion().getGitVersion());
        Version client = istioctl.binary().version();
        Set<Version> kubelets = new TreeSet<>();
        for (var node : kube.client().nodes().list().getItems())
            kubelets.add(Version.first(node.getStatus().getNodeInfo().getKubeletVersion()));
        Set<Version> istiods = imageVersions(kube, Mesh.NAMESPACE, "discovery");
        Set<Version> proxies = imageVersions(kube, Mesh.NAMESPACE, "istio-proxy");
        proxies.addAll(imageVersions(kube, app.namespace(), "istio-proxy"));
        String versions = "Kubernetes %s, kubelets %s, istiod %s, proxies %s, istioctl %s"
                .formatted(kubernetes, kubelets, istiods, proxies, client);
        boolean compatible = kubelets.stream().allMatch(kubelet -> kubelet.behind(kubernetes, 3))
                && istiods.stream().allMatch(istiod -> istiod.sameMinor(client)
                        && proxies.stream().allMatch(proxy -> proxy.behind(istiod, 2)));
        if (!compatible) throw Problem.failed("versions are too far apart: " + versions, command(kube, "version"));
        return versions;
    }

    /** The versions in the image tags of running containers with this name. */
    private static Set<Version> imageVersions(Kube kube, String namespace, String container) {
        return kube.client().pods().inNamespace(namespace).list().getItems().stream().filter(Pods::isLive)
                .flatMap(Pods::containers).filter(c -> c.getName().equals(container))
                .map(c -> Version.first(c.getImage())).filter(version -> version.major() > 0)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    String eastWestReady(Kube kube) {
        checkReady(kube, InstalledIstio.EAST_WEST,
                "no pod of istio-eastwestgateway is ready: requests from other networks cannot enter");
        return "%s ready at %s".formatted(InstalledIstio.EAST_WEST, eastWestAddress(kube));
    }

    static String eastWestAddress(Kube kube) {
        Service service = kube.client().services().inNamespace(Mesh.NAMESPACE).withName(InstalledIstio.EAST_WEST).get();
        String address = service == null ? "" : Addresses.first(service);
        if (!address.isEmpty()) return address;
        String message = service == null ? "there is no service %s in %s: requests from other networks cannot enter"
                : "the service %s in %s has no address";
        throw Problem.failed(message.formatted(InstalledIstio.EAST_WEST, Mesh.NAMESPACE),
                "%s get services -n %s".formatted(kube.kubectl(), Mesh.NAMESPACE));
    }

    /**
     * The gateway accepts connections, and closes them in the handshake: it serves only proxies.
     *
     * @param port 15443 for mTLS, 15008 for HBONE
     */
    String eastWestReachable(Kube kube, int port) {
        String url = "https://%s:%d/".formatted(Addresses.inUrl(eastWestAddress(kube)), port);
        List<String> others = new ArrayList<>();
        for (Kube other : kubes) {
            if (other == kube) continue;
            Optional<ExternalCommand.Result> result = new ClientPod(other, app).curlOutsideMesh(url);
            if (result.isEmpty()) return NO_CURL;
            if (CANNOT_CONNECT.contains(result.get().exitCode()))
                throw Problem.failed("%s cannot be reached from %s: %s"
                        .formatted(url, other.cluster(), result.get().lastLines()),
                    "%s get services,pods -n %s -l app=%s".formatted(kube.kubectl(), Mesh.NAMESPACE,
                            InstalledIstio.EAST_WEST));
            others.add(other.cluster().name());
        }
        if (others.isEmpty()) return "there is no other cluster";
        return "%s reached from %s".formatted(url, String.join(", ", others));
    }
}
