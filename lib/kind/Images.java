package lib.kind;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;

/**
 * The images that the demo needs, and how they get into the nodes without any node pulling one. Those that the engine has are
 * unpacked once, into a volume that all nodes share, and a node image of our own, kept by a key of its contents, has links to
 * them: a node made from it has them from its first second. Those that the engine lacks are pulled, once for all nodes, while
 * the clusters start, and then loaded.
 */
public final class Images {
    /** The repository of our node images; Teardown --purge removes them. */
    public static final String REPOSITORY = "kind-demo/node";
    private static final String VOLUME = "kind-demo-images-";
    /** Where a node has the shared volume, and where containerd looks for its images. */
    static final String SHARED = "/kind-demo";
    private static final String STORE = "/var/lib/containerd";
    /** Mounting an image unpacks it; ctr has no command that only unpacks. kind's own images too: they come packed. */
    private static final String UNPACK = """
            mkdir /unpack
            for image in $(ctr --namespace=k8s.io images list --quiet | grep -v -e ^sha256: -e ^import-); do
              ctr --namespace=k8s.io images mount --snapshotter=overlayfs $image /unpack
              ctr --namespace=k8s.io images unmount --rm --snapshotter=overlayfs /unpack
            done
            rmdir /unpack""";
    /** What is large stays in the volume, with a link to each part: containerd can still add to its store, and remove from it. */
    private static final String LINK = """
            from=%s to=%s
            blobs=io.containerd.content.v1.content/blobs/sha256 layers=io.containerd.snapshotter.v1.overlayfs/snapshots
            rm -rf $to/*
            tar -C $from --exclude=./$blobs/* --exclude=./$layers/* -c . | tar -C $to -x
            ln -s $from/$blobs/* $to/$blobs/
            ln -s $from/$layers/* $to/$layers/""".formatted(SHARED + "/containerd", STORE);
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final String[] CTR = {"ctr", "--namespace=k8s.io", "images"};

    private final SortedSet<String> names;
    private final String base;
    private final Docker docker;
    private final Optional<Bundle> bundle;
    private final Path cache;
    private volatile String nodeImage;
    private volatile Optional<String> store = Optional.empty();

    /**
     * @param names  the images that clusters run
     * @param base   kind's node image
     * @param bundle where images come from without a connection
     * @param cache  the folder in which the bundle is unpacked
     */
    public Images(Set<String> names, String base, Docker docker, Optional<Bundle> bundle, Path cache) {
        this.names = new TreeSet<>(names);
        this.base = base;
        this.docker = docker;
        this.bundle = bundle;
        this.cache = cache;
    }

    /** kind's node image. */
    public String nodeBase() { return base; }

    /** All of them, the node image too. */
    public Set<String> all() {
        Set<String> all = new TreeSet<>(names);
        all.add(base);
        return all;
    }

    /** What is there and what must be pulled; a {@link Problem} that names the images which neither the engine has nor a registry. */
    public String check() throws Exception {
        Set<String> missing = all();
        missing.removeAll(docker.images().present(List.copyOf(missing)).keySet());
        if (bundle.isPresent() && !bundle.get().images().containsAll(missing)) {
            missing.removeAll(bundle.get().images());
            throw Problem.unmet("not in the bundle, nor in the engine: " + String.join(", ", missing),
                    "make the bundle with the same options");
        }
        if (bundle.isPresent()) return "%d, in the bundle or in the engine".formatted(names.size() + 1);
        SortedMap<String, String> reasons = new ConcurrentSkipListMap<>();
        inParallel(missing, image -> reasons.put(image, docker.images().whyNotPullable(image)));
        reasons.values().removeIf(String::isEmpty);
        if (!reasons.isEmpty())
            throw Problem.unmet(reasons.entrySet().stream().map(e -> DockerImages.NOT_PULLED.formatted(e.getKey(), e.getValue()))
                    .collect(Collectors.joining("\n")),
                    "check the name and your connection: docker pull " + reasons.firstKey());
        return "%d, of which the engine has %d".formatted(names.size() + 1, names.size() + 1 - missing.size());
    }

    /** Loads the bundle's images that Docker does not have. */
    public Action loadBundle() {
        Bundle from = bundle.orElseThrow();
        return new Action(from.loadImagesAsShell(), progress -> {
            if (docker.images().present(from.images()).equals(from.imageIds())) return;
            from.readImages(cache, progress, docker.images()::load);
            Set<String> missing = new TreeSet<>(from.images());
            missing.removeAll(docker.images().present(from.images()).keySet());
            if (!missing.isEmpty()) throw Problem.failed("docker load did not load from the bundle: " + missing, "docker image ls");
        });
    }

    /** Sees to it that the engine has the node image with all the demo's images that the engine has. */
    public Action node() {
        return new Action("docker image inspect %1$s > /dev/null 2>&1 || docker pull %1$s".formatted(base), progress -> {
            Map<String, String> contents = new TreeMap<>(docker.images().present(all()));
            if (!contents.containsKey(base)) {
                progress.accept("pulling " + base);
                docker.images().pull(base);
                contents.putAll(docker.images().present(List.of(base)));
            }
            String node = contents.remove(base);
            Set<String> held = contents.size() == names.size() ? names : Set.of();
            contents.keySet().retainAll(held);
            contents.put("base", base + " " + node);
            String key = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(contents.toString().getBytes(StandardCharsets.UTF_8))).substring(0, 16);
            String volume = VOLUME + key;
            List<String> tags = List.of(REPOSITORY + ":" + key, REPOSITORY + ":" + key + "-packed");
            store = docker.images().present(tags.subList(0, 1)).isEmpty() ? Optional.empty() : docker.pathOf(volume);
            if (store.isEmpty() && docker.images().present(tags.subList(1, 2)).isEmpty()) {
                progress.accept("made once, then kept");
                make(tags, held, volume);
            }
            nodeImage = store.isPresent() ? tags.getFirst() : tags.getLast();
        });
    }

    /** The image that nodes are made from, once {@link #node} is done. */
    String nodeImage() { return nodeImage; }

    /** The folder of the engine's machine that nodes of that image must have mounted at {@link #SHARED}; empty when it needs none. */
    Optional<String> store() { return store; }

    /**
     * Makes a node image as kind makes its own: of a container in which containerd runs just to take images up.
     *
     * @param tags the image's name when its images lie unpacked in the volume, and when they are packed within: where the engine
     *             lets no container mount the volume's folder
     */
    private void make(List<String> tags, Set<String> held, String volume) throws IOException {
        docker.makeVolume(volume);
        String template = docker.runTemplate(base, volume + ":" + SHARED, LIMIT.multipliedBy(2));
        try {
            docker.expect(template, "touch", SHARED + "/here");
            store = docker.pathOf(volume).filter(folder -> !held.isEmpty() && docker.canMount(folder, "here", base));
            if (store.isPresent()) {
                docker.expect(template, "bash", "-euc", "rm -rf %1$s && cp --archive %2$s %1$s".formatted(SHARED + "/containerd", STORE));
                takeUp(template, SHARED + "/containerd", held, "--snapshotter=overlayfs", UNPACK);
                docker.expect(template, "bash", "-euc", LINK);
            } else if (!held.isEmpty()) {
                takeUp(template, STORE, held, "--no-unpack", "true");
            }
            docker.images().commit(template, base, store.isPresent() ? tags.getFirst() : tags.getLast());
        } finally {
            docker.remove(template);
        }
        if (store.isEmpty()) docker.removeVolumes(List.of(volume));
    }

    private void takeUp(String template, String root, Set<String> images, String how, String then) throws IOException {
        docker.execDetached(template, "containerd", "--root", root);
        Await.until("containerd in the new node image", Duration.ofMinutes(1), Duration.ofMillis(200), _ -> {},
                () -> docker.exec(LIMIT, template, "ctr", "version").ok() ? "" : "no answer yet");
        docker.images().copy(images, template, ctr("import", how, "-"));
        docker.expect(template, "bash", "-euc", then);
        docker.exec(LIMIT, template, "pkill", "--exact", "containerd");
        Await.until("containerd to end", Duration.ofMinutes(1), Duration.ofMillis(100), _ -> {},
                () -> docker.exec(LIMIT, template, "pgrep", "--exact", "containerd").ok() ? "still running" : "");
    }

    /** Pulls what the engine lacks, side by side. */
    public Action pull() { return pull(names); }

    /** The same for more than these, or others. */
    public Action pull(Set<String> wanted) {
        String toShell = "for image in %s; do docker image inspect $image > /dev/null 2>&1 || docker pull $image; done";
        return new Action(toShell.formatted(String.join(" ", wanted)), progress -> {
            Set<String> there = docker.images().present(wanted).keySet();
            List<String> missing = wanted.stream().filter(n -> !there.contains(n)).toList();
            if (missing.isEmpty()) return;
            progress.accept("pulling " + String.join(", ", missing));
            inParallel(missing, docker.images()::pull);
        });
    }

    /** Loads the images into those nodes of the cluster that lack some. */
    public Action load(Cluster cluster) {
        // kind load docker-image asks for all platforms of an image, of which Docker may have only its own
        String toShell = """
                for node in $(kind get nodes --name %s); do
                  docker save %s | docker exec --interactive $node ctr --namespace=k8s.io images import --snapshotter=overlayfs -
                done""".formatted(cluster, String.join(" ", names));
        return new Action(toShell, _ -> {
            List<Docker.Node> others = docker.nodes(cluster).stream().filter(n -> !n.image().equals(nodeImage)).toList();
            inParallel(others, node -> {
                Set<String> lacking = new TreeSet<>(names);
                docker.exec(LIMIT, node.name(), ctr("list", "--quiet")).out().lines().forEach(lacking::remove);
                // without --all-platforms ctr takes the node's own, also where the archive names others that it does not hold
                if (!lacking.isEmpty()) docker.images().copy(lacking, node.name(), ctr("import", "--snapshotter=overlayfs", "-"));
            });
        });
    }

    /** Node images, and the volumes that nodes made from them read: all that there are. */
    public static List<String> kept(Docker docker) {
        return Stream.concat(docker.images().of(REPOSITORY).stream(), docker.volumes().stream()).toList();
    }

    /** Those that these nodes need. Docker does not know that a node reads a volume: its folder is what is mounted. */
    public static List<String> neededBy(Collection<Docker.Node> nodes, Docker docker) {
        Set<String> needed = nodes.stream().map(Docker.Node::image).flatMap(image ->
                Stream.of(image, image.replace(REPOSITORY + ":", VOLUME))).collect(Collectors.toSet());
        return kept(docker).stream().filter(needed::contains).toList();
    }

    /**
     * Removes containers that an interrupted run of this demo left, such as a node image in the making; with {@code all} the
     * node images and their volumes too, except those that nodes need.
     */
    public static Action remove(Docker docker, boolean all) {
        return new Action("docker image rm $(docker image ls --quiet %s)".formatted(REPOSITORY), _ -> {
            docker.helpers().forEach(docker::remove);
            if (!all) return;
            List<String> needed = neededBy(docker.nodes(), docker);
            docker.images().remove(docker.images().of(REPOSITORY).stream().filter(image -> !needed.contains(image)).toList());
            docker.removeVolumes(docker.volumes().stream().filter(volume -> !needed.contains(volume)).toList());
        });
    }

    private static String[] ctr(String... words) { return Stream.concat(Arrays.stream(CTR), Arrays.stream(words)).toArray(String[]::new); }

    /** Does the work for all items side by side; throws the first failure when all have ended. */
    private static <T> void inParallel(Collection<T> items, Consumer<T> work) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<?> done : items.stream().map(i -> threads.submit(() -> work.accept(i))).toList()) done.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) throw error;
            throw (Exception) e.getCause();
        }
    }
}
