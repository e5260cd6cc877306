package lib.cli;

import module java.base;
import lib.ca.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;

/**
 * What a run keeps for later runs of the same demo.
 *
 * @param clusters  how many the demo has, so that a deleted one is noticed; 0 when there is no demo
 * @param authority its certificate authority, which cannot be changed; empty when there is no demo
 * @param istio     the Istio that was asked for; empty when there is no demo
 * @param observed  whether it has Prometheus and Kiali
 * @param slot      its block of ports and addresses; empty when there is no demo, or it has no kind clusters
 */
public record DemoState(int clusters, Optional<CertificateAuthority.Choice> authority, Optional<IstioSettings> istio,
        boolean observed, OptionalInt slot) {
    private static final String CLUSTERS = "clusters", AUTHORITY = "ca", ISTIO = "istio", OBSERVED = "observe",
            SLOT = "slot";
    /** The longest name of a folder: file systems allow 255 bytes, and names of files beside it have endings. */
    private static final int LONGEST = 200;

    public static DemoState of(AppDirs dirs) {
        String clusters = read(dirs.state(), CLUSTERS), authority = read(dirs.state(), AUTHORITY);
        return new DemoState(clusters.matches("\\d") ? Integer.parseInt(clusters) : 0, choice(authority),
                IstioSettings.kept(dirs.state().resolve(ISTIO)), Files.exists(dirs.state().resolve(OBSERVED)),
                slot(dirs.state()));
    }

    private static Optional<CertificateAuthority.Choice> choice(String name) {
        return Arrays.stream(CertificateAuthority.Choice.values()).filter(c -> c.toString().equals(name)).findFirst();
    }

    private static OptionalInt slot(Path state) {
        String slot = read(state, SLOT);
        return slot.matches("\\d") ? OptionalInt.of(Integer.parseInt(slot)) : OptionalInt.empty();
    }

    /** A {@link Problem} when the demo has another certificate authority than the wanted one. */
    void requireAuthority(CertificateAuthority.Choice wanted, DemoCommands commands) {
        if (authority.isEmpty() || authority.get() == wanted) return;
        throw Problem.unmet("the demo uses --ca %s, and a running mesh cannot change its root"
                .formatted(authority.get()),
                "leave --ca %s out, or start from scratch: %s".formatted(wanted,
                        commands.fromScratch("--ca", "" + wanted)));
    }

    /** The slots of the other demos, also of those that have no nodes yet. */
    public static Set<Integer> slotsOfOthers(AppDirs dirs) {
        try (Stream<Path> states = Files.list(dirs.state().getParent())) {
            return states.filter(state -> !state.equals(dirs.state()))
                    .flatMapToInt(state -> slot(state).stream()).boxed().collect(Collectors.toSet());
        } catch (IOException e) {
            return Set.of(); // no demo has any state
        }
    }

    private static String read(Path state, String name) {
        try {
            return Files.readString(state.resolve(name));
        } catch (IOException e) {
            return "";
        }
    }

    public void write(AppDirs dirs) throws IOException {
        Path state = dirs.create().state();
        Files.writeString(state.resolve(CLUSTERS), "" + clusters);
        Files.writeString(state.resolve(AUTHORITY), "" + authority.orElseThrow());
        istio.orElseThrow().keep(state.resolve(ISTIO));
        if (observed) Files.writeString(state.resolve(OBSERVED), "");
        else Files.deleteIfExists(state.resolve(OBSERVED));
        if (slot.isPresent()) Files.writeString(state.resolve(SLOT), "" + slot.getAsInt());
    }

    /** The folders of the mesh in the clusters of these contexts, in any order; no name prefix has the same ones. */
    static AppDirs dirs(List<String> contexts) {
        String all = contexts.stream().map(DnsLabel::of).sorted().collect(Collectors.joining("+", "contexts+", ""));
        if (all.length() > LONGEST) all = all.substring(0, LONGEST - 9) + "-" + DnsLabel.hash(all);
        AppDirs dirs = AppDirs.of(all);
        adopt(contexts, dirs.state());
        return dirs;
    }

    /** Renames the folder of an earlier version, whose name has the contexts in the order in which they were typed. */
    static void adopt(List<String> contexts, Path state) {
        if (Files.exists(state) || !Files.isDirectory(state.getParent())) return;
        String typed = String.join("+", contexts).replaceAll("[^\\w.@+-]", "_");
        // a context may have the name of another demo's prefix, whose state has other manifests
        String plain = contexts.getFirst().toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
        String manifest = "istio-%s.yaml".formatted(plain);
        try (Stream<Path> all = Files.list(state.getParent())) {
            Optional<Path> old = all.filter(f -> parts(f.getFileName().toString()).equals(parts(typed)))
                    .filter(f -> contexts.size() > 1 || Files.exists(f.resolve(manifest)))
                    .min(Comparator.comparing(f -> !f.endsWith(typed)));
            if (old.isPresent()) Files.move(old.get(), state);
        } catch (IOException e) {
            throw Problem.unmet("cannot rename the state of an earlier version: " + e,
                    "make %s writable".formatted(state.getParent()));
        }
    }

    private static List<String> parts(String name) { return Arrays.stream(name.split("\\+")).sorted().toList(); }
}
