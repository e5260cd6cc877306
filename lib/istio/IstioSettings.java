package lib.istio;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * What a user wants of Istio beyond manifests/istio. It is kept with the demo, so that a later run without these options means the same.
 *
 * @param version its version
 * @param set     key=value, as istioctl's --set takes it
 * @param values  files with an IstioOperator, as istioctl's -f takes them
 */
public record IstioSettings(String version, List<String> set, List<Path> values) {
    public static final IstioSettings PINNED = new IstioSettings(Versions.ISTIO, List.of(), List.of());
    /** The options that go back to what is pinned. */
    public static final String RESET = "--istio-version %s --istio-set= --istio-values=".formatted(Versions.ISTIO);
    private static final String VERSION = "version", SET = "set";
    /** What differs from cluster to cluster, or is the same for every demo, by its place in an IstioOperator's spec. */
    private static final Map<String, String> FIXED = Map.of("revision", "", "values.revision", "",
            "namespace", Mesh.NAMESPACE, "values.global.istioNamespace", Mesh.NAMESPACE, "values.global.meshID", Cluster.MESH_ID,
            "values.global.network", "one per cluster", "values.global.multiCluster.clusterName", "one per cluster");

    /** Whether istioctl is told anything beyond the manifest. */
    public boolean custom() { return !set.isEmpty() || !values.isEmpty(); }

    /** Where Istio publishes the images of this version. https://istio.io/latest/news/releases/1.30.x/announcing-1.30/ */
    String hub() { return Version.first(version).compareTo(new Version(1, 30, 0)) < 0 ? "docker.io/istio" : Versions.ISTIO_HUB; }

    /** The images that Istio runs from, unless it is told others. */
    public Set<String> images() { return Set.of("%s/pilot:%s".formatted(hub(), version), "%s/proxyv2:%s".formatted(hub(), version)); }

    /** What istioctl is to be told after the file with the manifest: later files count for more, --set for most. */
    public List<String> arguments() {
        Stream<String> files = values.stream().flatMap(file -> Stream.of("-f", file.toString()));
        return Stream.concat(files, set.stream().flatMap(s -> Stream.of("--set", s))).toList();
    }

    /**
     * The first setting that the demo cannot work with, and why, as far as it can be told without istioctl; empty when there is none.
     *
     * @throws Problem when a file is no YAML
     */
    public Optional<String> refused() {
        Stream<String> typed = set.stream().map(s -> s.replaceFirst("^spec\\.", ""));
        Stream<String> inFiles = values.stream().flatMap(file -> parsed(file).stream())
                .flatMap(operator -> FIXED.keySet().stream().filter(key -> at(operator, key) != null).map(key -> key + "=" + at(operator, key)));
        return Stream.concat(typed, inFiles).map(s -> s.split("=", 2))
                .filter(s -> FIXED.containsKey(s[0]) && !FIXED.get(s[0]).equals(s[1].strip()))
                .map(s -> "%s=%s is not supported: the demo needs %s".formatted(s[0], s[1],
                        FIXED.get(s[0]).isEmpty() ? "one Istio per cluster, without a revision" : FIXED.get(s[0]))).findFirst();
    }

    private static List<GenericKubernetesResource> parsed(Path file) {
        String yaml = text(file);
        try {
            return YamlDocuments.parse(yaml);
        } catch (RuntimeException e) {
            throw Problem.usage("the file %s of --istio-values is invalid YAML: %s".formatted(file, Problem.rootCause(e).getMessage()),
                    "correct it, or name another");
        }
    }

    private static Object at(GenericKubernetesResource operator, String key) {
        return operator.get(Stream.concat(Stream.of("spec"), Arrays.stream(key.split("\\."))).toArray());
    }

    /** What is in the files; a {@link Problem} when one is gone. */
    public String valuesAsText() { return values.stream().map(file -> text(file) + "\n").collect(Collectors.joining()); }

    /** What is in one of them. */
    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw Problem.unmet("cannot read the values " + e.getMessage(), "put the file back, or name others with --istio-values");
        }
    }

    /** The same with other values for what is given; null leaves it, and a list with an empty text in it empties it. */
    public IstioSettings with(String version, List<String> set, List<Path> values) {
        return new IstioSettings(version == null ? this.version : version,
                set == null ? this.set : set.stream().filter(s -> !s.isBlank()).toList(),
                values == null ? this.values : values.stream().filter(file -> !file.toString().isBlank()).toList());
    }

    /** Writes them into a folder, with the files as they are now. */
    public void keep(Path folder) throws IOException {
        if (kept(folder).equals(Optional.of(this))) return;
        Path draft = folder.resolveSibling(folder.getFileName() + ".new");
        AppDirs.remove(draft);
        Files.createDirectories(draft);
        Files.writeString(draft.resolve(VERSION), version);
        Files.write(draft.resolve(SET), set);
        for (int i = 0; i < values.size(); i++) Files.copy(values.get(i), draft.resolve("values-%d.yaml".formatted(i)));
        AppDirs.remove(folder);
        Files.move(draft, folder);
    }

    /** What {@link #keep} wrote; empty when there is nothing. */
    public static Optional<IstioSettings> kept(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return Optional.of(new IstioSettings(Files.readString(folder.resolve(VERSION)), Files.readAllLines(folder.resolve(SET)),
                    files.filter(f -> f.getFileName().toString().startsWith("values-")).sorted().toList()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** As it would be typed. */
    @Override public String toString() {
        return Stream.of(Stream.of("--istio-version " + version), values.stream().map(f -> "--istio-values " + DemoCommands.quoted(f.toString())),
                set.stream().map(s -> "--istio-set " + DemoCommands.quoted(s))).flatMap(s -> s).collect(Collectors.joining(" "));
    }
}
