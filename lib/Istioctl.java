package lib;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * Istio, through istioctl where it knows best: it renders the manifest and makes remote secrets. The rendered manifest is
 * applied here, because {@code istioctl install} waits for one component after the other.
 * https://istio.io/latest/docs/setup/install/multicluster/multi-primary_multi-network/
 */
public final class Istioctl {
    static final String NAMESPACE = "istio-system";
    static final String EAST_WEST = "istio-eastwestgateway";
    private static final String INSTALL = "install istioctl %1$s: curl -L https://istio.io/downloadIstio | ISTIO_VERSION=%1$s sh -,"
            + " then put istio-%1$s/bin on PATH";
    private static final String POLICY = "failurePolicy";
    private static final Duration SHORT = Duration.ofSeconds(30), LONG = Duration.ofMinutes(5);

    final Program program;
    private final Tool istioctl;
    private final Manifests manifests;
    private final boolean istiodSigns;
    private final Settings settings;
    private final IstioSettings wanted;
    private final Map<Cluster, Rendered> rendered = new ConcurrentHashMap<>();

    /** A cluster's manifest, and what stands for its settings. */
    private record Rendered(Documents manifest, String settings) {}

    /** istioctl of the minor version that Istio is to be. */
    static Program.Known program(String istio) {
        return new Program.Known("istioctl", istio, platform -> Versions.istioctl(istio, platform), INSTALL.formatted(istio),
                List.of("version", "--remote=false", "--short"), said -> Version.first(said).sameMinor(Version.first(istio)) ? ""
                : "istioctl is of another version: it says %s, the demo needs %s".formatted(Version.first(said), istio));
    }

    public Istioctl(Settings settings) {
        this.settings = settings;
        this.wanted = settings.istio();
        this.program = settings.istioctl();
        this.istioctl = new Tool(program, settings.console());
        this.manifests = settings.manifests();
        this.istiodSigns = settings.ca() != CertificateAuthority.Choice.istioCsr;
    }

    /** The images that Istio itself runs from: those of the rendered manifest, when that may name others. */
    public Set<String> images() {
        if (!settings.ownIstio() || program.missing()) return wanted.images();
        Cluster first = settings.mesh().clusters().getFirst();
        try {
            List<GenericKubernetesResource> manifest = Documents.of(generate(first, kept(first))).others();
            Set<String> named = new TreeSet<>(Set.of(proxyImage(manifest)));
            manifest.stream().filter(r -> Set.of("Deployment", "DaemonSet").contains(r.getKind()))
                    .forEach(r -> named.addAll(Manifests.images(Serialization.asYaml(r))));
            return named;
        } catch (Problem p) {
            return wanted.images(); // what is wrong is told by the check of istioctl
        }
    }

    /** The image that the injector gives to proxies, from the settings that it has. */
    private static String proxyImage(List<GenericKubernetesResource> manifest) {
        String values = Manifests.find(manifest, "ConfigMap", "istio-sidecar-injector").orElseThrow().get("data", "values");
        JsonNode global = Serialization.unmarshal(values, JsonNode.class).path("global");
        String image = global.at("/proxy/image").asText(), variant = global.path("variant").asText("");
        return image.contains("/") ? image : "%s/%s:%s%s".formatted(global.path("hub").asText(), image, global.path("tag").asText(),
                variant.isEmpty() ? "" : "-" + variant);
    }

    /**
     * A {@link Problem} when what is wanted cannot be: istioctl does not take a setting, in its own words, or a mesh that stands
     * would go further than Istio goes in one step. https://istio.io/latest/docs/setup/upgrade/in-place/
     */
    String check(Mesh mesh) {
        String found = program.look();
        Version next = Version.first(wanted.version());
        Version there = settings.remembered().istio().map(kept -> Version.first(kept.version())).orElse(next);
        if (!next.sameMinor(there) && !there.behind(next, 1))
            throw Problem.unfit("the mesh runs Istio %s, and Istio goes from there to the next minor version at most, not to %s"
                    .formatted(there, next), "keep it: leave --istio-version out; or start afresh: jbang Teardown.java%s, then this again"
                    .formatted(settings.asTyped()));
        if (!settings.ownIstio() || program.missing()) return found;
        try {
            generate(mesh.clusters().getFirst(), kept(mesh.clusters().getFirst()));
        } catch (Problem p) {
            throw Problem.unfit(p.getMessage(),
                    ("correct --istio-set, --istio-values or istio/istio.yaml in --manifests; what there is to set:"
                    + " https://istio.io/v%d.%d/docs/reference/config/istio.operator.v1alpha1/").formatted(next.major(), next.minor()));
        }
        return "%s, with %s".formatted(found, wanted);
    }

    private String operator(Cluster cluster) {
        Map<String, String> values = new HashMap<>(cluster.placeholders());
        values.put("ISTIO_HUB", wanted.hub());
        values.put("ISTIO_VERSION", wanted.version());
        values.put("CA_ADDRESS", istiodSigns ? "" : IstioCsr.ADDRESS);
        values.put("ISTIOD_SIGNS", "" + istiodSigns);
        return manifests.filled("istio/istio.yaml", values);
    }

    /** The cluster's manifest as istioctl renders it, below what it is rendered from; what an earlier run kept, when that is the same. */
    private String generate(Cluster cluster, String kept) {
        // it takes "-" as the last file only, where nothing could be laid over it
        List<String> words = Stream.concat(Stream.of("manifest", "generate", "-f", "/dev/stdin"), wanted.arguments().stream()).toList();
        String operator = operator(cluster);
        String from = "istioctl %s %s\n%s\n%s".formatted(program.version(), String.join(" ", words), operator, wanted.valuesAsText());
        String heading = from.lines().map(line -> "# " + line + "\n").collect(Collectors.joining()) + "---\n";
        if (kept.startsWith(heading)) return kept;
        String printed = istioctl.feedUnlogged(SHORT, operator, words.toArray(String[]::new));
        // istioctl prints its warnings to stdout too, before the manifest
        return heading + printed.substring(Math.max(0, printed.indexOf("apiVersion:")));
    }

    private Path keptIn(Cluster cluster) { return settings.home().state().resolve(cluster.id() + ".yaml"); }

    private String kept(Cluster cluster) {
        try {
            return Files.readString(keptIn(cluster));
        } catch (IOException e) {
            return "";
        }
    }

    /** Renders the cluster's manifest, and keeps it for the next run; needs no cluster. */
    public Action render(Kube kube) {
        Cluster cluster = kube.cluster();
        return new Action("# rendered by istioctl install, below", _ -> {
            String kept = kept(cluster), manifest = generate(cluster, kept);
            if (!manifest.equals(kept)) Home.writePrivate(keptIn(cluster), manifest.getBytes(StandardCharsets.UTF_8));
            Documents documents = Documents.of(manifest);
            List<GenericKubernetesResource> others = documents.others();
            // NodePorts are named for the ports that kind maps; elsewhere they may be taken
            if (!cluster.isKind()) others.stream().filter(Kube::namesNodePorts).forEach(service ->
                    service.<List<Map<String, Object>>>get("spec", "ports").forEach(port -> port.remove("nodePort")));
            String settings = Integer.toHexString(others.stream().filter(r -> r.getKind().equals("ConfigMap"))
                    .map(r -> r.getAdditionalProperties().toString()).toList().hashCode());
            mark(others, settings);
            rendered.put(cluster, new Rendered(documents, settings));
        });
    }

    /** Marks the app's pods with the settings that their proxies are made from. */
    void markPods(Kube kube, List<GenericKubernetesResource> resources) { mark(resources, rendered.get(kube.cluster()).settings); }

    /** Istiod reads its settings late, and a proxy when its pod is made: a mark in the pods' template lets a change roll them. */
    private static void mark(List<GenericKubernetesResource> resources, String settings) {
        resources.stream().filter(r -> r.getKind().equals("Deployment")).forEach(deployment -> Manifests.merge(deployment
                .getAdditionalProperties(), Map.of("spec", Map.of("template", Map.of("metadata", Map.of("annotations",
                Map.of("kind-demo/settings", settings)))))));
    }

    /** Applies Istio's resource definitions. They are large: istiod starts meanwhile, and takes each up when it comes. */
    public Action definitions(Kube kube) {
        String more = wanted.arguments().stream().map(word -> " " + Tool.quoted(word)).collect(Collectors.joining());
        String byHand = "istioctl install --context %s --skip-confirmation -f /dev/stdin%s <<EOF\n%s\nEOF";
        return new Action(byHand.formatted(kube.cluster().context(), more, operator(kube.cluster()).strip()),
                _ -> new Definitions(kube).apply("istio", rendered.get(kube.cluster()).manifest.definitions()));
    }

    /** Applies istiod with its accounts and configuration; does not wait. */
    public Action start(Kube kube) {
        return new Action("# started by istioctl install, above", _ -> {
            List<GenericKubernetesResource> started = part(kube, r -> !isGateway(r));
            started.stream().filter(r -> r.getKind().equals("ValidatingWebhookConfiguration") && refuses(kube.client().resource(r).get()))
                    .forEach(r -> webhooks(r).forEach(webhook -> webhook.remove(POLICY)));
            kube.apply(started);
        });
    }

    /** Whether istiod has made it refuse what is wrong: the manifest lets everything pass until istiod can judge, and would undo that. */
    private static boolean refuses(GenericKubernetesResource there) {
        return there != null && webhooks(there).stream().anyMatch(webhook -> "Fail".equals(webhook.get(POLICY)));
    }

    private static List<Map<String, Object>> webhooks(GenericKubernetesResource configuration) { return configuration.get("webhooks"); }

    /** Waits until istiod is ready and its webhook takes requests: gateways and applications need both. */
    public Action istiod(Kube kube) {
        String byHand = "%s -n %s rollout status deployment/istiod --timeout 300s".formatted(Kube.kubectl(kube.cluster()), NAMESPACE);
        return new Action(byHand, seen -> {
            kube.awaitDeployments(NAMESPACE, List.of("istiod"), LONG, seen);
            Await.until(kube.cluster() + ": the injection webhook", LONG, Duration.ofMillis(200), seen, () -> injectionFails(kube));
        });
    }

    /**
     * Asks for a pod with a proxy, as a dry run: istiod is ready a moment before its webhook can be reached, and a deployment whose
     * first pod is refused waits long before it tries again. Returns why it was refused; empty when it was not.
     */
    private static String injectionFails(Kube kube) {
        Pod probe = new PodBuilder().withNewMetadata().withName("injection-probe").addToLabels("sidecar.istio.io/inject", "true")
                .endMetadata()
                .withNewSpec().addNewContainer().withName("probe").withImage("probe").endContainer().endSpec().build();
        try {
            boolean injected = kube.client().pods().inNamespace("default").resource(probe).dryRun().create().toString()
                    .contains("istio-proxy");
            return injected ? "" : "it puts no proxy into pods yet";
        } catch (KubernetesClientException e) {
            return Kube.reason(e);
        }
    }

    /** Starts the gateways side by side, and waits until each is ready. */
    public Action gateways(Kube kube) {
        String byHand = "%s -n %s rollout status deployment --timeout 300s";
        return new Action(byHand.formatted(Kube.kubectl(kube.cluster()), NAMESPACE), seen -> {
            List<GenericKubernetesResource> gateways = part(kube, Istioctl::isGateway);
            kube.apply(gateways);
            Set<String> names = gateways.stream().filter(r -> r.getKind().equals("Deployment")).map(r -> r.getMetadata().getName())
                    .collect(Collectors.toSet());
            Set<String> named = part(kube, _ -> true).stream().map(Istioctl::name).collect(Collectors.toSet());
            // a gateway, or another component, that the manifest has no more
            Stream.of(kube.client().apps().deployments(), kube.client().apps().daemonSets(), kube.client().services()).flatMap(all -> all
                    .inNamespace(NAMESPACE).withLabel("operator.istio.io/component").list().getItems().stream())
                    .filter(r -> !named.contains(name(r)) && (kube.cluster().isKind() || Footprint.isOurs(r)))
                    .forEach(kube::remove);
            kube.awaitDeployments(NAMESPACE, names, LONG, seen);
        });
    }

    /** Waits until every gateway of type LoadBalancer has an address. */
    public Action addresses(Kube kube) {
        String byHand = "%s -n %s wait service %s --for=jsonpath='{.status.loadBalancer.ingress}' --timeout 120s";
        return new Action(byHand.formatted(Kube.kubectl(kube.cluster()), NAMESPACE, EAST_WEST), seen -> {
            var services = kube.client().services().inNamespace(NAMESPACE);
            kube.await("addresses of the gateways", Duration.ofMinutes(2), services, Istioctl::withoutAddress, seen);
        });
    }

    private static String withoutAddress(List<Service> services) {
        List<String> open = services.stream().filter(s -> "LoadBalancer".equals(s.getSpec().getType()) && Kube.address(s).isEmpty())
                .map(s -> s.getMetadata().getName()).toList();
        return open.isEmpty() ? "" : "no address for " + String.join(", ", open);
    }

    private List<GenericKubernetesResource> part(Kube kube, Predicate<GenericKubernetesResource> which) {
        return rendered.get(kube.cluster()).manifest.others().stream().filter(which).toList();
    }

    private static String name(HasMetadata resource) { return resource.getKind() + " " + resource.getMetadata().getName(); }

    static boolean isGateway(HasMetadata resource) {
        Map<String, String> labels = Objects.requireNonNullElse(resource.getMetadata().getLabels(), Map.of());
        return labels.getOrDefault("operator.istio.io/component", "").endsWith("Gateways");
    }

    /** Opens the mesh's services to the other networks, on the east-west gateway. */
    public Action expose(Kube kube) {
        return new Action(manifests.byHand("istio/cross-network-gateway.yaml", Map.of(), Kube.kubectl(kube.cluster()) + " apply"),
                _ -> kube.apply(manifests.read("istio/cross-network-gateway.yaml")));
    }

    /** A secret for other control planes, as YAML: it gives the right to read this cluster at that address. */
    String remoteSecret(Cluster cluster, String server) {
        return istioctl.runUnlogged(SHORT, "create-remote-secret", "--context", cluster.context(), "--name", cluster.id(), "--server",
                server);
    }

    /**
     * How the cluster's istiod stands with the clusters it was given.
     *
     * @return each remote cluster's ID and its state, such as "synced"
     */
    public Map<String, String> remoteClusters(Cluster cluster) {
        return parseRemoteClusters(istioctl.run(SHORT, "remote-clusters", "--context", cluster.context()));
    }

    /** What istiod knows of its proxies, as JSON. */
    public String proxyStatus(Cluster cluster) {
        return istioctl.runUnlogged(SHORT, "proxy-status", "--context", cluster.context(), "--output", "json");
    }

    /** Reads istioctl's JSON: each proxy, by pod and namespace, and the states of its kinds of configuration. */
    static Map<String, Set<String>> parseProxyStatus(String json) throws IOException {
        Map<String, Set<String>> states = new TreeMap<>();
        for (JsonNode proxy : new ObjectMapper().readTree(json).path("resources"))
            states.put(proxy.at("/node/id").asText(), new TreeSet<>(proxy.path("genericXdsConfigs").findValuesAsText("configStatus")));
        return states;
    }

    /** Reads istioctl's table, NAME SECRET STATUS ISTIOD …, by where its headings stand: the cluster's own row has no secret. */
    static Map<String, String> parseRemoteClusters(String table) {
        Map<String, String> states = new TreeMap<>();
        String heading = table.lines().findFirst().orElse("");
        int status = heading.indexOf("STATUS"), next = heading.indexOf("ISTIOD");
        if (status < 0 || next < status) throw Problem.failed("istioctl remote-clusters printed no table: " + heading, "istioctl version");
        table.lines().skip(1).filter(row -> row.length() > next).forEach(row ->
                states.put(row.split("\\s")[0], row.substring(status, next).strip()));
        return states;
    }
}
