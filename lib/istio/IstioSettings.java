package lib.istio;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * The user's settings of Istio, beyond manifests/istio. They are kept with the demo, so that a later run without
 * options uses the same.
 *
 * @param version   Istio's version
 * @param dataPlane how workloads join the mesh
 * @param waypoints whether callers of the sample service go through a waypoint, in an ambient mesh
 * @param set       key=value, as istioctl's --set takes it
 * @param values    files with an IstioOperator, as istioctl's -f takes them
 */
public record IstioSettings(String version, DataPlane dataPlane, boolean waypoints, List<String> set,
        List<Path> values) {
    public static final IstioSettings PINNED =
            new IstioSettings(Versions.ISTIO, DataPlane.sidecar, false, List.of(), List.of());
    /** The options that reset the settings. */
    public static final String RESET = "--istio-version %s --istio-set= --istio-values=".formatted(Versions.ISTIO);
    /** Settings that a user cannot change, by their path in an IstioOperator's spec; ${…} differs by cluster. */
    static final Map<String, String> FIXED = Map.of("revision", "", "values.revision", "",
            "namespace", Mesh.NAMESPACE, "values.global.istioNamespace", Mesh.NAMESPACE,
            "values.global.meshID", Cluster.MESH_ID, "values.global.network", "${NETWORK}",
            "values.global.multiCluster.clusterName", "${CLUSTER_ID}");
    private static final String VERSION = "version", DATA_PLANE = "dataplane", WAYPOINTS = "waypoints",
            SET = "set";

    /** Whether there are settings beyond the manifest. */
    public boolean custom() { return !set.isEmpty() || !values.isEmpty(); }

    /** Whether {@link #RESET} would change something. */
    public boolean changed() { return custom() || !version.equals(Versions.ISTIO); }

    /** The registry of this version's images. https://istio.io/latest/news/releases/1.30.x/announcing-1.30/ */
    String hub() {
        return Version.first(version).compareTo(new Version(1, 30, 0)) < 0 ? "docker.io/istio" : Versions.ISTIO_HUB;
    }

    /** The images of Istio, unless the settings name others. */
    public Set<String> images() {
        Stream<String> parts = dataPlane == DataPlane.ambient ? Stream.of("pilot", "proxyv2", "install-cni", "ztunnel")
                : Stream.of("pilot", "proxyv2");
        return parts.map(part -> "%s/%s:%s".formatted(hub(), part, version)).collect(Collectors.toSet());
    }

    /** The path of the IstioOperator among the manifests. */
    String manifest() { return dataPlane == DataPlane.ambient ? "ambient/istio.yaml" : "istio/istio.yaml"; }

    /** istioctl's arguments after the manifest: later files override earlier ones, and --set all of them. */
    public List<String> arguments() {
        Stream<String> files = values.stream().flatMap(file -> Stream.of("-f", file.toString()));
        return Stream.concat(files, set.stream().flatMap(s -> Stream.of("--set", s))).toList();
    }

    /**
     * The first setting that the demo does not support, and why; empty when there is none. Needs no istioctl.
     *
     * @throws Problem when a file is not YAML
     */
    public Optional<String> unsupported() {
        List<String> settings = new ArrayList<>();
        for (String s : set) settings.add(s.replaceFirst("^spec\\.", ""));
        for (Path file : values)
            for (GenericKubernetesResource operator : parse(file))
                for (String path : FIXED.keySet()) {
                    Object value = valueAt(operator, path);
                    if (value != null) settings.add(path + "=" + value);
                }
        return settings.stream().map(IstioSettings::objection).filter(o -> !o.isEmpty()).findFirst();
    }

    private static String objection(String setting) {
        String[] parts = setting.split("=", 2);
        String fixed = FIXED.get(parts[0]);
        if (fixed == null || fixed.equals(parts[1].strip())) return "";
        String needed = fixed.startsWith("$") ? "one per cluster" : fixed;
        return "%s is not supported: the demo needs %s".formatted(setting,
                fixed.isEmpty() ? "one Istio per cluster, without a revision" : needed);
    }

    private static List<GenericKubernetesResource> parse(Path file) {
        String yaml = read(file);
        try {
            return YamlDocuments.parse(yaml);
        } catch (RuntimeException e) {
            throw Problem.usage("the file %s of --istio-values is invalid YAML: %s".formatted(file,
                    Problem.rootCause(e).getMessage()), "correct it, or use another file");
        }
    }

    private static Object valueAt(GenericKubernetesResource operator, String path) {
        return operator.get(Stream.concat(Stream.of("spec"), Arrays.stream(path.split("\\."))).toArray());
    }

    /** The text of all values files; a {@link Problem} when one is missing. */
    public String valuesAsText() {
        return values.stream().map(file -> read(file) + "\n").collect(Collectors.joining());
    }

    static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw Problem.unmet("cannot read the values " + e.getMessage(),
                    "restore the file, or use another with --istio-values");
        }
    }

    /** A copy with other settings. Null leaves a setting unchanged; a list with an empty text in it resets it. */
    public IstioSettings with(String version, DataPlane dataPlane, Boolean waypoints, List<String> set,
            List<Path> values) {
        return new IstioSettings(version == null ? this.version : version,
                dataPlane == null ? this.dataPlane : dataPlane, waypoints == null ? this.waypoints : waypoints,
                set == null ? this.set : set.stream().filter(s -> !s.isBlank()).toList(),
                values == null ? this.values : values.stream().filter(file -> !file.toString().isBlank()).toList());
    }

    /** Writes the settings into a folder, with copies of the values files. */
    public void keep(Path folder) throws IOException {
        if (kept(folder).equals(Optional.of(this))) return;
        Path draft = folder.resolveSibling(folder.getFileName() + ".new");
        AppDirs.remove(draft);
        Files.createDirectories(draft);
        Files.writeString(draft.resolve(VERSION), version);
        Files.writeString(draft.resolve(DATA_PLANE), "" + dataPlane);
        if (waypoints) Files.createFile(draft.resolve(WAYPOINTS));
        Files.write(draft.resolve(SET), set);
        for (int i = 0; i < values.size(); i++)
            Files.copy(values.get(i), draft.resolve("values-%02d.yaml".formatted(i))); // sorted by name when read
        AppDirs.remove(folder);
        Files.move(draft, folder);
    }

    /** Reads what {@link #keep} wrote; empty when there is nothing. */
    public static Optional<IstioSettings> kept(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> values = files.filter(f -> f.getFileName().toString().startsWith("values-")).sorted().toList();
            // earlier versions wrote no data plane
            Path file = folder.resolve(DATA_PLANE);
            boolean ambient = Files.exists(file) && Files.readString(file).equals("" + DataPlane.ambient);
            DataPlane dataPlane = ambient ? DataPlane.ambient : DataPlane.sidecar;
            boolean waypoints = Files.exists(folder.resolve(WAYPOINTS));
            return Optional.of(new IstioSettings(Files.readString(folder.resolve(VERSION)), dataPlane, waypoints,
                    Files.readAllLines(folder.resolve(SET)), values));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The settings as options of the command line. */
    @Override public String toString() {
        StringBuilder options = new StringBuilder("--istio-version " + version);
        if (dataPlane != DataPlane.sidecar) options.append(" --dataplane ").append(dataPlane);
        if (waypoints) options.append(" --waypoints");
        for (Path file : values) options.append(" --istio-values ").append(DemoCommands.quoted(file.toString()));
        for (String s : set) options.append(" --istio-set ").append(DemoCommands.quoted(s));
        return options.toString();
    }
}
