package lib.kind;

import module java.base;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;

/**
 * The images that the demo needs. No node pulls one: a node has the images of its {@link NodeImage} from the first
 * second. Images that Docker lacks are pulled once, while the clusters start, and then loaded into the nodes.
 */
public final class Images {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final SortedSet<String> names;
    private final String base;
    private final Docker docker;
    private final Optional<Bundle> bundle;
    private final Path cache;
    private final NodeImage nodeImage;

    /**
     * @param names  the images that clusters run
     * @param base   kind's node image
     * @param bundle the offline bundle that images are loaded from
     * @param cache  the folder in which the bundle is unpacked; all demos share it
     */
    public Images(Set<String> names, String base, Docker docker, Optional<Bundle> bundle, Path cache) {
        this.names = new TreeSet<>(names);
        this.base = base;
        this.docker = docker;
        this.bundle = bundle;
        this.cache = cache;
        this.nodeImage = new NodeImage(base, docker);
    }

    /** kind's node image. */
    public String nodeBase() { return base; }

    /** All images, including kind's node image. */
    public Set<String> all() {
        Set<String> all = new TreeSet<>(names);
        all.add(base);
        return all;
    }

    NodeImage nodeImage() { return nodeImage; }

    private Set<String> missing(Collection<String> images) {
        Set<String> missing = new TreeSet<>(images);
        missing.removeAll(docker.images().present(images).keySet());
        return missing;
    }

    /** Reports how many images Docker has; a {@link Problem} that names the images that are not available anywhere. */
    public String check() throws Exception {
        Set<String> missing = missing(all());
        int count = all().size();
        if (bundle.isPresent()) {
            missing.removeAll(bundle.get().images());
            if (missing.isEmpty()) return "%d, in the bundle or in Docker".formatted(count);
            throw Problem.unmet("neither in the bundle nor in Docker: " + String.join(", ", missing),
                    "create the bundle with the same options");
        }
        SortedMap<String, String> reasons = new ConcurrentSkipListMap<>();
        inParallel(missing, image -> reasons.put(image, docker.images().whyNotPullable(image)));
        reasons.values().removeIf(String::isEmpty);
        if (reasons.isEmpty()) return "%d, of which Docker has %d".formatted(count, count - missing.size());
        List<String> messages = new ArrayList<>();
        reasons.forEach((image, reason) -> messages.add(DockerImages.NOT_PULLED.formatted(image, reason)));
        throw Problem.unmet(String.join("\n", messages),
                "check the name and your connection: docker pull " + reasons.firstKey());
    }

    /** Loads the bundle's images that Docker does not have. */
    public Action loadBundle() {
        Bundle from = bundle.orElseThrow();
        return new Action(from.loadImagesAsShell(), progress -> {
            if (docker.images().present(from.images()).equals(from.imageIds())) return;
            from.readImages(cache, progress, docker.images()::load);
            Set<String> missing = missing(from.images());
            if (!missing.isEmpty())
                throw Problem.failed("docker load did not load from the bundle: " + missing, "docker image ls");
        });
    }

    /** Creates the node image from the images that Docker has, unless Docker has it from an earlier run. */
    public Action node() {
        String toShell = "docker image inspect %1$s > /dev/null 2>&1 || docker pull %1$s".formatted(base);
        return new Action(toShell, progress -> {
            if (!missing(List.of(base)).isEmpty()) {
                progress.accept("pulling " + base);
                docker.images().pull(base);
            }
            // demos share the image and its volume
            try (Closeable _ = Await.lock(cache.resolve("node-image.lock"), "another run is creating it",
                    Duration.ofMinutes(10), progress)) {
                nodeImage.prepare(names, progress);
            }
        });
    }

    /** Pulls the images that Docker lacks, in parallel. */
    public Action pull() { return pull(names); }

    /** Pulls those of {@code wanted} that Docker lacks, in parallel. */
    public Action pull(Set<String> wanted) {
        String toShell = "for image in %s; do docker image inspect $image > /dev/null 2>&1 || docker pull $image; done";
        return new Action(toShell.formatted(String.join(" ", wanted)), progress -> {
            Set<String> missing = missing(wanted);
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
                  docker save %s | docker exec --interactive $node \\
                    ctr --namespace=k8s.io images import --snapshotter=overlayfs -
                done""".formatted(cluster, String.join(" ", names));
        return new Action(toShell, _ -> {
            List<Docker.Node> others =
                    docker.nodes(cluster).stream().filter(n -> !n.image().equals(nodeImage.name())).toList();
            inParallel(others, node -> {
                Set<String> lacking = new TreeSet<>(names);
                String present = docker.exec(LIMIT, node.name(), NodeImage.ctr("list", "--quiet")).out();
                present.lines().forEach(lacking::remove);
                // without --all-platforms ctr imports the node's own, even if the archive names others that it lacks
                if (!lacking.isEmpty())
                    docker.images().copy(lacking, node.name(), NodeImage.ctr("import", "--snapshotter=overlayfs", "-"));
            });
        });
    }

    /** All node images, and the volumes that nodes mount. */
    public static List<String> kept(Docker docker) {
        return Stream.concat(docker.images().of(NodeImage.REPOSITORY).stream(), docker.volumes().stream()).toList();
    }

    /** Those that these nodes need. Docker does not know that a node uses a volume, as the node mounts its folder. */
    public static List<String> neededBy(Collection<Docker.Node> nodes, Docker docker) {
        Set<String> needed = new HashSet<>();
        for (Docker.Node node : nodes) {
            needed.add(node.image());
            needed.add(node.image().replace(NodeImage.REPOSITORY + ":", NodeImage.VOLUME));
        }
        return kept(docker).stream().filter(needed::contains).toList();
    }

    /**
     * Removes containers that an interrupted run of this demo left behind.
     *
     * @param all whether to remove node images and volumes, too, except those that nodes need
     */
    public static Action remove(Docker docker, boolean all) {
        return new Action("", _ -> {
            docker.helpers().forEach(docker::remove);
            if (!all) return;
            List<String> needed = neededBy(docker.nodes(), docker);
            List<String> images = docker.images().of(NodeImage.REPOSITORY);
            docker.images().remove(images.stream().filter(image -> !needed.contains(image)).toList());
            docker.removeVolumes(docker.volumes().stream().filter(volume -> !needed.contains(volume)).toList());
        });
    }

    /** Does the work for all items in parallel; throws the first failure when all have ended. */
    private static <T> void inParallel(Collection<T> items, Consumer<T> work) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<?> done : items.stream().map(i -> threads.submit(() -> work.accept(i))).toList()) done.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) throw error;
            throw (Exception) e.getCause();
        }
    }
}
