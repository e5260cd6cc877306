package lib.fetch;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Everything that the demo needs offline: kind, istioctl, manifests and all images, in a folder or an archive
 * FILE.tar.gz. Its files are copied to the cache, its images are loaded into Docker. BundleMaker creates it.
 */
public final class Bundle {
    public static final String INDEX = "index.json", IMAGES = "images.tar.gz";
    /** Marks the index as this demo's, with the version of the format: other files are neither used nor replaced. */
    public static final String FORMAT = "kind-demo-bundle/2";
    public static final Duration LIMIT = Duration.ofMinutes(20);

    /**
     * The contents of a bundle.
     *
     * @param format    {@link #FORMAT}
     * @param versions  of the demo and of what it installs
     * @param platform  the machine that its programs are for
     * @param nodeImage kind's node image
     * @param images    the images and their IDs
     * @param parts     the files and their SHA-256 in hex
     */
    public record Index(String format, Map<String, String> versions, String platform, String nodeImage,
            SortedMap<String, String> images,
            SortedMap<String, String> parts) {}

    private final Path path;
    private final Map<String, String> versions;
    private final ExternalCommand tar;
    private final String createCommand;
    private Index index;

    /**
     * @param path  the folder or archive
     * @param istio the version of Istio that it must have
     */
    public Bundle(Path path, String istio, Console console) {
        this.path = path.toAbsolutePath().normalize();
        this.versions = Versions.all(istio);
        this.tar = new ExternalCommand("tar", "install tar", console);
        this.createCommand = console.commands().bundle("demo.tar.gz");
    }

    private String copyOrCreate() {
        return "copy it again, or create it on a machine with a connection: " + createCommand;
    }

    public static boolean isArchive(Path path) { return path.toString().endsWith(".tar.gz"); }

    /** The names of its images. */
    public Set<String> images() { return index.images.keySet(); }

    /** Its images and their IDs. */
    public SortedMap<String, String> imageIds() { return index.images; }

    public String nodeImage() { return index.nodeImage; }

    /**
     * Reads the index, and copies the programs and upstream's manifests into the cache.
     *
     * @throws Problem when it is not a bundle, is damaged, or does not fit this machine or these scripts
     */
    public Bundle open(Path cache, Binary... programs) {
        if (!Files.exists(path)) throw Problem.usage("the bundle %s does not exist".formatted(path), copyOrCreate());
        try {
            Files.createDirectories(cache);
            unpacked(cache, "--exclude=./" + IMAGES, folder -> {
                index = read(folder);
                checkFits();
                for (Binary program : programs) copy(folder, program.name(), program.installed());
                List<String> manifests = Versions.MANIFESTS.stream().map(Release::file).toList();
                for (String file : manifests)
                    if (index.parts.containsKey(file)) copy(folder, file, cache.resolve(file));
            });
            return this;
        } catch (IOException e) {
            throw Problem.unmet("cannot use %s: %s".formatted(path, e.getMessage()),
                    "check that the disk of %s has room".formatted(cache));
        }
    }

    /** Returns the index of a folder or archive if it is a bundle of this demo. Reads the whole archive. */
    public Optional<Index> findIndex() {
        try {
            unpacked(Path.of(System.getProperty("java.io.tmpdir")), "./" + INDEX, folder -> index = read(folder));
            return Optional.of(index);
        } catch (Problem | IOException e) {
            return Optional.empty();
        }
    }

    private interface Use {
        void of(Path folder) throws IOException;
    }

    /** Uses the bundle's folder; of an archive a temporary one, with the members that tar's argument selects. */
    private void unpacked(Path parent, String members, Use use) throws IOException {
        if (!isArchive(path)) {
            use.of(path);
            return;
        }
        Path folder = Files.createTempDirectory(parent, "bundle");
        try {
            var result = tar.attempt(LIMIT, "-x", "-z", "-o", "-f", "" + path, "-C", "" + folder, members);
            if (!result.ok()) throw Problem.unmet("%s is damaged or not an archive: %s".formatted(path,
                    result.lastLines().lines().findFirst().orElse("")), copyOrCreate());
            use.of(folder);
        } finally {
            AppDirs.remove(folder);
        }
    }

    private Index read(Path folder) throws IOException {
        try {
            Index read = new ObjectMapper().readValue(Files.readString(folder.resolve(INDEX)), Index.class);
            boolean complete = read.versions != null && read.images != null && read.parts != null;
            if (complete && FORMAT.equals(read.format)) return read;
        } catch (NoSuchFileException | JsonProcessingException e) {
            // reported below
        }
        throw Problem.unmet("%s is not a bundle of this demo: its %s is missing or invalid".formatted(path, INDEX),
                copyOrCreate());
    }

    private void checkFits() {
        String here = "" + Platform.current();
        if (!index.platform.equals(here))
            throw Problem.unmet("the bundle %s is for %s; this machine is %s".formatted(path, index.platform, here),
                    "create one on a machine like this: " + createCommand);
        if (!index.versions.equals(versions))
            throw Problem.unmet("the bundle %s has other versions than the scripts: it has %s, they need %s".formatted(
                    path, index.versions, versions), "use the scripts that created it, or recreate it with these");
    }

    /** Copies a part into its place, unless it is there: a running program cannot be overwritten. */
    private void copy(Path folder, String part, Path target) throws IOException {
        checkPart(folder, part);
        if (Files.exists(target) && Downloads.sha256(target).equals(index.parts.get(part))) return;
        Files.createDirectories(target.getParent());
        Path draft = Files.createTempFile(target.getParent(), "part", ".new");
        try {
            Files.copy(folder.resolve(part), draft, StandardCopyOption.REPLACE_EXISTING,
                    StandardCopyOption.COPY_ATTRIBUTES);
            Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(draft);
        }
    }

    private void checkPart(Path folder, String part) throws IOException {
        Path file = folder.resolve(part);
        String sum = Files.exists(file) ? Downloads.sha256(file) : "none", expected = index.parts.get(part);
        if (sum.equals(expected)) return;
        throw Problem.unmet("%s in %s has the wrong checksum: SHA-256 %s, expected %s".formatted(part, path, sum,
                expected), copyOrCreate());
    }

    /** Receives the archive of all images, compressed by gzip. */
    public interface ImageReader {
        void read(InputStream archive) throws IOException;
    }

    /** The shell command that loads the images. */
    public String loadImagesAsShell() {
        if (!isArchive(path)) return "docker load --input " + DemoCommands.quoted("" + path.resolve(IMAGES));
        return "tar -x -z -O -f %s ./%s | docker load".formatted(DemoCommands.quoted("" + path), IMAGES);
    }

    /** Passes on the archive of the images after its checksum is verified. */
    public void readImages(Path cache, Consumer<String> progress, ImageReader reader) throws IOException {
        progress.accept("unpacking and verifying the checksum");
        unpacked(cache, "./" + IMAGES, folder -> {
            checkPart(folder, IMAGES);
            Path images = folder.resolve(IMAGES);
            long size = Files.size(images);
            try (InputStream in = Files.newInputStream(images)) {
                reader.read(new FilterInputStream(in) {
                    private long count;

                    @Override public int read(byte[] bytes, int from, int most) throws IOException {
                        int n = super.read(bytes, from, most);
                        count += Math.max(0, n);
                        progress.accept(Downloads.bar(count, size));
                        return n;
                    }
                });
            }
        });
    }
}
