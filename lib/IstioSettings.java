package lib;

import module java.base;

/**
 * What a user wants of Istio beyond manifests/istio. It is kept with the demo, so that a later run without these options means the same.
 *
 * @param version its version
 * @param set     key=value, as istioctl's --set takes it
 * @param values  files with an IstioOperator, as istioctl's -f takes them
 */
public record IstioSettings(String version, List<String> set, List<Path> values) {
    static final IstioSettings PINNED = new IstioSettings(Versions.ISTIO, List.of(), List.of());
    /** The options that go back to what is pinned. */
    public static final String BACK = "--istio-version %s --istio-set= --istio-values=".formatted(Versions.ISTIO);
    private static final String VERSION = "version", SET = "set";

    /** Whether istioctl is told anything beyond the manifest. */
    boolean custom() { return !set.isEmpty() || !values.isEmpty(); }

    /** Where Istio publishes the images of this version. https://istio.io/latest/news/releases/1.30.x/announcing-1.30/ */
    String hub() { return Version.first(version).compareTo(new Version(1, 30, 0)) < 0 ? "docker.io/istio" : Versions.ISTIO_HUB; }

    /** The images that Istio runs from, unless it is told others. */
    Set<String> images() { return Set.of("%s/pilot:%s".formatted(hub(), version), "%s/proxyv2:%s".formatted(hub(), version)); }

    /** What istioctl is to be told after the file with the manifest: later files count for more, --set for most. */
    List<String> arguments() {
        Stream<String> files = values.stream().flatMap(file -> Stream.of("-f", file.toString()));
        return Stream.concat(files, set.stream().flatMap(s -> Stream.of("--set", s))).toList();
    }

    /** What is in the files; a {@link Problem} when one is gone. */
    String valuesAsText() { return values.stream().map(file -> text(file) + "\n").collect(Collectors.joining()); }

    /** What is in one of them. */
    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw Problem.unfit("cannot read the values " + e.getMessage(), "put the file back, or name others with --istio-values");
        }
    }

    /** The same with other values for what is given; null leaves it, and a list with an empty text in it empties it. */
    IstioSettings with(String version, List<String> set, List<Path> values) {
        return new IstioSettings(version == null ? this.version : version,
                set == null ? this.set : set.stream().filter(s -> !s.isBlank()).toList(),
                values == null ? this.values : values.stream().filter(file -> !file.toString().isBlank()).toList());
    }

    /** Writes them into a folder, with the files as they are now. */
    void keep(Path folder) throws IOException {
        if (kept(folder).equals(Optional.of(this))) return;
        Path draft = folder.resolveSibling(folder.getFileName() + ".new");
        Home.remove(draft);
        Files.createDirectories(draft);
        Files.writeString(draft.resolve(VERSION), version);
        Files.write(draft.resolve(SET), set);
        for (int i = 0; i < values.size(); i++) Files.copy(values.get(i), draft.resolve("values-%d.yaml".formatted(i)));
        Home.remove(folder);
        Files.move(draft, folder);
    }

    /** What {@link #keep} wrote; empty when there is nothing. */
    static Optional<IstioSettings> kept(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return Optional.of(new IstioSettings(Files.readString(folder.resolve(VERSION)), Files.readAllLines(folder.resolve(SET)),
                    files.filter(f -> f.getFileName().toString().startsWith("values-")).sorted().toList()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** As it would be typed. */
    @Override public String toString() {
        return Stream.of(Stream.of("--istio-version " + version), values.stream().map(f -> "--istio-values " + Tool.quoted(f.toString())),
                set.stream().map(s -> "--istio-set " + Tool.quoted(s))).flatMap(s -> s).collect(Collectors.joining(" "));
    }
}
