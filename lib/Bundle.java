package lib;

import module java.base;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;

/**
 * All that the demo needs, in one place: kind, istioctl, upstream's files, manifests, and every image, as a folder or as that folder's
 * archive, FILE.tar.zst. What is taken out of one goes where it would be fetched to: into the cache and the engine.
 */
public final class Bundle {
    private static final String INDEX = "index.json", IMAGES = "images.tar.zst";
    /** What a bundle takes while it is made. */
    private static final long ROOM = 3L << 30;
    private static final Duration LIMIT = Duration.ofMinutes(20);
    private static final String AGAIN = "copy it here again, or make it where there is a connection: jbang KindDemo.java --bundle demo.tar.zst";

    /**
     * What a bundle is made of.
     *
     * @param versions  those of the demo and of what it installs, which must be those of the scripts
     * @param platform  the machine that its programs run on
     * @param nodeImage the image of kind's nodes
     * @param images    every image and its ID
     * @param parts     every file and its SHA-256 in hex
     */
    record Index(Map<String, String> versions, String platform, String nodeImage, SortedMap<String, String> images,
            SortedMap<String, String> parts) {}

    private final Path path;
    private final Map<String, String> versions;
    private final Console console;
    private final Tool tar;
    private Index index;

    /**
     * @param path  the folder, or the archive when its name ends so
     * @param istio the version of Istio that is in it, or is to be
     */
    public Bundle(Path path, String istio, Console console) {
        this.path = path.toAbsolutePath().normalize();
        this.versions = Versions.all(istio);
        this.console = console;
        this.tar = new Tool("tar", "install tar", console);
    }

    private boolean isArchive(Path path) { return path.toString().endsWith(".tar.zst"); }

    // --- making one ----------------------------------------------------------------------------------------------------------------

    /** The files that it is made of, until it is whole. */
    private Path draft() { return path.resolveSibling(path.getFileName() + ".part"); }

    /** Makes it, of what these settings need, and says how it is used; false when a step failed, which is told. */
    public boolean make(Settings settings, Docker docker) throws IOException {
        docker.engine();
        checkTarget();
        Images images = new Images(settings, docker);
        CertificateAuthority authority = CertificateAuthority.of(settings, docker);
        Set<String> all = images.all();
        all.addAll(authority.imagesBeside());
        Plan plan = new Plan(console);
        Plan.Step kind = plan.step("kind", add(settings.kind())), istioctl = plan.step("istioctl", add(settings.istioctl()));
        Plan.Step files = plan.step("upstream's files and manifests", add(authority, settings.assets(), settings.manifests()));
        Plan.Step pulled = plan.step("images pulled", images.pull(all));
        Plan.Step saved = plan.step("images", add(all, settings.nodeImage(), docker), pulled);
        plan.step("bundle", seal(), kind, istioctl, files, saved);
        if (!plan.run()) {
            discard();
            plan.report();
            return false;
        }
        console.result("""
                All that the demo needs is in %1$s. On a machine that can reach nothing:
                  jbang --offline KindDemo.java --offline %1$s""".formatted(Tool.quoted("" + path)));
        return true;
    }

    /** A {@link Problem} when no bundle can be made there. */
    void checkTarget() {
        if (path.getFileName().toString().matches(".*\\.(tar|zst|tgz|gz|zip)") && !isArchive(path))
            throw Problem.usage("--bundle takes a folder or FILE.tar.zst, not " + path, "jbang KindDemo.java --bundle demo.tar.zst");
        boolean other = Files.isDirectory(path) ? !Files.exists(path.resolve(INDEX)) && path.toFile().list().length > 0
                : Files.exists(path) && !isArchive(path);
        if (other || isArchive(path) && Files.isDirectory(path))
            throw Problem.usage("there is something else at " + path, "name another place, or remove it");
        Path parent = path.getParent();
        if (!Files.isDirectory(parent)) throw Problem.usage("there is no folder " + parent, "mkdir -p " + parent);
        Host.room(parent, ROOM);
    }

    /** Puts a program's pinned release in, whatever is on PATH. */
    private Action add(Program program) {
        return new Action("", seen -> Files.copy(program.pinned(seen), Files.createDirectories(draft()).resolve(program.name()),
                StandardCopyOption.REPLACE_EXISTING));
    }

    /** Puts upstream's files and the manifests in. */
    private Action add(CertificateAuthority authority, Assets assets, Manifests manifests) {
        return new Action("", _ -> {
            write(Versions.METALLB_MANIFEST.file(), assets.read(Versions.METALLB_MANIFEST));
            for (Versions.Asset asset : authority.upstream()) write(asset.file(), assets.read(asset));
            for (String manifest : Manifests.ALL) write("manifests/" + manifest, manifests.read(manifest));
        });
    }

    private void write(String file, String text) throws IOException {
        Path target = draft().resolve(file);
        Files.createDirectories(target.getParent());
        Files.writeString(target, text);
    }

    /**
     * Puts the images in; layers that several of them share once. They are compressed here already: what is hashed is smaller.
     *
     * @param nodeImage the one of {@code images} that nodes are made from
     */
    private Action add(Collection<String> images, String nodeImage, Docker docker) {
        return new Action("", seen -> {
            // a name with a digest is lost when an image is loaded
            String node = nodeImage.contains("@") ? "kind-demo/base:v" + Version.first(nodeImage) : nodeImage;
            if (!node.equals(nodeImage)) docker.tag(nodeImage, node);
            Set<String> names = new TreeSet<>(images);
            names.remove(nodeImage);
            names.add(node);
            Files.createDirectories(draft());
            try (var out = compressed(Files.newOutputStream(draft().resolve(IMAGES)))) {
                docker.save(names, counting(out, seen));
            }
            index = new Index(versions, "" + Platform.current(), node, new TreeMap<>(docker.present(names)), new TreeMap<>());
        });
    }

    /** Removes what there is of one that cannot be made whole. */
    private void discard() throws IOException { Home.remove(draft()); }

    /** Makes it whole: its index, and the archive if it is to be one. */
    private Action seal() {
        return new Action("", seen -> {
            try (Stream<Path> files = Files.walk(draft())) {
                for (Path file : files.filter(Files::isRegularFile).filter(f -> !f.endsWith(INDEX)).toList()) {
                    seen.accept("SHA-256 of " + file.getFileName());
                    index.parts.put(draft().relativize(file).toString(), Assets.sha256(file));
                }
            }
            write(INDEX, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(index));
            if (isArchive(path)) {
                Path archive = path.resolveSibling(path.getFileName() + ".new");
                try (var out = compressed(Files.newOutputStream(archive))) {
                    tar.into(LIMIT, counting(out, seen), "-c", "-C", draft().toString(), ".");
                }
                Files.move(archive, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } else {
                Home.remove(path);
                Files.move(draft(), path);
            }
            discard();
        });
    }

    private static OutputStream compressed(OutputStream out) throws IOException {
        return new ZstdOutputStream(out).setWorkers(Runtime.getRuntime().availableProcessors());
    }

    /** Tells how much went through. */
    private static OutputStream counting(OutputStream out, Consumer<String> seen) {
        return new FilterOutputStream(out) {
            private long written;

            @Override public void write(byte[] bytes, int from, int count) throws IOException {
                out.write(bytes, from, count);
                seen.accept("%.0f MB".formatted((written += count) / 1e6));
            }
        };
    }

    // --- taking one ----------------------------------------------------------------------------------------------------------------

    /** Every image that is in it. */
    Set<String> images() { return index.images.keySet(); }

    String nodeImage() { return index.nodeImage; }

    /**
     * Reads the index, and puts programs and files into the cache.
     *
     * @param programs those that are taken
     * @throws Problem when it is none, is damaged, or does not fit this machine or these scripts
     */
    public Bundle open(Path cache, Program... programs) {
        if (!Files.exists(path)) throw Problem.usage("--offline takes a bundle; there is none at " + path, AGAIN);
        try {
            Files.createDirectories(cache);
            Path folder = isArchive(path) ? Files.createTempDirectory(cache, "bundle") : path;
            try {
                if (isArchive(path)) unpack(folder, "--exclude=./" + IMAGES);
                index = read(folder.resolve(INDEX));
                checkFits();
                for (Program program : programs) put(folder, program.name(), program.installed());
                for (Versions.Asset asset : Versions.ASSETS)
                    if (index.parts.containsKey(asset.file())) put(folder, asset.file(), cache.resolve(asset.file()));
            } finally {
                if (isArchive(path)) Home.remove(folder);
            }
            return this;
        } catch (IOException e) {
            throw Problem.unfit("cannot use %s: %s".formatted(path, e.getMessage()), "is there room in %s?".formatted(cache));
        }
    }

    private void unpack(Path folder, String... which) throws IOException {
        try (InputStream in = new ZstdInputStream(Files.newInputStream(path))) {
            tar.from(LIMIT, in, Stream.concat(Stream.of("-x", "-o", "-C", folder.toString()), Stream.of(which)).toArray(String[]::new));
        } catch (Problem | IOException e) {
            throw Problem.unfit("%s is damaged, or is no archive: %s".formatted(path, Objects.toString(e.getMessage()).lines().findFirst()
                    .orElse("")), AGAIN);
        }
    }

    private Index read(Path file) throws IOException {
        try {
            Index read = new ObjectMapper().readValue(Files.readString(file), Index.class);
            if (read.versions != null && read.images != null && read.parts != null) return read;
        } catch (NoSuchFileException | JsonProcessingException e) {
            // told below
        }
        throw Problem.unfit("%s is no bundle of this demo: it has no %s that can be read".formatted(path, INDEX), AGAIN);
    }

    private void checkFits() {
        String here = "" + Platform.current();
        if (!index.platform.equals(here))
            throw Problem.unfit("the bundle %s is for %s; this machine is %s".formatted(path, index.platform, here),
                    "make one on a machine like this: jbang KindDemo.java --bundle demo.tar.zst");
        if (!index.versions.equals(versions))
            throw Problem.unfit("the bundle %s is for other scripts: it has %s, they need %s".formatted(path, index.versions, versions),
                    "use the scripts that made it, or make it anew with these");
    }

    /** Puts a part in its place, unless one is there: a program that runs cannot be overwritten. */
    private void put(Path folder, String part, Path target) throws IOException {
        checkPart(folder, part);
        if (Files.exists(target) && Assets.sha256(target).equals(index.parts.get(part))) return;
        Files.createDirectories(target.getParent());
        Path draft = Files.createTempFile(target.getParent(), part, ".new");
        Files.copy(folder.resolve(part), draft, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
        Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private void checkPart(Path folder, String part) throws IOException {
        Path file = folder.resolve(part);
        String sum = Files.exists(file) ? Assets.sha256(file) : "none", expected = index.parts.get(part);
        if (!sum.equals(expected))
            throw Problem.unfit("%s in %s is not what its index says: SHA-256 %s, expected %s".formatted(part, path, sum,
                expected), AGAIN);
    }

    /** Gives the engine the images that it does not have. */
    public Action load(Docker docker, Path cache) {
        String byHand = isArchive(path) ? "zstd -dc %s | tar -x -O ./%s | zstd -dc | docker load".formatted(Tool.quoted("" + path), IMAGES)
                : "zstd -dc %s | docker load".formatted(Tool.quoted("" + path.resolve(IMAGES)));
        return new Action(byHand, seen -> {
            if (docker.present(images()).equals(index.images)) return;
            Path folder = isArchive(path) ? Files.createTempDirectory(cache, "bundle") : path;
            try {
                seen.accept("unpacking and checking");
                if (isArchive(path)) unpack(folder, "./" + IMAGES);
                checkPart(folder, IMAGES);
                long size = Files.size(folder.resolve(IMAGES));
                try (var read = counting(Files.newInputStream(folder.resolve(IMAGES)), size, seen); var in = new ZstdInputStream(read)) {
                    docker.load(in);
                }
            } finally {
                if (isArchive(path)) Home.remove(folder);
            }
            Set<String> lacking = new TreeSet<>(images());
            lacking.removeAll(docker.present(images()).keySet());
            if (!lacking.isEmpty()) throw Problem.failed("the engine did not take from the bundle: " + lacking, "docker image ls");
        });
    }

    private static InputStream counting(InputStream in, long size, Consumer<String> seen) {
        return new FilterInputStream(in) {
            private long read;

            @Override public int read(byte[] bytes, int from, int count) throws IOException {
                int n = in.read(bytes, from, count);
                seen.accept(Assets.bar(read += Math.max(0, n), size));
                return n;
            }
        };
    }
}
