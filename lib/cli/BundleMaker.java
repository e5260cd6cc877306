package lib.cli;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.luben.zstd.ZstdOutputStream;

/** Makes a {@link Bundle} of what these settings need. */
public final class BundleMaker {
    /** What a bundle takes while it is made. */
    private static final long ROOM = 3L << 30;

    private final Path path;
    private final String istio;
    private final Docker docker;
    private final Binary kind, istioctl;
    private final Downloads downloads;
    private final Manifests manifests;
    private final CertificateAuthority authority;
    private final Images images;
    private final Console console;
    private Bundle.Index index;

    /**
     * @param path  the archive, or a folder when its name does not end like an archive's
     * @param istio the version of Istio
     */
    public BundleMaker(Path path, String istio, Docker docker, Binary kind, Binary istioctl, Downloads downloads, Manifests manifests,
            CertificateAuthority authority, Images images, Console console) {
        this.path = path.toAbsolutePath().normalize();
        this.istio = istio;
        this.docker = docker;
        this.kind = kind;
        this.istioctl = istioctl;
        this.downloads = downloads;
        this.manifests = manifests;
        this.authority = authority;
        this.images = images;
        this.console = console;
    }

    /** The files that it is made of, until it is whole; an interrupted run leaves them. */
    private Path draft() { return path.resolveSibling(path.getFileName() + ".part"); }

    private Bundle at(Path place) { return new Bundle(place, istio, console); }

    /** Makes it and says how it is used; false when a step failed, which is told. */
    public boolean make() throws IOException {
        docker.info();
        checkTarget();
        Set<String> all = images.all();
        all.addAll(authority.hostImages());
        Plan plan = new Plan(console);
        Step kindAdded = plan.step("kind", add(kind)), istioctlAdded = plan.step("istioctl", add(istioctl));
        Step files = plan.step("upstream's files and manifests", addFiles());
        Step pulled = plan.step("images pulled", images.pull(all));
        Step saved = plan.step("images", addImages(all), pulled);
        plan.step("bundle", seal(), kindAdded, istioctlAdded, files, saved);
        begin();
        if (!plan.run()) {
            discard();
            plan.report();
            return false;
        }
        console.result("""
                All that the demo needs is in %s. On a machine that can reach nothing:
                  %s""".formatted(DemoCommands.quoted("" + path), console.commands().fromBundle("" + path)));
        return true;
    }

    /** A {@link Problem} when no bundle can be made there: only an earlier bundle is ever replaced. */
    public void checkTarget() throws IOException {
        Path parent = path.getParent();
        if (parent == null || path.getFileName().toString().matches(".*\\.(tar|zst|tgz|gz|zip)") && !Bundle.isArchive(path))
            throw Problem.usage("--bundle takes a folder or FILE.tar.zst, not " + path, "give it the ending: --bundle demo.tar.zst");
        if (!Files.isDirectory(parent)) throw Problem.usage("there is no folder " + parent, "mkdir -p " + parent);
        if (!Files.isWritable(parent)) throw Problem.unmet("cannot write into the folder " + parent, "name another place");
        checkReplaceable();
        if (there(draft()) && (!Files.isDirectory(draft(), LinkOption.NOFOLLOW_LINKS) || at(draft()).marked().isEmpty()))
            throw Problem.usage("%s exists and is not an unfinished bundle of this demo; it stays untouched".formatted(draft()),
                    "name another place, or move it away");
        Machine.requireSpace(parent, ROOM);
    }

    private static boolean there(Path file) { return Files.exists(file, LinkOption.NOFOLLOW_LINKS); }

    /** A {@link Problem} when something exists in the bundle's place that is not a bundle, or a folder that has other files too. */
    private void checkReplaceable() throws IOException {
        if (!there(path)) return;
        boolean fits = Bundle.isArchive(path) ? Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                : Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS);
        String[] files = path.toFile().list();
        if (fits && files != null && files.length == 0) return;
        Optional<Bundle.Index> index = fits ? at(path).marked() : Optional.empty();
        if (index.isEmpty()) throw Problem.usage("%s exists and is not a bundle of this demo; it stays untouched".formatted(path),
                "name another place, or move it away");
        if (Bundle.isArchive(path)) return;
        try (Stream<Path> all = Files.walk(path)) {
            all.filter(f -> !Files.isDirectory(f, LinkOption.NOFOLLOW_LINKS)).map(f -> path.relativize(f).toString())
                    .filter(f -> !f.equals(Bundle.INDEX) && !index.get().parts().containsKey(f)).findFirst().ifPresent(other -> {
                throw Problem.usage("the bundle %s has a file that is not part of it, which stays untouched: %s".formatted(path, other),
                        "name another place, or move the file away");
            });
        }
    }

    /** Makes the draft's folder, with our marker from the first moment on: the next run may remove it. */
    private void begin() throws IOException {
        AppDirs.remove(draft());
        Files.createDirectory(draft());
        index = new Bundle.Index(Bundle.FORMAT, Versions.all(istio), "" + Platform.current(), "", new TreeMap<>(),
                new TreeMap<>());
        writeIndex();
    }

    private void writeIndex() throws IOException {
        write(Bundle.INDEX, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(index));
    }

    /** Puts a program's pinned release in, whatever is on PATH. */
    private Action add(Binary program) {
        return new Action("", progress -> Files.copy(program.pinned(progress), draft().resolve(program.name()),
                StandardCopyOption.REPLACE_EXISTING));
    }

    /** Puts upstream's files and the manifests in. */
    private Action addFiles() {
        return new Action("", _ -> {
            write(Versions.METALLB_MANIFEST.file(), downloads.read(Versions.METALLB_MANIFEST));
            for (Release asset : authority.upstream()) write(asset.file(), downloads.read(asset));
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
     */
    private Action addImages(Collection<String> all) {
        String nodeImage = images.nodeBase();
        return new Action("", progress -> {
            // a name with a digest is lost when an image is loaded
            String node = nodeImage.contains("@") ? "kind-demo/base:v" + Version.first(nodeImage) : nodeImage;
            if (!node.equals(nodeImage)) docker.images().tag(nodeImage, node);
            Set<String> names = new TreeSet<>(all);
            names.remove(nodeImage);
            names.add(node);
            try (var out = compressed(Files.newOutputStream(draft().resolve(Bundle.IMAGES)))) {
                docker.images().save(names, counting(out, progress));
            }
            index = new Bundle.Index(index.format(), index.versions(), index.platform(), node, new TreeMap<>(docker.images().present(names)),
                    index.parts());
        });
    }

    /** Removes what there is of one that cannot be made whole. */
    private void discard() throws IOException { AppDirs.remove(draft()); }

    /** Makes it whole: its index, and the archive if it is to be one. */
    private Action seal() {
        return new Action("", progress -> {
            try (Stream<Path> files = Files.walk(draft())) {
                for (Path file : files.filter(Files::isRegularFile).filter(f -> !f.endsWith(Bundle.INDEX)).toList()) {
                    progress.accept("SHA-256 of " + file.getFileName());
                    index.parts().put(draft().relativize(file).toString(), Downloads.sha256(file));
                }
            }
            writeIndex();
            checkReplaceable(); // again: minutes have passed
            if (Bundle.isArchive(path)) {
                Path archive = draft().resolve("archive");
                try (var out = compressed(Files.newOutputStream(archive))) {
                    new ExternalCommand("tar", "install tar", console).into(Bundle.LIMIT, counting(out, progress), "-c", "-C", "" + draft(),
                            "--exclude=./archive", ".");
                }
                Files.move(archive, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } else {
                AppDirs.remove(path);
                Files.move(draft(), path);
            }
            discard();
        });
    }

    private static OutputStream compressed(OutputStream out) throws IOException {
        return new ZstdOutputStream(out).setWorkers(Runtime.getRuntime().availableProcessors());
    }

    /** Tells how much went through. */
    private static OutputStream counting(OutputStream out, Consumer<String> progress) {
        return new FilterOutputStream(out) {
            private long written;

            @Override public void write(byte[] bytes, int from, int count) throws IOException {
                out.write(bytes, from, count);
                progress.accept("%.0f MB".formatted((written += count) / 1e6));
            }
        };
    }
}
