package lib.fetch;

import module java.base;
import lib.cli.*;
import lib.run.*;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdInputStream;

/**
 * All that the demo needs, in one place: kind, istioctl, upstream's files, manifests, and every image, as a folder or as that folder's
 * archive, FILE.tar.zst. What is taken out of one goes where it would be fetched to: into the cache and the engine. {@link BundleMaker}
 * makes it.
 */
public final class Bundle {
    public static final String INDEX = "index.json", IMAGES = "images.tar.zst";
    /** The demo's own marker within the index, with the version of the format: nothing else may be replaced or used. */
    public static final String FORMAT = "kind-demo-bundle/1";
    public static final Duration LIMIT = Duration.ofMinutes(20);

    /**
     * What a bundle is made of.
     *
     * @param format    {@link #FORMAT}
     * @param versions  those of the demo and of what it installs, which must be those of the scripts
     * @param platform  the machine that its programs run on
     * @param nodeImage the image of kind's nodes
     * @param images    every image and its ID
     * @param parts     every file and its SHA-256 in hex
     */
    public record Index(String format, Map<String, String> versions, String platform, String nodeImage, SortedMap<String, String> images,
            SortedMap<String, String> parts) {}

    private final Path path;
    private final Map<String, String> versions;
    private final ExternalCommand tar;
    private final String again;
    private Index index;

    /**
     * @param path  the folder, or the archive when its name ends so
     * @param istio the version of Istio that is to be in it
     */
    public Bundle(Path path, String istio, Console console) {
        this.path = path.toAbsolutePath().normalize();
        this.versions = Versions.all(istio);
        this.tar = new ExternalCommand("tar", "install tar", console);
        this.again = console.commands().bundle("demo.tar.zst");
    }

    private String copyOrMake() { return "copy it here again, or make it where there is a connection: " + again; }

    public static boolean isArchive(Path path) { return path.toString().endsWith(".tar.zst"); }

    /** Every image that is in it. */
    public Set<String> images() { return index.images.keySet(); }

    public String nodeImage() { return index.nodeImage; }

    /**
     * Reads the index, and puts programs and files into the cache.
     *
     * @param programs those that are taken
     * @throws Problem when it is none, is damaged, or does not fit this machine or these scripts
     */
    public Bundle open(Path cache, Binary... programs) {
        if (!Files.exists(path))
            throw Problem.usage("--offline takes a bundle; there is none at " + path, copyOrMake());
        try {
            Files.createDirectories(cache);
            Path folder = isArchive(path) ? Files.createTempDirectory(cache, "bundle") : path;
            try {
                if (isArchive(path)) unpack(folder, "--exclude=./" + IMAGES);
                index = read(folder.resolve(INDEX));
                checkFits();
                for (Binary program : programs) put(folder, program.name(), program.installed());
                for (Release asset : Versions.ASSETS)
                    if (index.parts.containsKey(asset.file())) put(folder, asset.file(), cache.resolve(asset.file()));
            } finally {
                if (isArchive(path)) AppDirs.remove(folder);
            }
            return this;
        } catch (IOException e) {
            throw Problem.unmet("cannot use %s: %s".formatted(path, e.getMessage()), "is there room in %s?".formatted(cache));
        }
    }

    /** What the index of an existing folder or archive says; empty when it has none with this demo's marker. Reads an archive whole. */
    public Optional<Index> marked() {
        try {
            Path folder = isArchive(path) ? Files.createTempDirectory("bundle") : path;
            try {
                if (isArchive(path)) unpack(folder, "./" + INDEX);
                return Optional.of(read(folder.resolve(INDEX)));
            } finally {
                if (isArchive(path)) AppDirs.remove(folder);
            }
        } catch (Problem | IOException e) {
            return Optional.empty();
        }
    }

    private void unpack(Path folder, String... which) throws IOException {
        try (InputStream in = new ZstdInputStream(Files.newInputStream(path))) {
            tar.from(LIMIT, in, Stream.concat(Stream.of("-x", "-o", "-C", folder.toString()), Stream.of(which)).toArray(String[]::new));
        } catch (Problem | IOException e) {
            if (e instanceof Problem p && p.exitCode() == Problem.UNMET) throw p; // tar itself is missing
            throw Problem.unmet("%s is damaged, or is no archive: %s".formatted(path, Objects.toString(e.getMessage()).lines().findFirst()
                    .orElse("")), copyOrMake());
        }
    }

    private Index read(Path file) throws IOException {
        try {
            Index read = new ObjectMapper().readValue(Files.readString(file), Index.class);
            if (FORMAT.equals(read.format) && read.versions != null && read.images != null && read.parts != null) return read;
        } catch (NoSuchFileException | JsonProcessingException e) {
            // told below
        }
        throw Problem.unmet("%s is no bundle of this demo: it has no %s that can be read".formatted(path, INDEX),
                copyOrMake());
    }

    private void checkFits() {
        String here = "" + Platform.current();
        if (!index.platform.equals(here))
            throw Problem.unmet("the bundle %s is for %s; this machine is %s".formatted(path, index.platform, here),
                    "make one on a machine like this: " + again);
        if (!index.versions.equals(versions))
            throw Problem.unmet("the bundle %s is for other scripts: it has %s, they need %s".formatted(path, index.versions, versions),
                    "use the scripts that made it, or make it anew with these");
    }

    /** Puts a part in its place, unless one is there: a program that runs cannot be overwritten. */
    private void put(Path folder, String part, Path target) throws IOException {
        checkPart(folder, part);
        if (Files.exists(target) && Downloads.sha256(target).equals(index.parts.get(part))) return;
        Files.createDirectories(target.getParent());
        Path draft = Files.createTempFile(target.getParent(), part, ".new");
        Files.copy(folder.resolve(part), draft, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
        Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private void checkPart(Path folder, String part) throws IOException {
        Path file = folder.resolve(part);
        String sum = Files.exists(file) ? Downloads.sha256(file) : "none", expected = index.parts.get(part);
        if (!sum.equals(expected))
            throw Problem.unmet("%s in %s is not what its index says: SHA-256 %s, expected %s".formatted(part, path, sum,
                    expected), copyOrMake());
    }

    /** Receives the archive of all images. */
    public interface ImageReader {
        void read(InputStream archive) throws IOException;
    }

    /** Every image of the bundle, and its ID. */
    public SortedMap<String, String> imageIds() { return index.images; }

    /** The same as shell commands. */
    public String loadImagesAsShell() {
        return isArchive(path) ? "zstd -dc %s | tar -x -O ./%s | zstd -dc | docker load".formatted(DemoCommands.quoted("" + path), IMAGES)
                : "zstd -dc %s | docker load".formatted(DemoCommands.quoted("" + path.resolve(IMAGES)));
    }

    /** Hands on the archive of the images, once its checksum is verified. */
    public void readImages(Path cache, Consumer<String> progress, ImageReader reader) throws IOException {
        Path folder = isArchive(path) ? Files.createTempDirectory(cache, "bundle") : path;
        try {
            progress.accept("unpacking and verifying the checksum");
            if (isArchive(path)) unpack(folder, "./" + IMAGES);
            checkPart(folder, IMAGES);
            long size = Files.size(folder.resolve(IMAGES));
            try (var read = counting(Files.newInputStream(folder.resolve(IMAGES)), size, progress); var in = new ZstdInputStream(read)) {
                reader.read(in);
            }
        } finally {
            if (isArchive(path)) AppDirs.remove(folder);
        }
    }

    private static InputStream counting(InputStream in, long size, Consumer<String> progress) {
        return new FilterInputStream(in) {
            private long read;

            @Override public int read(byte[] bytes, int from, int count) throws IOException {
                int n = in.read(bytes, from, count);
                progress.accept(Downloads.bar(read += Math.max(0, n), size));
                return n;
            }
        };
    }
}
