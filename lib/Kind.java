package lib;

import module java.base;
import io.fabric8.kubernetes.client.utils.Serialization;

/** kind: clusters whose nodes are containers. https://kind.sigs.k8s.io/docs/user/configuration/ */
public final class Kind {
    private static final String INSTALL = "install kind v%s or newer: go install sigs.k8s.io/kind@v%s (other ways: https://kind.sigs.k8s.io/docs/user/quick-start/#installation)".formatted(Versions.KIND, Versions.KIND);

    private final Tool kind;
    private final Docker docker;
    private final Manifests manifests;
    private final Settings settings;
    public Kind(Settings settings, Docker docker) {
        this.kind = new Tool("kind", INSTALL, settings.console());
        this.docker = docker;
        this.manifests = settings.manifests();
        this.settings = settings;
    }

    /** A {@link Problem} when kind is missing or older than the pin. */
    public void checkVersion() {
        String said = kind.run(Duration.ofSeconds(10), "version");
        if (Version.first(said).compareTo(Version.first(Versions.KIND)) < 0) throw Problem.unfit("kind is too old: it says " + said.strip()
                + ", the demo needs v" + Versions.KIND, INSTALL);
    }

    /** Makes the cluster, or goes on with the one that an earlier run made; puts its context into the kubeconfig. */
    public Action create(Kube kube, Images images) {
        Cluster cluster = kube.cluster();
        return new Action("kind create cluster --name %s --image %s --config - <<EOF\n%sEOF".formatted(cluster, settings.nodeImage(),
                config(cluster)), seen -> {
            List<Docker.Node> nodes = docker.nodes(cluster);
            if (!nodes.isEmpty() && isComplete(kube, nodes)) return;
            if (!nodes.isEmpty()) delete(cluster).task().run(seen);
            seen.accept("kubeadm");
            withOwnKubeconfig(file -> kind.feed(Duration.ofMinutes(10), config(cluster), "create", "cluster", "--name", cluster.name(),
                    "--image", images.nodeImage(), "--config", "-", "--kubeconfig", file));
            mergeKubeconfig(cluster);
            kube.close(); // it may know the API server of a cluster that was half-made
            kube.apply(manifests.filled("kind/complete.yaml", Map.of("WORKERS", "" + settings.workers(), "NODE_IMAGE",
                    settings.nodeImage())));
        });
    }

    /** Whether an earlier run got to the end of the cluster's creation; starts nodes that were stopped since. */
    private boolean isComplete(Kube kube, List<Docker.Node> nodes) {
        List<Docker.Node> stopped = nodes.stream().filter(n -> !n.running()).toList();
        try {
            if (!stopped.isEmpty()) docker.start(stopped);
            if (!answers(kube)) {
                // the port of the API server on this machine is another after a restart
                mergeKubeconfig(kube.cluster());
                kube.close();
            }
            Await.until("the API server", Duration.ofSeconds(stopped.isEmpty() ? 15 : 60), Duration.ofMillis(300), _ -> {}, () ->
                    answers(kube) ? "" : "no answer");
            return kube.client().configMaps().inNamespace("kube-system").withName("kind-demo").get() != null;
        } catch (Problem | IOException e) {
            return false;
        }
    }

    private static boolean answers(Kube kube) {
        try {
            return kube.client().getKubernetesVersion() != null;
        } catch (RuntimeException e) {
            return false;
        }
    }

    private void mergeKubeconfig(Cluster cluster) {
        Kubeconfig.ofUser().merge(kind.runUnlogged(Duration.ofSeconds(20), "get", "kubeconfig", "--name", cluster.name()));
    }

    /** Removes the cluster's nodes and its entries in the kubeconfig. */
    public Action delete(Cluster cluster) {
        return new Action("kind delete cluster --name " + cluster, _ -> {
            withOwnKubeconfig(file -> kind.run(Duration.ofMinutes(3), "delete", "cluster", "--name", cluster.name(), "--kubeconfig", file));
            Kubeconfig.ofUser().remove(cluster.context());
        });
    }

    /** kind writes a kubeconfig in any case: here one that is thrown away. */
    private static void withOwnKubeconfig(Consumer<String> work) throws IOException {
        Path file = Files.createTempFile("kind-demo", ".kubeconfig");
        try {
            work.accept(file.toString());
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /** kind's configuration of the cluster: the manifest with its placeholders filled, and as many workers as were asked for. */
    String config(Cluster cluster) {
        @SuppressWarnings("unchecked") Map<String, Object> config = Serialization.unmarshal(manifests.filled("kind/cluster.yaml",
                cluster.placeholders()), LinkedHashMap.class);
        List<Object> nodes = new ArrayList<>();
        for (Object node : (List<?>) config.get("nodes")) nodes.addAll(Collections.nCopies("worker".equals(((Map<?, ?>) node).get("role"))
                ? settings.workers() : 1, node));
        config.put("nodes", nodes);
        return Serialization.asYaml(config).replaceFirst("^---\n", "");
    }
}
