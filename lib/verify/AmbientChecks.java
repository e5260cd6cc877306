package lib.verify;

import module java.base;
import lib.ca.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;
import lib.istio.Ztunnel.Endpoint;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Pod;
import java.security.cert.X509Certificate;

/** Checks of an ambient mesh, in place of those that assume a proxy in each pod. */
public record AmbientChecks(List<Kube> kubes, SampleTarget app, Istioctl istioctl) {
    /** The classes that istiod offers. https://istio.io/latest/docs/reference/config/gateway-api/ */
    private static final List<String> CLASSES = List.of("istio", "istio-east-west", "istio-waypoint");

    String cniReady(Kube kube) {
        return onEveryNode(kube, InstalledIstio.CNI,
                "pods on such a node do not join the mesh, and new pods do not start");
    }

    String ztunnelReady(Kube kube) {
        return onEveryNode(kube, InstalledIstio.ZTUNNEL, "pods on such a node have no connections");
    }

    /** Checks that a daemon set has a ready pod on every node, or in an existing cluster on those that it selects. */
    private static String onEveryNode(Kube kube, String name, String consequence) {
        var all = kube.client().apps().daemonSets().inAnyNamespace().withField("metadata.name", name).list().getItems();
        if (all.isEmpty()) throw Problem.failed("there is no daemon set %s: %s".formatted(name, consequence),
                kube.commands().kindDemo());
        var daemonSet = all.getFirst();
        String namespace = daemonSet.getMetadata().getNamespace();
        Set<String> ready = kube.client().pods().inNamespace(namespace)
                .withLabels(daemonSet.getSpec().getSelector().getMatchLabels()).list().getItems().stream()
                .filter(Pods::isReady).map(pod -> pod.getSpec().getNodeName())
                .collect(Collectors.toSet());
        Set<String> missing = new TreeSet<>();
        kube.client().nodes().list().getItems().forEach(node -> missing.add(node.getMetadata().getName()));
        int nodes = kube.cluster().isKind() ? missing.size() : daemonSet.getStatus().getDesiredNumberScheduled();
        missing.removeAll(ready);
        if (nodes > 0 && ready.size() >= nodes) return "%s ready on every node".formatted(name);
        throw Problem.failed("%s is not ready on %s: %s".formatted(name, String.join(", ", missing), consequence),
                "%s -n %s describe daemonset %s; %s repairs it".formatted(kube.kubectl(), namespace, name,
                        kube.commands().kindDemo()));
    }

    String gatewayClasses(Kube kube) {
        var classes = kube.client().genericKubernetesResources(GatewayApi.GROUP + "/v1", "GatewayClass");
        for (String name : CLASSES) {
            var found = classes.withName(name).get();
            String hint = kube.kubectl() + " describe gatewayclasses";
            if (found == null) throw Problem.failed("there is no GatewayClass %s: istiod creates no gateways"
                    .formatted(name), hint);
            for (JsonNode condition : GatewayApi.json(found).at("/status/conditions"))
                if (condition.path("type").asText().equals("Accepted")
                        && !condition.path("status").asText().equals("True"))
                    throw Problem.failed("the GatewayClass %s is not accepted: %s".formatted(name,
                            condition.path("message").asText()), hint);
        }
        return "accepted: " + String.join(", ", CLASSES);
    }

    String multiNetwork(Kube kube) {
        if (kubes.size() == 1) return "there is no other cluster";
        String name = "AMBIENT_ENABLE_MULTI_NETWORK";
        String value = new InstalledIstio(kube).environment(name).orElse("");
        if (value.equals("true")) return name + " is true";
        throw Problem.failed("istiod's variable %s is '%s': it ignores endpoints on other networks".formatted(name,
                value), "%s -n %s set env deployment/istiod %s=true".formatted(kube.kubectl(), Mesh.NAMESPACE, name));
    }

    String enrolled(Kube kube) {
        List<Pod> pods = new ArrayList<>();
        for (String label : new TreeSet<>(List.of(app.client(), app.service())))
            pods.addAll(new Pods(kube, app.namespace()).ready(label));
        List<String> others = pods.stream().filter(pod -> !ClientPod.isCaptured(pod))
                .map(pod -> pod.getMetadata().getName()).sorted().toList();
        if (others.isEmpty()) return "%d pods of %s".formatted(pods.size(), app.namespace());
        throw Problem.failed("these pods are not part of the mesh: " + String.join(", ", others),
                "%s label namespace %s istio.io/dataplane-mode=ambient --overwrite".formatted(kube.kubectl(),
                        app.namespace()));
    }

    /** Checks that every ztunnel is connected to istiod, and that no ztunnel, gateway or waypoint is stale. */
    String proxies(Kube kube) throws IOException {
        Map<String, Set<String>> proxies = Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster()));
        String end = "." + Mesh.NAMESPACE, hint = MeshChecks.command(kube, "proxy-status");
        List<String> stale = proxies.keySet().stream().filter(p -> p.endsWith(end) || p.endsWith("." + app.namespace()))
                .filter(proxy -> proxies.get(proxy).contains("STALE")).toList();
        if (!stale.isEmpty())
            throw Problem.failed("these proxies have a stale configuration: " + String.join(", ", stale), hint);
        List<String> unknown = new Pods(kube, Mesh.NAMESPACE).ready(InstalledIstio.ZTUNNEL).stream()
                .map(pod -> pod.getMetadata().getName()).filter(name -> !proxies.containsKey(name + end)).toList();
        if (!unknown.isEmpty())
            throw Problem.failed("not connected to istiod: " + String.join(", ", unknown), hint);
        return "%d connected to istiod, none stale".formatted(proxies.size());
    }

    /** Checks the certificate that ztunnel has for the client, and the root that it trusts. */
    String identity(Kube kube) throws Exception {
        var trust = new TrustChecks(kubes, app);
        trust.requireOneDomain(kube);
        String expected = trust.spiffeId(kube, app.client());
        Ztunnel ztunnel = ztunnel(kube);
        String hint = MeshChecks.command(kube, "ztunnel-config certificates");
        List<X509Certificate> chain = Certificates.readChain(ztunnel.certificates(expected));
        if (chain.isEmpty()) throw Problem.failed("ztunnel has no certificate for " + expected, hint);
        X509Certificate root = trust.rootCertificate(kube);
        if (!Certificates.readChain(ztunnel.roots(expected)).contains(root))
            throw Problem.failed("ztunnel does not trust the root of %s for %s".formatted(app.namespace(), expected),
                    hint);
        Certificates.validate(expected, chain, root, kube.commands().fromScratch());
        return expected;
    }

    private Ztunnel ztunnel(Kube kube) throws IOException {
        return Ztunnel.of(kube, istioctl, new ClientPod(kube, app).client().getSpec().getNodeName());
    }

    /** The gateways of class istio-east-west are programmed, and have ready pods and a load balancer's address. */
    String eastWestReady(Kube kube) {
        List<String> found = new ArrayList<>();
        for (var gateway : GatewayApi.list(kube).list().getItems()) {
            if (!"istio-east-west".equals(gateway.get("spec", "gatewayClassName"))) continue;
            String name = gateway.getMetadata().getName();
            // a gateway without pods stays Programmed
            if (!hasReadyPod(kube, Mesh.NAMESPACE, name)) throw Problem.failed(
                    "no pod of the gateway %s is ready: requests from other networks cannot enter".formatted(name),
                    "%s -n %s scale deployment %s --replicas 1".formatted(kube.kubectl(), Mesh.NAMESPACE, name));
            String address = MeshChecks.eastWestAddress(kube);
            if (!GatewayApi.isProgrammed(gateway) || !GatewayApi.addresses(gateway).contains(address))
                throw Problem.failed("the gateway %s is not programmed with the address %s of its load balancer: %s"
                        .formatted(name, address, GatewayApi.state(gateway)),
                        "%s -n %s describe %s %s".formatted(kube.kubectl(), Mesh.NAMESPACE, GatewayApi.RESOURCE, name));
            found.add("%s ready at %s".formatted(name, address));
        }
        if (found.isEmpty()) throw Problem.failed("there is no Gateway of class istio-east-west in " + Mesh.NAMESPACE
                + ": requests from other networks cannot enter", kube.commands().kindDemo());
        return String.join(", ", found);
    }

    String globalService(Kube kube) {
        if (kubes.size() == 1) return "there is no other cluster";
        var service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        var labels = service == null ? null : service.getMetadata().getLabels();
        if (labels != null && "true".equals(labels.get("istio.io/global"))) return "istio.io/global=true";
        String hint = "%s label service %s -n %s istio.io/global=true --overwrite".formatted(kube.kubectl(),
                app.service(), app.namespace());
        if (service == null) throw Problem.failed("there is no service %s in %s".formatted(app.service(),
                app.namespace()), kube.commands().kindDemo());
        throw Problem.failed("the service %s has no label istio.io/global=true: other clusters do not use its pods, "
                .formatted(app.service()) + "and its callers do not use those of other clusters", hint);
    }

    /**
     * Checks the waypoint of the service: callers in another cluster that has none would refuse the identity of the
     * waypoint in this one, and the other way round.
     */
    String waypoint(Kube kube) {
        Optional<String> own = Locality.waypoint(kube, app);
        String bind = kube.kubectl() + " label service %s -n %s --overwrite istio.io/use-waypoint"
                .formatted(app.service(), app.namespace());
        for (Kube other : kubes) {
            Optional<String> theirs = Locality.waypoint(other, app);
            if (own.isEmpty() && theirs.isPresent())
                throw Problem.failed("the service %s uses no waypoint here, but %s in %s".formatted(app.service(),
                        theirs.get(), other.cluster()), bind + "=" + theirs.get());
        }
        if (own.isEmpty()) return "the service uses no waypoint";
        String name = own.get(), hint = "%s; see %s -n %s get %s,pods".formatted(
                kube.commands().kindDemo("--waypoints"), kube.kubectl(), app.namespace(), GatewayApi.RESOURCE);
        var gateway = GatewayApi.list(kube, app.namespace()).withName(name).get();
        if (gateway == null) throw Problem.failed("there is no Gateway %s, which the service %s uses as its waypoint"
                .formatted(name, app.service()), hint);
        if (!hasReadyPod(kube, app.namespace(), name))
            throw Problem.failed("no pod of the waypoint %s is ready".formatted(name), hint);
        if (!GatewayApi.isProgrammed(gateway))
            throw Problem.failed("the waypoint %s is not programmed: %s".formatted(name, GatewayApi.state(gateway)),
                    hint);
        return "requests pass through %s".formatted(name);
    }

    private static boolean hasReadyPod(Kube kube, String namespace, String gateway) {
        return kube.client().pods().inNamespace(namespace).withLabel(InstalledIstio.GATEWAY_NAME, gateway).list()
                .getItems().stream().anyMatch(Pods::isReady);
    }

    /**
     * Checks that the client's ztunnel has all pods on its own network, and the gateway of every other network with as
     * many instances as pods are ready there.
     */
    public String endpoints(Kube kube) throws IOException {
        Set<String> pods = new TreeSet<>();
        Map<String, Set<String>> gateways = new TreeMap<>();
        Map<String, Integer> instances = new TreeMap<>();
        for (Kube other : kubes) {
            String network = other.cluster().network();
            List<Pod> ready = new Pods(other, app.namespace()).ready(app.service());
            if (network.equals(kube.cluster().network())) {
                ready.forEach(pod -> pods.add(pod.getStatus().getPodIP()));
            } else {
                gateways.computeIfAbsent(network, _ -> new TreeSet<>())
                        .addAll(new InstalledIstio(other).gatewayAddresses(network));
                instances.merge(network, ready.size(), Integer::sum);
            }
        }
        List<Endpoint> endpoints = ztunnel(kube).endpoints(app.host());
        List<String> failures = failures(endpoints, pods, gateways, instances);
        String found = endpoints.stream().map(Endpoint::toString).collect(Collectors.joining(", "));
        if (failures.isEmpty()) return found;
        throw Problem.failed("ztunnel has wrong endpoints for %s: %s; in all: %s".formatted(app.service(),
                String.join(", ", failures), found.isEmpty() ? "none" : found),
                MeshChecks.command(kube, "ztunnel-config all -o yaml | grep -B9 -A9 " + app.host()));
    }

    /**
     * What is wrong with ztunnel's endpoints.
     *
     * @param pods      the addresses of the ready pods on its own network
     * @param gateways  the addresses of each other network's gateways
     * @param instances how many pods are ready on each other network
     */
    static List<String> failures(List<Endpoint> endpoints, Set<String> pods, Map<String, Set<String>> gateways,
            Map<String, Integer> instances) {
        List<String> failures = new ArrayList<>();
        Set<String> local = endpoints.stream().filter(e -> e.network().isEmpty()).map(Endpoint::address)
                .collect(Collectors.toSet());
        pods.stream().filter(pod -> !local.contains(pod)).map("no endpoint for the pod "::concat)
                .forEach(failures::add);
        gateways.forEach((network, addresses) -> {
            if (endpoints.stream().noneMatch(e -> e.network().equals(network)))
                failures.add("no gateway of %s %s".formatted(network, addresses));
        });
        for (Endpoint endpoint : endpoints) {
            String network = endpoint.network();
            boolean known = network.isEmpty() ? pods.contains(endpoint.address())
                    : gateways.getOrDefault(network, Set.of()).contains(endpoint.address());
            if (!endpoint.healthy()) failures.add("" + endpoint);
            else if (!known) failures.add("unknown endpoint " + endpoint);
            else if (!network.isEmpty() && endpoint.instances() != instances.get(network))
                failures.add("%d instances behind the gateway of %s, where %d pods are ready".formatted(
                        endpoint.instances(), network, instances.get(network)));
        }
        return failures;
    }
}
