package lib.cli;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Creates a {@link Bundle} for the options of this run. */
public final class BundleMaker {
    /** The disk space that a bundle needs while it is created. */
    private static final long ROOM = 3L << 30;

    private final Path path, draft;
    private final DemoContext demo;
    private final Console console;
    private Bundle.Index index;

    /** @param path the archive FILE.tar.gz or a folder */
    public BundleMaker(Path path, DemoContext demo) {
        this.path = path.toAbsolutePath().normalize();
        this.draft = Path.of(this.path + ".part");
        this.demo = demo;
        this.console = demo.console;
    }

    /** Creates the bundle and prints how to use it; returns false when a step failed, after reporting the failure. */
    public boolean make() throws IOException {
        demo.docker.info();
        checkTarget();
        Images images = demo.images(demo.mesh(), false);
        Set<String> all = images.all();
        all.addAll(demo.authority.hostImages());
        Plan plan = new Plan(console);
        Step kind = plan.step("kind", add(demo.kindBinary));
        Step istioctl = plan.step("istioctl", add(demo.istioctl.binary()));
        Step manifests = plan.step("manifests", addManifests());
        Step pulled = plan.step("images pulled", images.pull(all));
        Step saved = plan.step("images", addImages(all, images.nodeBase()), pulled);
        plan.step("bundle", complete(), kind, istioctl, manifests, saved);
        begin();
        if (!plan.run()) {
            AppDirs.remove(draft);
            plan.report();
            return false;
        }
        console.result("""
                Everything that the demo needs is in %s. On a machine without a connection:
                  %s""".formatted(DemoCommands.quoted("" + path), console.commands().fromBundle("" + path)));
        return true;
    }

    /** A {@link Problem} when no bundle can be created there: it replaces only an earlier bundle. */
    public void checkTarget() throws IOException {
        Path parent = path.getParent();
        if (parent == null || path.getFileName().toString().matches(".*\\.(tar|zst|tgz|gz|zip)") && !Bundle.isArchive(path))
            throw Problem.usage("--bundle accepts a folder or FILE.tar.gz, not " + path, "use this ending: --bundle demo.tar.gz");
        if (!Files.isDirectory(parent))
            throw Problem.usage("the folder %s does not exist".formatted(parent), "mkdir -p " + DemoCommands.quoted("" + parent));
        if (!Files.isWritable(parent)) throw Problem.unmet("cannot write into the folder " + parent, "choose another place");
        checkReplaceable();
        if (exists(draft) && !(Files.isDirectory(draft, LinkOption.NOFOLLOW_LINKS) && index(draft).isPresent()))
            throw Problem.usage("%s exists and is not an unfinished bundle of this demo; it stays untouched".formatted(draft),
                    "choose another place, or move it away");
        Machine.requireSpace(parent, ROOM);
    }

    private static boolean exists(Path file) { return Files.exists(file, LinkOption.NOFOLLOW_LINKS); }

    private Optional<Bundle.Index> index(Path bundle) { return new Bundle(bundle, demo.istioVersion(), console).findIndex(); }

    /** A {@link Problem} when something else exists at the bundle's path, or a bundle's folder with other files in it. */
    private void checkReplaceable() throws IOException {
        if (!exists(path)) return;
        boolean rightKind = Bundle.isArchive(path) ? Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                : Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS);
        String[] files = path.toFile().list();
        if (rightKind && files != null && files.length == 0) return;
        Bundle.Index existing = Optional.of(path).filter(_ -> rightKind).flatMap(this::index).orElseThrow(() -> Problem.usage(
                "%s exists and is not a bundle of this demo; it stays untouched".formatted(path), "choose another place, or move it away"));
        if (Bundle.isArchive(path)) return;
        Set<String> others = new TreeSet<>(filesIn(path));
        others.remove(Bundle.INDEX);
        others.removeAll(existing.parts().keySet());
        if (!others.isEmpty()) throw Problem.usage("the bundle %s contains a file that is not part of it and stays untouched: %s".formatted(
                path, others.iterator().next()), "choose another place, or move the file away");
    }

    /** The paths of all files below a folder, links included, relative to it. */
    private static List<String> filesIn(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(f -> !Files.isDirectory(f, LinkOption.NOFOLLOW_LINKS)).map(f -> "" + folder.relativize(f)).toList();
        }
    }

    /** Creates the draft's folder with an index: the next run may then remove it. */
    private void begin() throws IOException {
        AppDirs.remove(draft);
        Files.createDirectory(draft);
        index = new Bundle.Index(Bundle.FORMAT, Versions.all(demo.istioVersion()), "" + Platform.current(), "", new TreeMap<>(), new TreeMap<>());
        writeIndex();
    }

    private void writeIndex() throws IOException {
        write(Bundle.INDEX, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(index));
    }

    private void write(String file, String text) throws IOException {
        Path target = draft.resolve(file);
        Files.createDirectories(target.getParent());
        Files.writeString(target, text);
    }

    /** Adds a program's pinned release, whatever is on PATH. */
    private Action add(Binary program) {
        return new Action("", progress -> Files.copy(program.pinned(progress), draft.resolve(program.name()),
                StandardCopyOption.REPLACE_EXISTING));
    }

    private Action addManifests() {
        return new Action("", _ -> {
            List<Release> upstream = new ArrayList<>(demo.authority.upstream());
            upstream.add(Versions.METALLB_MANIFEST);
            for (Release manifest : upstream) write(manifest.file(), demo.downloads.read(manifest));
            for (String manifest : Manifests.ALL) write("manifests/" + manifest, demo.manifests.read(manifest));
        });
    }

    /** Adds the images; a layer that several images share is stored once. */
    private Action addImages(Set<String> all, String nodeImage) {
        Docker docker = demo.docker;
        return new Action("", progress -> {
            // docker load would drop a name with a digest
            String node = nodeImage.contains("@") ? "kind-demo/base:v" + Version.first(nodeImage) : nodeImage;
            if (!node.equals(nodeImage)) docker.images().tag(nodeImage, node);
            Set<String> names = new TreeSet<>(all);
            names.remove(nodeImage);
            names.add(node);
            try (OutputStream out = gzip(draft.resolve(Bundle.IMAGES), Deflater.BEST_SPEED, progress)) {
                docker.images().save(names, out);
            }
            index = new Bundle.Index(index.format(), index.versions(), index.platform(), node, new TreeMap<>(docker.images().present(names)),
                    index.parts());
        });
    }

    /** Completes the index, packs the archive if one is wanted, and moves the bundle to its place. */
    private Action complete() {
        return new Action("", progress -> {
            for (String file : filesIn(draft)) {
                if (file.equals(Bundle.INDEX)) continue;
                progress.accept("SHA-256 of " + file);
                index.parts().put(file, Downloads.sha256(draft.resolve(file)));
            }
            writeIndex();
            checkReplaceable(); // again: minutes have passed
            if (Bundle.isArchive(path)) {
                Path archive = draft.resolve("archive");
                try (OutputStream out = gzip(archive, Deflater.NO_COMPRESSION, progress)) { // the images are compressed
                    new ExternalCommand("tar", "install tar", console).into(Bundle.LIMIT, out, "-c", "-C", "" + draft,
                            "--exclude=./archive", ".");
                }
                Files.move(archive, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } else {
                AppDirs.remove(path);
                Files.move(draft, path);
            }
            AppDirs.remove(draft);
        });
    }

    /** Compresses what is written into a file, at a level of {@link Deflater}, and reports how much was written. */
    private static OutputStream gzip(Path file, int level, Consumer<String> progress) throws IOException {
        return new GZIPOutputStream(new BufferedOutputStream(Files.newOutputStream(file)), 1 << 16) {
            private long written;

            { def.setLevel(level); }

            @Override public void write(byte[] bytes, int from, int count) throws IOException {
                super.write(bytes, from, count);
                written += count;
                progress.accept("%.0f MB".formatted(written / 1e6));
            }
        };
    }
}
