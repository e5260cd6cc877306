package lib.istio;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;

/** istioctl: renders Istio's manifest, makes remote secrets, asks istiod. https://istio.io/latest/docs/reference/commands/istioctl/ */
public final class Istioctl {
    private static final String INSTALL = "install istioctl %1$s: curl -L https://istio.io/downloadIstio | ISTIO_VERSION=%1$s sh -,"
            + " then put istio-%1$s/bin on PATH";
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Binary binary;
    private final ExternalCommand istioctl;
    private final IstioSettings wanted;
    private final Optional<IstioSettings> current;
    private final Manifests manifests;
    private final String caAddress;
    private final Path state;
    private final DemoCommands commands;
    private final Map<Cluster, String> rendered = new ConcurrentHashMap<>();

    /**
     * @param wanted    the settings to install
     * @param current   the settings of the running mesh
     * @param caAddress where proxies request their certificates; empty when istiod signs them
     * @param state     the folder that rendered manifests are kept in
     */
    public Istioctl(Binary binary, IstioSettings wanted, Optional<IstioSettings> current, Manifests manifests, String caAddress, Path state,
            Console console) {
        this.binary = binary;
        this.istioctl = new ExternalCommand(binary::path, binary.install(), console);
        this.wanted = wanted;
        this.current = current;
        this.manifests = manifests;
        this.caAddress = caAddress;
        this.state = state;
        this.commands = console.commands();
    }

    public Binary binary() { return binary; }

    /** Whether the user's own settings or manifests are rendered. */
    public boolean rendersCustomSettings() { return manifests.areCustom() || wanted.custom(); }

    /** istioctl of the minor version that Istio is to be. */
    public static Binary.Requirement binary(String istio) {
        return new Binary.Requirement("istioctl", istio, platform -> Versions.istioctl(istio, platform), INSTALL.formatted(istio),
                List.of("version", "--remote=false", "--short"), output -> Version.first(output).sameMinor(Version.first(istio)) ? ""
                : "istioctl is of another version: it says %s, the demo needs %s".formatted(Version.first(output), istio));
    }

    /** The images that Istio itself runs from: those of the rendered manifest, when that may name others. */
    public Set<String> images(Mesh mesh) {
        if (!rendersCustomSettings() || binary.missing()) return wanted.images();
        try {
            List<GenericKubernetesResource> manifest = YamlDocuments.of(rendered(mesh.clusters().getFirst())).others();
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
        JsonNode global = global(manifest);
        String image = global.at("/proxy/image").asText(), variant = global.path("variant").asText("");
        return image.contains("/") ? image : "%s/%s:%s%s".formatted(global.path("hub").asText(), image, global.path("tag").asText(),
                variant.isEmpty() ? "" : "-" + variant);
    }

    /**
     * A {@link Problem} when what is wanted cannot be: istioctl does not take a setting, in its own words, or a mesh that stands
     * would go further than Istio goes in one step. https://istio.io/latest/docs/setup/upgrade/in-place/
     */
    public String check(Mesh mesh) {
        String found = binary.describe();
        Version next = Version.first(wanted.version());
        Version there = current.map(kept -> Version.first(kept.version())).orElse(next);
        if (!next.sameMinor(there) && !there.behind(next, 1))
            throw Problem.unmet("the mesh runs Istio %s, and Istio goes from there to the next minor version at most, not to %s"
                    .formatted(there, next),
                    "keep it: leave --istio-version out; or start from scratch: %s, then this again".formatted(
                            commands.teardown()));
        if (!rendersCustomSettings() || binary.missing()) return found;
        try {
            mesh.clusters().parallelStream().forEach(this::rendered);
        } catch (Problem p) {
            throw Problem.unmet(p.getMessage(),
                    ("correct --istio-set, --istio-values or istio/istio.yaml in --manifests; what there is to set:"
                    + " https://istio.io/v%d.%d/docs/reference/config/istio.operator.v1alpha1/").formatted(next.major(), next.minor()));
        }
        return "%s, with %s".formatted(found, wanted);
    }

    private String operator(Cluster cluster) {
        Map<String, String> values = new HashMap<>(cluster.placeholders());
        values.put("ISTIO_HUB", wanted.hub());
        values.put("ISTIO_VERSION", wanted.version());
        values.put("CA_ADDRESS", caAddress);
        values.put("ISTIOD_SIGNS", "" + caAddress.isEmpty());
        return manifests.filled("istio/istio.yaml", values);
    }

    private String rendered(Cluster cluster) { return rendered.computeIfAbsent(cluster, this::render); }

    /** The cluster's manifest as istioctl renders it, below what it is rendered from; what an earlier run kept, when that is the same. */
    private String render(Cluster cluster) {
        // it takes "-" as the last file only, where nothing could be laid over it
        List<String> words = Stream.concat(Stream.of("manifest", "generate", "-f", "/dev/stdin"), wanted.arguments().stream()).toList();
        String operator = operator(cluster);
        String from = "istioctl %s %s\n%s\n%s".formatted(binary.version(), String.join(" ", words), operator, wanted.valuesAsText());
        String heading = from.lines().map(line -> "# " + line + "\n").collect(Collectors.joining()) + "---\n";
        String kept = kept(cluster);
        if (kept.startsWith(heading)) return kept;
        String printed = istioctl.feedUnlogged(LIMIT, operator, words.toArray(String[]::new));
        // istioctl prints its warnings to stdout too, before the manifest
        String manifest = heading + printed.substring(Math.max(0, printed.indexOf("apiVersion:")));
        if (rendersCustomSettings()) expectUsable(cluster, YamlDocuments.of(manifest).others());
        return manifest;
    }

    /** A {@link Problem} when the user's settings or manifests render an Istio that the demo cannot work with. */
    private static void expectUsable(Cluster cluster, List<GenericKubernetesResource> manifest) {
        for (String needed : List.of("Deployment istiod", "ConfigMap istio", "ConfigMap istio-sidecar-injector", "Service " + InstalledIstio.EAST_WEST))
            if (manifest.stream().noneMatch(r -> needed.equals(r.getKind() + " " + r.getMetadata().getName())
                    && Mesh.NAMESPACE.equals(r.getMetadata().getNamespace())))
                throw unusable(cluster, "no %s in %s".formatted(needed, Mesh.NAMESPACE));
        JsonNode global = global(manifest);
        Map<String, String> fixed = Map.of("/meshID", Cluster.MESH_ID, "/network", cluster.network(), "/multiCluster/clusterName", cluster.id());
        fixed.forEach((path, value) -> {
            if (!global.at(path).asText().equals(value)) throw unusable(cluster, "values.global%s '%s', not '%s'".formatted(
                    path.replace('/', '.'), global.at(path).asText(), value));
        });
        GenericKubernetesResource eastWest = Manifests.find(manifest, "Service", InstalledIstio.EAST_WEST).orElseThrow();
        if (!"LoadBalancer".equals(eastWest.get("spec", "type")))
            throw unusable(cluster, "the Service %s of type %s, not LoadBalancer".formatted(InstalledIstio.EAST_WEST, eastWest.get("spec", "type")));
    }

    private static Problem unusable(Cluster cluster, String what) {
        return Problem.unmet("%s: the manifest that istioctl renders has %s, and the demo cannot work with that".formatted(cluster, what),
                "correct --istio-set, --istio-values or istio/istio.yaml in --manifests");
    }

    /** The values below global that the injector has. */
    private static JsonNode global(List<GenericKubernetesResource> manifest) {
        String values = Manifests.find(manifest, "ConfigMap", "istio-sidecar-injector").orElseThrow().get("data", "values");
        return Serialization.unmarshal(values, JsonNode.class).path("global");
    }

    /** The cluster's manifest, kept for the next run; needs no cluster. */
    String manifest(Cluster cluster) throws IOException {
        String manifest = rendered(cluster);
        if (!manifest.equals(kept(cluster))) AppDirs.writePrivate(keptFile(cluster), manifest.getBytes(StandardCharsets.UTF_8));
        return manifest;
    }

    private Path keptFile(Cluster cluster) { return state.resolve(cluster.id() + ".yaml"); }

    private String kept(Cluster cluster) {
        try {
            return Files.readString(keptFile(cluster));
        } catch (IOException e) {
            return "";
        }
    }

    /** How the whole of it is done by hand. */
    String installAsShell(Cluster cluster) {
        // the ports that kind maps may be taken in another cluster
        String operator = cluster.isKind() ? operator(cluster) : operator(cluster).replaceAll(",? *nodePort: *\\d+", "");
        StringBuilder text = new StringBuilder(), words = new StringBuilder();
        List<String> files = Stream.concat(Stream.of(operator), wanted.values().stream().map(IstioSettings::text)).toList();
        for (int i = 0; i < files.size(); i++) {
            String name = i == 0 ? cluster.id() + ".yaml" : "values-%d.yaml".formatted(i);
            text.append("cat > %s %s\n".formatted(name, DemoCommands.hereDocument("EOF", files.get(i))));
            words.append(" -f ").append(name);
        }
        for (String set : wanted.set()) words.append(" --set ").append(DemoCommands.quoted(set));
        return text + "istioctl install --context %s --skip-confirmation%s".formatted(cluster.quotedContext(), words);
    }

    /** A secret for other control planes, as YAML: it gives the right to read this cluster at that address. */
    String remoteSecret(Cluster cluster, String server) {
        return istioctl.runUnlogged(LIMIT, "create-remote-secret", "--context", cluster.context(), "--name", cluster.id(), "--server",
                server);
    }

    /**
     * How the cluster's istiod stands with the clusters it was given.
     *
     * @return each remote cluster's ID and its state, such as "synced"
     */
    public Map<String, String> remoteClusters(Cluster cluster) {
        return parseRemoteClusters(istioctl.run(LIMIT, "remote-clusters", "--context", cluster.context()));
    }

    /** What istiod knows of its proxies, as JSON. */
    public String proxyStatus(Cluster cluster) {
        return istioctl.runUnlogged(LIMIT, "proxy-status", "--context", cluster.context(), "--output", "json");
    }

    /** Reads istioctl's JSON: each proxy, by pod and namespace, and the states of its kinds of configuration. */
    public static Map<String, Set<String>> parseProxyStatus(String json) throws IOException {
        Map<String, Set<String>> states = new TreeMap<>();
        for (JsonNode proxy : new ObjectMapper().readTree(json).path("resources"))
            states.put(proxy.at("/node/id").asText(), new TreeSet<>(proxy.path("genericXdsConfigs").findValuesAsText("configStatus")));
        return states;
    }

    /** Reads istioctl's table, NAME SECRET STATUS ISTIOD …, by where its headings stand: the cluster's own row has no secret. */
    public static Map<String, String> parseRemoteClusters(String table) {
        Map<String, String> states = new TreeMap<>();
        String heading = table.lines().findFirst().orElse("");
        int status = heading.indexOf("STATUS"), next = heading.indexOf("ISTIOD");
        if (status < 0 || next < status) throw Problem.failed("istioctl remote-clusters printed no table: " + heading, "istioctl version");
        table.lines().skip(1).filter(row -> row.length() > next).forEach(row ->
                states.put(row.split("\\s")[0], row.substring(status, next).strip()));
        return states;
    }
}
