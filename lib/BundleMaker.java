package lib;

import module java.base;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdOutputStream;

/** Makes a {@link Bundle} of what these settings need. */
public final class BundleMaker {
    /** What a bundle takes while it is made. */
    private static final long ROOM = 3L << 30;

    private final Path path;
    private final Settings settings;
    private final Docker docker;
    private Bundle.Index index;

    /** @param path the folder, or the archive when its name ends so */
    public BundleMaker(Path path, Settings settings, Docker docker) {
        this.path = path.toAbsolutePath().normalize();
        this.settings = settings;
        this.docker = docker;
    }

    /** The files that it is made of, until it is whole. */
    private Path draft() { return path.resolveSibling(path.getFileName() + ".part"); }

    /** Makes it and says how it is used; false when a step failed, which is told. */
    public boolean make() throws IOException {
        docker.engine();
        checkTarget(path);
        Console console = settings.console();
        Images images = new Images(settings, docker, new Istioctl(settings));
        CertificateAuthority authority = CertificateAuthority.of(settings, docker);
        Set<String> all = images.all();
        all.addAll(authority.imagesBeside());
        Plan plan = new Plan(console);
        Plan.Step kind = plan.step("kind", add(settings.kind())), istioctl = plan.step("istioctl", add(settings.istioctl()));
        Plan.Step files = plan.step("upstream's files and manifests", add(authority, settings.assets(), settings.manifests()));
        Plan.Step pulled = plan.step("images pulled", images.pull(all));
        Plan.Step saved = plan.step("images", add(all, settings.nodeImage()), pulled);
        plan.step("bundle", seal(), kind, istioctl, files, saved);
        if (!plan.run()) {
            discard();
            plan.report();
            return false;
        }
        console.result("""
                All that the demo needs is in %s. On a machine that can reach nothing:
                  %s""".formatted(Tool.quoted("" + path), settings.commands().fromBundle("" + path)));
        return true;
    }

    /** A {@link Problem} when no bundle can be made there. */
    static void checkTarget(Path path) {
        if (path.getFileName().toString().matches(".*\\.(tar|zst|tgz|gz|zip)") && !Bundle.isArchive(path))
            throw Problem.usage("--bundle takes a folder or FILE.tar.zst, not " + path,
                    "give it the ending: --bundle demo.tar.zst");
        boolean other = Files.isDirectory(path) ? !Files.exists(path.resolve(Bundle.INDEX)) && path.toFile().list().length > 0
                : Files.exists(path) && !Bundle.isArchive(path);
        if (other || Bundle.isArchive(path) && Files.isDirectory(path))
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
    private Action add(Collection<String> images, String nodeImage) {
        return new Action("", seen -> {
            // a name with a digest is lost when an image is loaded
            String node = nodeImage.contains("@") ? "kind-demo/base:v" + Version.first(nodeImage) : nodeImage;
            if (!node.equals(nodeImage)) docker.tag(nodeImage, node);
            Set<String> names = new TreeSet<>(images);
            names.remove(nodeImage);
            names.add(node);
            Files.createDirectories(draft());
            try (var out = compressed(Files.newOutputStream(draft().resolve(Bundle.IMAGES)))) {
                docker.save(names, counting(out, seen));
            }
            index = new Bundle.Index(Versions.all(settings.istio().version()), "" + Platform.current(), node,
                    new TreeMap<>(docker.present(names)), new TreeMap<>());
        });
    }

    /** Removes what there is of one that cannot be made whole. */
    private void discard() throws IOException { Home.remove(draft()); }

    /** Makes it whole: its index, and the archive if it is to be one. */
    private Action seal() {
        return new Action("", seen -> {
            try (Stream<Path> files = Files.walk(draft())) {
                for (Path file : files.filter(Files::isRegularFile).filter(f -> !f.endsWith(Bundle.INDEX)).toList()) {
                    seen.accept("SHA-256 of " + file.getFileName());
                    index.parts().put(draft().relativize(file).toString(), Assets.sha256(file));
                }
            }
            write(Bundle.INDEX, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(index));
            if (Bundle.isArchive(path)) {
                Path archive = path.resolveSibling(path.getFileName() + ".new");
                try (var out = compressed(Files.newOutputStream(archive))) {
                    new Tool("tar", "install tar", settings.console()).into(Bundle.LIMIT, counting(out, seen), "-c", "-C", "" + draft(), ".");
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
}
