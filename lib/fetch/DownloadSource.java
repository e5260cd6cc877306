package lib.fetch;

import module java.base;

/** The value of --mirror: where downloads come from instead of the original servers. */
public record DownloadSource(String text) {
    /** Its server; empty if it is a folder, or neither. */
    public Optional<URI> url() {
        try {
            return Optional.ofNullable(text).filter(m -> m.matches("https?://.+")).map(URI::create)
                    .filter(u -> u.getHost() != null);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Its folder; empty if it is a server, or neither. */
    public Optional<Path> folder() {
        try {
            return Optional.ofNullable(text).map(Path::of).filter(Files::isDirectory);
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }
}
