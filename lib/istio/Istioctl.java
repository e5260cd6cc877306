package lib.istio;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * istioctl: renders Istio's manifest, creates remote secrets, and asks istiod for its state.
 * https://istio.io/latest/docs/reference/commands/istioctl/
 */
public final class Istioctl {
    private static final String INSTALL = "install istioctl %1$s: curl -L https://istio.io/downloadIstio"
            + " | ISTIO_VERSION=%1$s sh -, then put istio-%1$s/bin on PATH";
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
    public Istioctl(Binary binary, IstioSettings wanted, Optional<IstioSettings> current, Manifests manifests,
            String caAddress, Path state, Console console) {
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

    public DataPlane dataPlane() { return wanted.dataPlane(); }

    /** Whether it renders the user's own settings or manifests. */
    public boolean rendersCustomSettings() { return manifests.areCustom() || wanted.custom(); }

    /** The istioctl binary with the minor version of an Istio version. */
    public static Binary.Requirement binary(String istio) {
        return new Binary.Requirement("istioctl", istio, platform -> Versions.istioctl(istio, platform),
                INSTALL.formatted(istio), List.of("version", "--remote=false", "--short"), output -> {
            Version found = Version.first(output);
            return found.sameMinor(Version.first(istio)) ? ""
                    : "istioctl is of another version: it says %s, the demo needs %s".formatted(found, istio);
        });
    }

    /** Istio's images: those of the rendered manifest when it may name others than the default ones. */
    public Set<String> images(Mesh mesh) {
        if (!rendersCustomSettings() || binary.missing()) return wanted.images();
        try {
            return IstioManifest.of(rendered(mesh.clusters().getFirst())).images();
        } catch (Problem p) {
            return wanted.images(); // check reports the problem
        }
    }

    /**
     * A {@link Problem} when istioctl does not accept a setting, or when a running mesh cannot be upgraded to the
     * wanted version in one step. https://istio.io/latest/docs/setup/upgrade/in-place/
     */
    public String check(Mesh mesh) {
        String found = binary.describe();
        requireDataPlane(current.map(IstioSettings::dataPlane));
        Version next = Version.first(wanted.version());
        Version running = current.map(settings -> Version.first(settings.version())).orElse(next);
        if (!next.sameMinor(running) && !running.behind(next, 1))
            throw Problem.unmet("the mesh runs Istio %s, which upgrades by one minor version at a time, not to %s"
                    .formatted(running, next), ("to keep it, omit --istio-version; or start from scratch: %s, then run"
                    + " this again").formatted(commands.teardown()));
        if (!rendersCustomSettings() || binary.missing()) return found;
        try {
            mesh.clusters().parallelStream().forEach(this::rendered);
        } catch (Problem p) {
            throw Problem.unmet(p.getMessage(), ("correct --istio-set, --istio-values or %s in"
                    + " --manifests; settings: https://istio.io/v%d.%d/docs/reference/config/istio.operator.v1alpha1/")
                    .formatted(wanted.manifest(), next.major(), next.minor()));
        }
        return "%s, with %s".formatted(found, wanted);
    }

    /** A {@link Problem} when a running mesh has another data plane than the wanted one. */
    public void requireDataPlane(Optional<DataPlane> running) {
        if (running.isEmpty() || running.get() == wanted.dataPlane()) return;
        String asked = "--dataplane " + wanted.dataPlane();
        throw Problem.unmet("the mesh has the data plane %s, and a running mesh cannot change it"
                .formatted(running.get()), "omit %s, or start from scratch: %s".formatted(asked,
                        commands.fromScratch(asked)));
    }

    private String operator(Cluster cluster) {
        Map<String, String> values = new HashMap<>(cluster.placeholders());
        values.put("ISTIO_HUB", wanted.hub());
        values.put("ISTIO_VERSION", wanted.version());
        values.put("CA_ADDRESS", caAddress);
        values.put("ISTIOD_SIGNS", "" + caAddress.isEmpty());
        return manifests.filled(wanted.manifest(), values);
    }

    /** The cluster's manifest, kept for the next run; needs no cluster. */
    String manifest(Cluster cluster) throws IOException {
        String manifest = rendered(cluster);
        if (!manifest.equals(kept(cluster)))
            AppDirs.writePrivate(keptFile(cluster), manifest.getBytes(StandardCharsets.UTF_8));
        return manifest;
    }

    private String rendered(Cluster cluster) { return rendered.computeIfAbsent(cluster, this::render); }

    /** Renders the manifest below a heading with its inputs; reuses the kept manifest of the same inputs. */
    private String render(Cluster cluster) {
        // istioctl takes "-" only as the last file, which would override the user's files
        List<String> words = new ArrayList<>(List.of("manifest", "generate", "-f", "/dev/stdin"));
        words.addAll(wanted.arguments());
        String operator = operator(cluster);
        String inputs = "istioctl %s %s\n%s\n%s".formatted(binary.version(), String.join(" ", words), operator,
                wanted.valuesAsText());
        String heading = inputs.lines().map(line -> "# " + line + "\n").collect(Collectors.joining()) + "---\n";
        String kept = kept(cluster);
        if (kept.startsWith(heading)) return kept;
        String printed = istioctl.feedUnlogged(LIMIT, operator, words.toArray(String[]::new));
        // istioctl prints its warnings to stdout too, before the manifest
        String manifest = heading + printed.substring(Math.max(0, printed.indexOf("apiVersion:")));
        if (rendersCustomSettings()) IstioManifest.of(manifest).requireUsable(cluster, wanted.dataPlane());
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

    /** The whole installation as shell commands. */
    String installToShell(Cluster cluster) {
        // the ports that kind maps may be in use in another cluster
        String operator = cluster.isKind() ? operator(cluster)
                : operator(cluster).replaceAll(",? *nodePort: *\\d+", "");
        Map<String, String> files = new LinkedHashMap<>();
        files.put(cluster.id() + ".yaml", operator);
        for (Path file : wanted.values()) files.put("values-%d.yaml".formatted(files.size()), IstioSettings.read(file));
        StringBuilder text = new StringBuilder(), words = new StringBuilder();
        files.forEach((name, content) -> {
            text.append("cat > %s %s\n".formatted(name, DemoCommands.hereDocument("EOF", content)));
            words.append(" -f ").append(name);
        });
        for (String set : wanted.set()) words.append(" --set ").append(DemoCommands.quoted(set));
        return text + "istioctl install --context %s --skip-confirmation%s".formatted(cluster.quotedContext(), words);
    }

    /** A remote secret as YAML: it lets other control planes read this cluster at a server's address. */
    String remoteSecret(Cluster cluster, String server) {
        return istioctl.runUnlogged(LIMIT, "create-remote-secret", "--context", cluster.context(),
                "--name", cluster.id(), "--server", server);
    }

    /** The state of each remote cluster in the cluster's istiod, by the remote cluster's ID, such as "synced". */
    public Map<String, String> remoteClusters(Cluster cluster) {
        return parseRemoteClusters(istioctl.run(LIMIT, "remote-clusters", "--context", cluster.context()));
    }

    /** The proxies that the cluster's istiod knows, as JSON. */
    public String proxyStatus(Cluster cluster) {
        return istioctl.runUnlogged(LIMIT, "proxy-status", "--context", cluster.context(), "--output", "json");
    }

    /** The configuration of the ztunnel on a node, as JSON. */
    String ztunnelConfig(Cluster cluster, String node) {
        return istioctl.runUnlogged(LIMIT, "ztunnel-config", "all", "--context", cluster.context(), "--node", node,
                "--output", "json");
    }

    /** Reads istioctl's JSON: for each proxy, as POD.NAMESPACE, the states of its kinds of configuration. */
    public static Map<String, Set<String>> parseProxyStatus(String json) throws IOException {
        Map<String, Set<String>> states = new TreeMap<>();
        for (JsonNode proxy : new ObjectMapper().readTree(json).path("resources"))
            states.put(proxy.at("/node/id").asText(),
                    new TreeSet<>(proxy.path("genericXdsConfigs").findValuesAsText("configStatus")));
        return states;
    }

    /** Reads istioctl's table (NAME SECRET STATUS ISTIOD) by its columns: the cluster's own row has no secret. */
    public static Map<String, String> parseRemoteClusters(String table) {
        Map<String, String> states = new TreeMap<>();
        String heading = table.lines().findFirst().orElse("");
        int status = heading.indexOf("STATUS"), next = heading.indexOf("ISTIOD");
        if (status < 0 || next < status)
            throw Problem.failed("istioctl remote-clusters printed no table: " + heading, "istioctl version");
        table.lines().skip(1).filter(row -> row.length() > next).forEach(row ->
                states.put(row.split("\\s")[0], row.substring(status, next).strip()));
        return states;
    }
}
