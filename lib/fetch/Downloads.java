package lib.fetch;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Files that upstream publishes: from the caller's folder, else the cache, else fetched once. Always checked: against the pin, or
 * where there is none against the checksum that upstream publishes beside the file; then the caller's own copy is taken as it is.
 */
public final class Downloads {
    private static final Duration PATIENCE = Duration.ofSeconds(20), PAUSE = Duration.ofMillis(200);
    /** A look whether a server is there is over soon, as all that comes before the first step; one that is there gets more time. */
    private static final Duration GLANCE = Duration.ofMillis(1500), LOOK = Duration.ofSeconds(6);
    /** One fetch of a file at a time within this process; a lock on a file keeps others off. */
    private static final Map<Path, ReentrantLock> FETCHING = new ConcurrentHashMap<>();

    private final Optional<Path> folder;
    private final Path cache;
    private final Optional<URI> mirror;
    private final boolean offline;
    private final Console console;

    /**
     * @param folder  the user's own copies
     * @param cache   where fetched files are kept
     * @param mirror  the server to use instead of upstream's
     * @param offline whether nothing may be fetched
     */
    public Downloads(Optional<Path> folder, Path cache, Optional<URI> mirror, boolean offline, Console console) {
        this.folder = folder;
        this.cache = cache;
        this.mirror = mirror;
        this.offline = offline;
        this.console = console;
    }

    /** The file's path if it need not be fetched. */
    public Optional<Path> local(Release asset) {
        return Stream.concat(folder.stream(), Stream.of(cache)).map(f -> f.resolve(asset.file()))
                .filter(Files::exists).findFirst();
    }

    /** How a command names the file: by its address, which every machine can read. */
    public String typed(Release asset) { return DemoCommands.quoted("" + address(asset.url())); }

    /**
     * The file's text. The caller's own copy of one that is not pinned is taken as it is.
     *
     * @throws Problem when it cannot be had, or is not what was pinned
     */
    public String read(Release asset) {
        try {
            Path file = local(asset).orElseGet(() -> fetch(asset, cache.resolve(asset.file()), _ -> {}, fetched -> fetched));
            String sum = sha256(file);
            if (asset.sha256() != null && !sum.equals(asset.sha256()))
                throw Problem.unmet("%s is not the file that was pinned: SHA-256 %s, expected %s"
                    .formatted(file, sum, asset.sha256()), "remove it and get it again from " + asset.url());
            return Files.readString(file);
        } catch (IOException e) {
            throw Problem.unmet("cannot read " + e.getMessage(), "check the folder's mode");
        }
    }

    /** Looks whether the file is here, and the right one, or could be fetched, and says so; a {@link Problem} when neither is. */
    public String look(Release asset) {
        if (local(asset).isEmpty()) return "%s is fetched from %s".formatted(asset.file(), published(asset));
        read(asset);
        return asset.file();
    }

    /**
     * The server that the file would be fetched from, once it has answered; the file itself is left there.
     *
     * @throws Problem when it cannot be had
     */
    String published(Release asset) {
        URI address = address(asset.sums() == null ? asset.url() : asset.sums());
        if (offline) throw cannotGet(asset, "--offline fetches nothing");
        try (HttpDownload download = new HttpDownload(GLANCE, LOOK, PAUSE, System.getenv())) {
            download.text(address);
            return address.getHost();
        } catch (IOException e) {
            throw cannotGet(asset, e.getMessage());
        } catch (InterruptedException e) {
            throw cannotGet(asset, "interrupted");
        }
    }

    /** What is done with a file that has arrived whole, before it is put in place. */
    interface Unpack {
        /** The file to put in place. */
        Path unpack(Path fetched) throws IOException;
    }

    /**
     * Fetches a file and puts it in place at once; nothing when another run has done that meanwhile.
     *
     * @param target where it goes
     * @param progress   told how much has arrived
     * @throws Problem when it cannot be had, or is not what was published
     */
    Path fetch(Release asset, Path target, Consumer<String> progress, Unpack unpack) {
        if (offline) throw cannotGet(asset, "--offline fetches nothing");
        ReentrantLock mine = FETCHING.computeIfAbsent(target, _ -> new ReentrantLock());
        mine.lock();
        try {
            Files.createDirectories(target.getParent());
            try (var file = FileChannel.open(cache.resolve(asset.file() + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock _ = lock(file, progress)) {
                if (!Files.exists(target)) fetchLocked(asset, target, progress, unpack);
            }
            return target;
        } catch (IOException e) {
            throw cannotGet(asset, Objects.requireNonNullElse(e.getMessage(), e.getClass().getSimpleName()));
        } catch (InterruptedException e) {
            throw cannotGet(asset, "interrupted");
        } finally {
            mine.unlock();
        }
    }

    private static FileLock lock(FileChannel file, Consumer<String> progress) throws IOException, InterruptedException {
        for (FileLock lock; ; Thread.sleep(200)) {
            if ((lock = file.tryLock()) != null) return lock;
            progress.accept("another run fetches it");
        }
    }

    private void fetchLocked(Release asset, Path target, Consumer<String> progress, Unpack unpack)
            throws IOException, InterruptedException {
        URI address = address(asset.url());
        Path part = cache.resolve(asset.file() + ".part"), unpacked = part;
        try (HttpDownload download = new HttpDownload(PATIENCE, PATIENCE, PAUSE, System.getenv())) {
            String expected = asset.sha256() != null ? asset.sha256() : published(asset, download.text(address(asset.sums())));
            console.info("fetching " + address);
            download.into(part, address, (have, all) -> progress.accept(bar(have, all)));
            String how = asset.sha256() != null ? "as pinned in lib/fetch/Versions.java" : "as published in " + address(asset.sums());
            String sum = sha256(part);
            if (!sum.equals(expected)) throw Problem.unmet("%s is not the right file: SHA-256 %s, %s it is %s".formatted(address, sum, how,
                    expected), "try again; if that does not help, something between here and there changes it");
            console.detail("%s: SHA-256 %s, %s".formatted(asset.file(), sum, how));
            unpacked = unpack.unpack(part);
            Files.move(unpacked, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
            Files.deleteIfExists(unpacked);
        }
    }

    /** The checksum in a file such as sha256sum writes, or in GitHub's description of a release. */
    private static String published(Release asset, String output) throws IOException {
        String sum = (output.startsWith("{") ? digest(asset, output) : output).strip().split("\\s+")[0].toLowerCase(Locale.ROOT);
        if (!sum.matches("[0-9a-f]{64}")) throw new IOException(asset.sums() + " has no SHA-256 of it");
        return sum;
    }

    /** As GitHub computed it; empty when the release has no such file. https://docs.github.com/en/rest/releases/assets */
    private static String digest(Release asset, String release) throws IOException {
        for (JsonNode file : new ObjectMapper().readTree(release).path("assets")) {
            String digest = file.path("digest").asText();
            if (file.path("browser_download_url").asText().equals(asset.url()) && digest.startsWith("sha256:"))
                return digest.substring("sha256:".length());
        }
        return "";
    }

    /** Where a file is asked for: with a mirror behind its address, as {@code wget --force-directories} names files. */
    private URI address(String url) {
        return URI.create(mirror.map(m -> m.toString().replaceFirst("/+$", "") + url.substring("https:/".length())).orElse(url));
    }

    private Problem cannotGet(Release asset, String why) {
        String other = !asset.file().endsWith(".yaml") ? "" : ", or put the file into a folder and name it with --assets";
        return Problem.unmet("cannot get %s: %s".formatted(asset.file(), why),
                "check your connection to %s, or name a mirror with --mirror%s".formatted(address(asset.url()).getHost(), other));
    }

    /** How much has arrived, for the line that tells what runs. */
    static String bar(long have, long all) {
        if (all <= 0) return "%.1f MB".formatted(have / 1e6);
        int width = 20, full = (int) (width * have / all);
        return "%s%s %.1f of %.1f MB".formatted("█".repeat(full), "░".repeat(width - full), have / 1e6, all / 1e6);
    }

    /** A file's SHA-256, in hex. */
    public static String sha256(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int n; (n = in.read(buffer)) >= 0;) digest.update(buffer, 0, n);
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
