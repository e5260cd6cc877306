package lib.cli;

import module java.base;
import lib.fetch.*;
import lib.kind.*;
import lib.manifests.*;
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
        Images images = demo.images(demo.clusters.wanted(), false);
        String nodeImage = images.nodeBase();
        // docker load would drop a name with a digest
        String node = nodeImage.contains("@") ? "kind-demo/base:v" + Version.first(nodeImage) : nodeImage;
        Set<String> all = images.all();
        all.addAll(demo.authority.hostImages());
        Plan plan = new Plan(console);
        Step kind = plan.step("kind", add(demo.kindBinary));
        Step istioctl = plan.step("istioctl", add(demo.istioctl.binary()));
        Step manifests = plan.step("manifests", addManifests());
        Step pulled = plan.step("images pulled", images.pull(all));
        // saving takes a minute, so it starts only when no other part has failed
        Step saved = plan.step("images", addImages(all, nodeImage, node), pulled, kind, istioctl, manifests);
        plan.step("bundle", complete(), saved);
        begin(node);
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
        boolean otherEnding = path.toString().matches(".*\\.(tar|zst|tgz|gz|zip)") && !Bundle.isArchive(path);
        if (parent == null || otherEnding) throw Problem.usage("--bundle accepts a folder or FILE.tar.gz, not " + path,
                "use this ending: --bundle demo.tar.gz");
        if (!Files.isDirectory(parent)) throw Problem.usage("the folder %s does not exist".formatted(parent),
                "mkdir -p " + DemoCommands.quoted("" + parent));
        if (!Files.isWritable(parent))
            throw Problem.unmet("cannot write into the folder " + parent, "choose another place");
        checkReplaceable();
        if (exists(draft) && !(isFolder(draft) && index(draft).isPresent()))
            throw notOurs(draft, "exists and is not an unfinished bundle of this demo");
        Machine.requireSpace(parent, ROOM);
    }

    private static boolean exists(Path file) { return Files.exists(file, LinkOption.NOFOLLOW_LINKS); }

    private static boolean isFolder(Path file) { return Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS); }

    private static Problem notOurs(Path file, String what) {
        return Problem.usage(file + " " + what + "; it stays untouched", "choose another place, or move it away");
    }

    private Optional<Bundle.Index> index(Path bundle) {
        return new Bundle(bundle, demo.istioVersion(), console).findIndex();
    }

    /** A {@link Problem} when something else exists at the bundle's path, or a bundle's folder with other files. */
    private void checkReplaceable() throws IOException {
        if (!exists(path)) return;
        boolean archive = Bundle.isArchive(path);
        String[] files = path.toFile().list();
        if (!archive && isFolder(path) && files != null && files.length == 0) return;
        boolean rightType = archive ? Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS) : isFolder(path);
        Optional<Bundle.Index> existing = rightType ? index(path) : Optional.empty();
        if (existing.isEmpty()) throw notOurs(path, "exists and is not a bundle of this demo");
        if (archive) return;
        for (String file : filesIn(path)) {
            if (file.equals(Bundle.INDEX) || existing.get().parts().containsKey(file)) continue;
            throw Problem.usage("the bundle %s stays untouched: it contains another file, %s".formatted(path, file),
                    "choose another place, or move the file away");
        }
    }

    /** The paths of all files below a folder, links included, relative to it. */
    private static List<String> filesIn(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(f -> !isFolder(f)).map(f -> "" + folder.relativize(f)).toList();
        }
    }

    /** Creates the draft's folder with an index: the next run may then remove it. */
    private void begin(String node) throws IOException {
        AppDirs.remove(draft);
        Files.createDirectory(draft);
        index = new Bundle.Index(Bundle.FORMAT, Versions.all(demo.istioVersion()), "" + Platform.current(), node,
                new TreeMap<>(), new TreeMap<>());
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
            if (demo.isAmbient()) upstream.addAll(Versions.GATEWAY_API_CRDS);
            for (Release manifest : upstream) write(manifest.file(), demo.downloads.read(manifest));
            for (String manifest : Manifests.ALL) write("manifests/" + manifest, demo.manifests.read(manifest));
        });
    }

    /** Adds the images; a layer that several images share is stored once. */
    private Action addImages(Set<String> all, String nodeImage, String node) {
        return new Action("", progress -> {
            if (!node.equals(nodeImage)) demo.docker.images().tag(nodeImage, node);
            Set<String> names = new TreeSet<>(all);
            names.remove(nodeImage);
            names.add(node);
            try (OutputStream out = gzip(draft.resolve(Bundle.IMAGES), Long.MAX_VALUE, progress)) {
                demo.docker.images().save(names, out);
            }
            index.images().putAll(demo.docker.images().present(names));
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
                Path archive = pack(progress);
                Files.move(archive, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } else {
                AppDirs.remove(path);
                Files.move(draft, path);
            }
            AppDirs.remove(draft);
        });
    }

    /** Packs the draft; the images come last, as they are compressed. Returns the archive. */
    private Path pack(Consumer<String> progress) throws IOException {
        Path archive = draft.resolve("archive");
        List<String> arguments = new ArrayList<>(List.of("-c", "-C", "" + draft));
        long others = 0;
        for (String file : filesIn(draft)) {
            if (file.equals(Bundle.IMAGES)) continue;
            others += Files.size(draft.resolve(file));
            arguments.add("./" + file);
        }
        arguments.add("./" + Bundle.IMAGES);
        try (OutputStream out = gzip(archive, others, progress)) {
            var tar = new ExternalCommand("tar", "install tar", console);
            tar.into(Bundle.LIMIT, out, arguments.toArray(String[]::new));
        }
        return archive;
    }

    /**
     * A gzip file. Reports how much was written.
     *
     * @param compressed about how many bytes are compressed; the rest is only stored
     */
    private static OutputStream gzip(Path file, long compressed, Consumer<String> progress) throws IOException {
        return new GZIPOutputStream(new BufferedOutputStream(Files.newOutputStream(file)), 1 << 16) {
            private long written;

            { def.setLevel(Deflater.BEST_SPEED); }

            @Override public void write(byte[] bytes, int from, int count) throws IOException {
                if (written > compressed) def.setLevel(Deflater.NO_COMPRESSION);
                super.write(bytes, from, count);
                written += count;
                progress.accept("%.0f MB".formatted(written / 1e6));
            }
        };
    }
}
