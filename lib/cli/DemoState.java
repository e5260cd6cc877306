package lib.cli;

import module java.base;
import lib.istio.*;
import lib.ca.*;
import lib.run.*;

/**
 * What a run keeps in the demo's state for those after it.
 *
 * @param clusters  how many the demo has, so that one that is gone is missed; 0 when there is no demo
 * @param authority who signs for it, which cannot be changed; empty when there is no demo
 * @param istio     what was asked for of Istio; empty when there is no demo
 * @param slot      its block of ports and addresses; empty when there is no demo, or it has no kind clusters
 */
public record DemoState(int clusters, Optional<CertificateAuthority.Choice> authority, Optional<IstioSettings> istio,
        OptionalInt slot) {
    private static final String CLUSTERS = "clusters", AUTHORITY = "ca", ISTIO = "istio", SLOT = "slot";

    public static DemoState of(AppDirs home) {
        String clusters = read(home.state(), CLUSTERS), authority = read(home.state(), AUTHORITY);
        return new DemoState(clusters.matches("\\d") ? Integer.parseInt(clusters) : 0, Arrays.stream(CertificateAuthority.Choice.values())
                .filter(choice -> choice.toString().equals(authority)).findFirst(), IstioSettings.kept(home.state().resolve(ISTIO)),
                slot(home.state()));
    }

    private static OptionalInt slot(Path state) {
        String slot = read(state, SLOT);
        return slot.matches("\\d") ? OptionalInt.of(Integer.parseInt(slot)) : OptionalInt.empty();
    }

    /** The slots of the other demos, also of those whose nodes are yet to be made. */
    public static Set<Integer> slotsOfOthers(AppDirs home) {
        try (Stream<Path> states = Files.list(home.state().getParent())) {
            return states.filter(state -> !state.equals(home.state()))
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

    /** Writes it down. */
    public void keep(AppDirs home) throws IOException {
        Path state = home.make().state();
        Files.writeString(state.resolve(CLUSTERS), "" + clusters);
        Files.writeString(state.resolve(AUTHORITY), "" + authority.orElseThrow());
        istio.orElseThrow().keep(state.resolve(ISTIO));
        if (slot.isPresent()) Files.writeString(state.resolve(SLOT), "" + slot.getAsInt());
    }
}
