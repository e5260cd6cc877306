package lib;

import module java.base;

/**
 * What a run keeps in the demo's state for those after it.
 *
 * @param clusters  how many the demo has, so that one that is gone is missed; 0 when there is no demo
 * @param authority who signs for it, which cannot be changed; empty when there is no demo
 * @param istio     what was asked for of Istio; empty when there is no demo
 */
public record Remembered(int clusters, Optional<CertificateAuthority.Choice> authority, Optional<IstioSettings> istio) {
    private static final String CLUSTERS = "clusters", AUTHORITY = "ca", ISTIO = "istio";

    static Remembered of(Home home) {
        String clusters = read(home, CLUSTERS), authority = read(home, AUTHORITY);
        return new Remembered(clusters.matches("\\d") ? Integer.parseInt(clusters) : 0, Arrays.stream(CertificateAuthority.Choice.values())
                .filter(choice -> choice.toString().equals(authority)).findFirst(), IstioSettings.kept(home.state().resolve(ISTIO)));
    }

    private static String read(Home home, String name) {
        try {
            return Files.readString(home.state().resolve(name));
        } catch (IOException e) {
            return "";
        }
    }

    /** Writes it down. */
    void keep(Home home) throws IOException {
        Path state = home.make().state();
        Files.writeString(state.resolve(CLUSTERS), "" + clusters);
        Files.writeString(state.resolve(AUTHORITY), "" + authority.orElseThrow());
        istio.orElseThrow().keep(state.resolve(ISTIO));
    }
}
