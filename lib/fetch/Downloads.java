package lib.fetch;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Upstream's releases: taken from the user's folder, else from the cache, else downloaded into the cache. The checksum
 * of a download must be the pinned one or, where none is pinned, the one that upstream publishes. The user's own copy
 * of a file without a pin is used as it is.
 */
public final class Downloads {
    private static final Duration PATIENCE = Duration.ofSeconds(20), PAUSE = Duration.ofMillis(200);
    /** Longer than a download may take. */
    private static final Duration OTHER_RUN = Duration.ofMinutes(40);
    /** Preflight reports within seconds that a server does not answer; one that is connected gets more time. */
    private static final Duration CHECK_CONNECTS = Duration.ofMillis(1500), CHECK_ANSWERS = Duration.ofSeconds(6);

    private final Optional<Path> folder;
    private final Path cache;
    private final Optional<URI> mirror;
    private final boolean offline;
    private final Console console;

    /**
     * @param folder  the user's own copies
     * @param cache   the folder for downloads
     * @param mirror  the server to use instead of upstream's
     * @param offline whether downloads are forbidden
     */
    public Downloads(Optional<Path> folder, Path cache, Optional<URI> mirror, boolean offline, Console console) {
        this.folder = folder;
        this.cache = cache;
        this.mirror = mirror;
        this.offline = offline;
        this.console = console;
    }

    /** The user's copy of the file, or the one in the cache. */
    private Optional<Path> local(Release release) {
        return Stream.concat(folder.stream(), Stream.of(cache)).map(f -> f.resolve(release.file()))
                .filter(Files::exists).findFirst();
    }

    /** The file's address in a shell command. */
    public String quotedUrl(Release release) { return DemoCommands.quoted("" + address(release.url())); }

    /**
     * Returns the file's text, and downloads the file if necessary.
     *
     * @throws Problem when it cannot be downloaded or has the wrong checksum
     */
    public String read(Release release) {
        try {
            Path cached = cache.resolve(release.file());
            Path file = local(release).orElseGet(() -> fetch(release, cached, _ -> {}, Files::move));
            String sum = sha256(file), pin = release.sha256();
            if (pin == null || sum.equals(pin)) return Files.readString(file);
            throw Problem.unmet("%s is not the pinned file: SHA-256 %s, expected %s".formatted(file, sum, pin),
                    "remove it and download it again from " + release.url());
        } catch (IOException e) {
            throw Problem.unmet("cannot read " + e.getMessage(), "check the permissions of the folder");
        }
    }

    /** Reports where the file would be downloaded from, if it would; a {@link Problem} when it cannot be used. */
    public String describe(Release release) {
        if (local(release).isEmpty()) return "%s will be downloaded from %s".formatted(release.file(), server(release));
        read(release);
        return release.file();
    }

    /**
     * Returns the server that the file would be downloaded from, after asking it for the checksum or the file.
     *
     * @throws Problem when it does not have the file
     */
    String server(Release release) {
        URI address = address(release.sums() == null ? release.url() : release.sums());
        try (HttpDownload download = download(CHECK_CONNECTS, CHECK_ANSWERS)) {
            download.text(address);
            return address.getHost();
        } catch (IOException | InterruptedException e) {
            throw cannotDownload(release, e);
        }
    }

    private HttpDownload download(Duration connect, Duration patience) throws IOException {
        if (offline) throw new IOException("--offline forbids downloads");
        return new HttpDownload(connect, patience, PAUSE, System.getenv());
    }

    /** Makes the file to keep from a verified download. */
    interface Unpack {
        void unpack(Path download, Path file) throws IOException;
    }

    /**
     * Downloads a file, unless another run has just done so. The file appears only when it is complete.
     *
     * @param target   the file to create
     * @param progress receives how much has arrived
     * @throws Problem when the download fails or has the wrong checksum
     */
    Path fetch(Release release, Path target, Consumer<String> progress, Unpack unpack) {
        try (HttpDownload download = download(PATIENCE, PATIENCE)) {
            Files.createDirectories(target.getParent());
            Path lock = cache.resolve(release.file() + ".lock");
            Files.createDirectories(lock.getParent());
            try (Closeable _ = Await.lock(lock, "another run is downloading it", OTHER_RUN, progress)) {
                if (!Files.exists(target)) fetchLocked(release, target, download, progress, unpack);
            }
            return target;
        } catch (IOException | InterruptedException e) {
            throw cannotDownload(release, e);
        }
    }

    private void fetchLocked(Release release, Path target, HttpDownload download, Consumer<String> progress,
            Unpack unpack) throws IOException, InterruptedException {
        URI address = address(release.url());
        Path part = cache.resolve(release.file() + ".part"), draft = Path.of(target + ".new");
        String expected = release.sha256(), source = "as pinned in lib/fetch/Versions.java";
        try {
            if (expected == null) {
                URI sums = address(release.sums());
                expected = publishedSum(release, download.text(sums));
                source = "as published in " + sums;
            }
            console.info("downloading " + address);
            download.into(part, address, (received, size) -> progress.accept(bar(received, size)));
            String sum = sha256(part);
            if (!sum.equals(expected))
                throw Problem.unmet("%s has the wrong checksum: SHA-256 %s, expected %s, %s".formatted(address, sum,
                        expected, source), "try again; if that does not help, a proxy on the way changes the file");
            console.detail("%s: SHA-256 %s, %s".formatted(release.file(), sum, source));
            Files.deleteIfExists(draft);
            unpack.unpack(part, draft);
            Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
            Files.deleteIfExists(draft);
        }
    }

    /** The checksum in the output of sha256sum, or in GitHub's description of a release. */
    private static String publishedSum(Release release, String text) throws IOException {
        String sums = text.startsWith("{") ? digest(release, text) : text;
        String sum = sums.strip().split("\\s+")[0].toLowerCase(Locale.ROOT);
        if (!sum.matches("[0-9a-f]{64}")) throw new IOException(release.sums() + " has no SHA-256 for it");
        return sum;
    }

    /** Returns the checksum that GitHub computed, or an empty text. https://docs.github.com/en/rest/releases/assets */
    private static String digest(Release release, String description) throws IOException {
        for (JsonNode file : new ObjectMapper().readTree(description).path("assets")) {
            String digest = file.path("digest").asText();
            if (file.path("browser_download_url").asText().equals(release.url()) && digest.startsWith("sha256:"))
                return digest.substring("sha256:".length());
        }
        return "";
    }

    /** The address to download from. A mirror has the paths that {@code wget --force-directories} creates. */
    private URI address(String url) {
        if (mirror.isEmpty()) return URI.create(url);
        return URI.create(mirror.get().toString().replaceFirst("/+$", "") + url.substring("https:/".length()));
    }

    private Problem cannotDownload(Release release, Exception e) {
        String message = Objects.requireNonNullElse(e.getMessage(), e.getClass().getSimpleName());
        String reason = e instanceof InterruptedException ? "interrupted" : message;
        String folder = release.file().endsWith(".yaml") ? ", or use --mirror DIR with a folder that has the file" : "";
        String hint = offline ? "create the bundle with the same options"
                : "check your connection to " + address(release.url()).getHost() + ", or use --mirror URL";
        return Problem.unmet("cannot download %s: %s".formatted(release.file(), reason), hint + folder);
    }

    /** A progress bar. */
    static String bar(long received, long size) {
        if (size <= 0) return "%.1f MB".formatted(received / 1e6);
        int width = 20, full = (int) (width * received / size);
        String bar = "█".repeat(full) + "░".repeat(width - full);
        return "%s %.1f of %.1f MB".formatted(bar, received / 1e6, size / 1e6);
    }

    /** Returns a file's SHA-256 in hex. */
    public static String sha256(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            in.transferTo(new DigestOutputStream(OutputStream.nullOutputStream(), digest));
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
