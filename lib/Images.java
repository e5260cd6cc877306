package lib;

import module java.base;

/**
 * The images that the demo needs. The engine pulls those it lacks, once for all clusters; one archive with their shared
 * layers is kept in the cache and mounted into every node, which imports it from there: no node pulls anything.
 */
public final class Images {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private final SortedSet<String> names;
    private final Docker docker;
    private final Path folder;
    private volatile String archive;

    /** @param names what the tools and the app need, each in its own words */
    @SafeVarargs public Images(Docker docker, Home home, Collection<String>... names) {
        this.names = Arrays.stream(names).flatMap(Collection::stream).collect(Collectors.toCollection(TreeSet::new));
        this.docker = docker;
        this.folder = home.mounted();
    }

    public SortedSet<String> names() { return names; }

    /** A {@link Problem} that names the images which neither the engine has nor a registry. */
    public static void check(Docker docker, Collection<String> names) {
        Set<String> missing = new TreeSet<>(names);
        missing.removeAll(docker.present(names).keySet());
        List<String> nowhere = missing.parallelStream().filter(image -> !docker.published(image)).toList();
        if (!nowhere.isEmpty())
            throw Problem.unfit("the image%s %s can be had neither from the engine nor from a registry".formatted(nowhere.size() > 1 ? "s" : "", String.join(", ", nowhere)),
                    "check the name and your connection: docker pull " + nowhere.getFirst());
    }

    /** Sees to it that the engine has all images, and the cache the archive of them. */
    public Action archive() {
        return new Action("for image in %s; do docker image inspect $image > /dev/null 2>&1 || docker pull $image; done".formatted(String.join(" ", names)), seen -> {
            Map<String, String> present = docker.present(names);
            List<String> missing = names.stream().filter(n -> !present.containsKey(n)).toList();
            if (!missing.isEmpty()) {
                seen.accept("pulling " + String.join(", ", missing));
                try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                    List<Future<?>> pulls = new ArrayList<>();
                    for (String image : missing) pulls.add(threads.submit(() -> docker.pull(image)));
                    for (Future<?> pull : pulls) pull.get();
                } catch (ExecutionException e) {
                    throw e.getCause() instanceof Problem p ? p : e;
                }
                present.putAll(docker.present(missing));
            }
            String key = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(present.toString().getBytes(StandardCharsets.UTF_8))).substring(0, 16);
            archive = "images-" + key + ".tar";
            if (Files.exists(folder.resolve(archive))) return;
            seen.accept("writing the archive");
            Path draft = Files.createTempFile(folder, "draft", ".tar");
            try {
                docker.save(names, draft);
                try (Stream<Path> old = Files.list(folder)) {
                    for (Path file : old.filter(f -> f.getFileName().toString().startsWith("images-")).toList()) Files.delete(file);
                }
                Files.move(draft, folder.resolve(archive), StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(draft);
            }
        });
    }

    /** Whether the node's containerd answers. */
    boolean canLoad(String node) { return docker.exec(LIMIT, null, node, "ctr", "version").ok(); }

    /** Imports the archive into a node's containerd, unless it has all images by now. */
    void load(String node) {
        Set<String> there = docker.exec(LIMIT, null, node, "ctr", "--namespace=k8s.io", "images", "list", "--quiet").out().lines().collect(Collectors.toSet());
        if (there.containsAll(names)) return;
        Tool.Result result = importFrom(node, null, Docker.MARK + "/" + archive);
        // an engine that cannot see our folder (a virtual machine, snap's Docker) mounts an empty one in its place
        if (!result.ok() && result.err().contains("no such file")) {
            try (InputStream in = Files.newInputStream(folder.resolve(archive))) {
                result = importFrom(node, in, "-");
            } catch (IOException e) {
                throw Problem.failed("cannot read the archive of images: " + e.getMessage(), "rm -r " + folder);
            }
        }
        if (!result.ok()) throw Problem.failed("%s: the images could not be imported:\n%s".formatted(node, result.lastLines()), "look at the node's disk: docker exec %s df -h /var".formatted(node));
    }

    /** Without --all-platforms ctr takes the node's own platform, also where the engine's archive names others that it does not hold. */
    private Tool.Result importFrom(String node, InputStream input, String source) {
        return docker.exec(LIMIT, input, node, "ctr", "--namespace=k8s.io", "images", "import", "--snapshotter=overlayfs", source);
    }
}
