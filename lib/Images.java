package lib;

import module java.base;

/**
 * The images that the demo needs, and how they get into the nodes without any node pulling one. Those that the engine has are
 * put into a node image of our own, made once from kind's and kept by a key of its contents: a node made from it has them from
 * its first second. Those that the engine lacks are pulled, once for all nodes, while the clusters start, and then loaded.
 */
public final class Images {
    /** The repository of our node images; Teardown --purge removes them. */
    public static final String REPOSITORY = "kind-demo/node";
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final String[] CTR = {"ctr", "--namespace=k8s.io", "images"};

    private final SortedSet<String> names;
    private final String base;
    private final Docker docker;
    private volatile String nodeImage;

    /** The images of the node, of Istio, of MetalLB and of the app. */
    public Images(Settings settings, Docker docker) {
        this.docker = docker;
        this.base = settings.nodeImage();
        this.names = new TreeSet<>();
        List.of(Istioctl.images(), MetalLb.images(), new SampleApp(settings).images()).forEach(names::addAll);
    }

    /** What is there and what must be pulled; a {@link Problem} that names the images which neither the engine has nor a registry. */
    public String check() {
        Set<String> missing = new TreeSet<>(names);
        missing.add(base);
        missing.removeAll(docker.present(List.copyOf(missing)).keySet());
        List<String> nowhere = missing.parallelStream().filter(image -> !docker.published(image)).toList();
        if (!nowhere.isEmpty())
            throw Problem.unfit("not to be had, neither from the engine nor from a registry: " + String.join(", ", nowhere),
                    "check the name and your connection: docker pull " + nowhere.getFirst());
        return "%d, of which the engine has %d".formatted(names.size() + 1, names.size() + 1 - missing.size());
    }

    /** Sees to it that the engine has the node image with all the demo's images that the engine has. */
    public Action node() {
        return new Action("docker image inspect %s > /dev/null || docker pull %s".formatted(base, base), seen -> {
            if (docker.present(List.of(base)).isEmpty()) {
                seen.accept("pulling " + base);
                docker.pull(base);
            }
            Map<String, String> contents = new TreeMap<>(docker.present(names));
            Set<String> held = contents.size() == names.size() ? names : Set.of();
            contents.keySet().retainAll(held);
            contents.put("base", base + " " + docker.present(List.of(base)).get(base));
            String key = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(contents.toString().getBytes(StandardCharsets.UTF_8))).substring(0, 16);
            String wanted = REPOSITORY + ":" + key;
            if (docker.present(List.of(wanted)).isEmpty()) {
                seen.accept("made once, then kept");
                make(wanted, held);
            }
            nodeImage = wanted;
        });
    }

    /** The image that nodes are made from, once {@link #node} is done. */
    String nodeImage() { return nodeImage; }

    /** As kind makes its own: containerd runs in a container and imports; without unpacking, which an overlay on an overlay forbids. */
    private void make(String image, Set<String> held) throws IOException {
        String template = docker.runTemplate(base, Duration.ofMinutes(10));
        try {
            if (!held.isEmpty()) {
                docker.execDetached(template, "containerd");
                Await.until("containerd in the new node image", Duration.ofMinutes(1), Duration.ofMillis(200), _ -> {},
                        () -> docker.exec(LIMIT, template, "ctr", "version").ok() ? "" : "no answer yet");
                docker.copyImages(held, template, ctr("import", "--no-unpack", "-"));
                docker.exec(LIMIT, template, "pkill", "--exact", "containerd");
                Await.until("containerd to end", Duration.ofMinutes(1), Duration.ofMillis(100), _ -> {},
                        () -> docker.exec(LIMIT, template, "pgrep", "--exact", "containerd").ok() ? "still running" : "");
            }
            docker.commit(template, base, image);
        } finally {
            docker.remove(template);
        }
    }

    /** Pulls what the engine lacks, side by side. */
    public Action pull() {
        String byHand = "for image in %s; do docker image inspect $image > /dev/null 2>&1 || docker pull $image; done";
        return new Action(byHand.formatted(String.join(" ", names)), seen -> {
            Set<String> there = docker.present(names).keySet();
            List<String> missing = names.stream().filter(n -> !there.contains(n)).toList();
            if (missing.isEmpty()) return;
            seen.accept("pulling " + String.join(", ", missing));
            inParallel(missing, docker::pull);
        });
    }

    /** Loads the images into those nodes of the cluster that lack some. */
    public Action load(Cluster cluster) {
        return new Action("kind load docker-image --name %s %s".formatted(cluster, String.join(" ", names)), _ -> {
            List<Docker.Node> others = docker.nodes(cluster).stream().filter(n -> !n.image().equals(nodeImage)).toList();
            inParallel(others, node -> {
                Set<String> lacking = new TreeSet<>(names);
                docker.exec(LIMIT, node.name(), ctr("list", "--quiet")).out().lines().forEach(lacking::remove);
                // without --all-platforms ctr takes the node's own, also where the archive names others that it does not hold
                if (!lacking.isEmpty()) docker.copyImages(lacking, node.name(), ctr("import", "--snapshotter=overlayfs", "-"));
            });
        });
    }

    /** Removes containers that an interrupted run left, such as a node image in the making, and with {@code all} the node images themselves. */
    public static Action remove(Docker docker, boolean all) {
        return new Action("docker image rm $(docker image ls --quiet %s)".formatted(REPOSITORY), _ -> {
            docker.helpers().forEach(docker::remove);
            if (all) docker.removeImages(REPOSITORY);
        });
    }

    private static String[] ctr(String... words) { return Stream.concat(Arrays.stream(CTR), Arrays.stream(words)).toArray(String[]::new); }

    /** Does the work for all items side by side; throws the first failure when all have ended. */
    private static <T> void inParallel(Collection<T> items, Consumer<T> work) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<?> done : items.stream().map(i -> threads.submit(() -> work.accept(i))).toList()) done.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
