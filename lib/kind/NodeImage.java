package lib.kind;

import module java.base;
import lib.docker.*;
import lib.run.*;

/**
 * A node image of our own: kind's node image and the images that the demo runs. Docker keeps it under a key of its
 * contents. Its images are unpacked in a volume that all nodes share, or packed inside it where nodes cannot mount it.
 */
final class NodeImage {
    /** The repository of our node images; Teardown --purge removes them. */
    static final String REPOSITORY = "kind-demo/node";
    static final String VOLUME = "kind-demo-images-";
    /** Where a node mounts the volume. */
    static final String SHARED = "/kind-demo";
    private static final String SHARED_STORE = SHARED + "/containerd", STORE = "/var/lib/containerd";
    /** Mounting an image unpacks it: ctr has no command that only unpacks. This unpacks kind's own images, too. */
    private static final String UNPACK = """
            mkdir /unpack
            for image in $(ctr --namespace=k8s.io images list --quiet | grep -v -e ^sha256: -e ^import-); do
              ctr --namespace=k8s.io images mount --snapshotter=overlayfs $image /unpack
              ctr --namespace=k8s.io images unmount --rm --snapshotter=overlayfs /unpack
            done
            rmdir /unpack""";
    /** Links the large parts to the volume, one by one: containerd can still add to its store and remove from it. */
    private static final String LINK = """
            from=%s to=%s
            blobs=io.containerd.content.v1.content/blobs/sha256 layers=io.containerd.snapshotter.v1.overlayfs/snapshots
            rm -rf $to/*
            tar -C $from --exclude=./$blobs/* --exclude=./$layers/* -c . | tar -C $to -x
            ln -s $from/$blobs/* $to/$blobs/
            ln -s $from/$layers/* $to/$layers/""".formatted(SHARED_STORE, STORE);
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final String base;
    private final Docker docker;
    private volatile String name;
    private volatile Optional<String> store = Optional.empty();

    /** @param base kind's node image */
    NodeImage(String base, Docker docker) {
        this.base = base;
        this.docker = docker;
    }

    /** The image that nodes are made from, once {@link #prepare} is done. */
    String name() { return name; }

    /** The host folder that nodes must mount at {@link #SHARED}; empty when they need none. */
    Optional<String> store() { return store; }

    /** Creates the image from those of {@code names} that Docker has, unless Docker has it from an earlier run. */
    void prepare(Set<String> names, Consumer<String> progress) throws IOException, GeneralSecurityException {
        Map<String, String> contents = new TreeMap<>(docker.images().present(names));
        if (contents.size() < names.size()) contents.clear(); // all or none: the next run will have all
        SortedSet<String> images = new TreeSet<>(contents.keySet());
        contents.put("base", base + " " + docker.images().present(List.of(base)).get(base));
        byte[] text = contents.toString().getBytes(StandardCharsets.UTF_8);
        String key = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text)).substring(0, 16);
        if (useExisting(key)) return;
        progress.accept("created once, then kept");
        create(key, images);
    }

    /** The name of the node image whose images are in the volume: {@link #makeUnpacked}. */
    private static String unpacked(String key) { return REPOSITORY + ":" + key; }

    /** The name of the node image that has its images inside: {@link #makePacked}. */
    private static String packed(String key) { return unpacked(key) + "-packed"; }

    private boolean useExisting(String key) {
        store = exists(unpacked(key)) ? docker.pathOf(VOLUME + key) : Optional.empty();
        name = store.isPresent() ? unpacked(key) : packed(key);
        return store.isPresent() || exists(name);
    }

    /** Makes a node image as kind makes its own: from a container in which containerd runs only to import images. */
    private void create(String key, Set<String> images) throws IOException {
        String volume = VOLUME + key;
        docker.makeVolume(volume);
        String template = docker.runTemplate(base, volume + ":" + SHARED, LIMIT.multipliedBy(2));
        try {
            docker.expect(template, "touch", SHARED + "/here");
            store = docker.pathOf(volume)
                    .filter(folder -> !images.isEmpty() && docker.canMount(folder, "here", base));
            if (store.isPresent()) makeUnpacked(template, images);
            else if (!images.isEmpty()) makePacked(template, images);
            name = store.isPresent() ? unpacked(key) : packed(key);
            docker.images().commit(template, base, name);
        } finally {
            docker.remove(template);
        }
        if (store.isEmpty()) docker.removeVolumes(List.of(volume));
    }

    /** Unpacks the images into the volume, which all nodes mount, and links the container's store to it. */
    private void makeUnpacked(String template, Set<String> images) throws IOException {
        docker.expect(template, "bash", "-euc",
                "rm -rf %1$s && cp --archive %2$s %1$s".formatted(SHARED_STORE, STORE));
        importImages(template, SHARED_STORE, images, UNPACK, "--snapshotter=overlayfs");
        docker.expect(template, "bash", "-euc", LINK);
    }

    /** Imports the images into the container's own store, for a Docker whose nodes cannot mount the volume's folder. */
    private void makePacked(String template, Set<String> images) throws IOException {
        importImages(template, STORE, images, "true", "--no-unpack");
    }

    private void importImages(String template, String root, Set<String> images, String then, String option)
            throws IOException {
        docker.execDetached(template, "containerd", "--root", root);
        Await.until("containerd in the new node image", Duration.ofMinutes(1), Duration.ofMillis(200), _ -> {},
                () -> docker.exec(LIMIT, template, "ctr", "version").ok() ? "" : "no answer yet");
        docker.images().copy(images, template, ctr("import", option, "-"));
        docker.expect(template, "bash", "-euc", then);
        docker.exec(LIMIT, template, "pkill", "--exact", "containerd");
        Await.until("containerd to end", Duration.ofMinutes(1), Duration.ofMillis(100), _ -> {},
                () -> docker.exec(LIMIT, template, "pgrep", "--exact", "containerd").ok() ? "still running" : "");
    }

    private boolean exists(String image) { return !docker.images().present(List.of(image)).isEmpty(); }

    static String[] ctr(String... words) {
        return Stream.concat(Stream.of("ctr", "--namespace=k8s.io", "images"), Stream.of(words)).toArray(String[]::new);
    }
}
