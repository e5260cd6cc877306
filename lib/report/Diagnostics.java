package lib.report;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import lib.sample.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * A folder of text files about a demo that does not work, without secrets. It contains only the namespaces and nodes of
 * the demo; of what others may write into these, only what cannot be a secret.
 *
 * @param target the folder to write; by default diagnostics/ in the demo's state
 */
public record Diagnostics(AppDirs dirs, Optional<Path> target, Docker docker, Binary kind, Istioctl istioctl,
        CertificateAuthority authority, List<Kube> kubes, Console console) {
    /** The limit for all files together: a cluster that does not answer must not hold up the others. */
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int LOG_LINES = 500;
    /** A folder with this file contains earlier diagnostics. */
    static final String MARKER = "kind-demo-diagnostics.txt";
    /**
     * The namespace in a line of a log, as the kubelet, containerd, istiod and cert-manager write it, such as
     * KIND/NAMESPACE/NAME, NAME.NAMESPACE.svc, /ns/NAMESPACE/sa/NAME, and POD.NAMESPACE with a number at the end.
     */
    private static final Pattern NAMESPACE = Pattern.compile("(?:\\bpods?=\\[?\\\\*\"|object-\\\\*\""
            + "|(?:\\b|_)[Nn]amespace[:=]\\\\*\"?|/ns/(?=[a-z0-9-]+/sa/)|\\w_(?=[a-z0-9-]+\\()"
            + "|\\b[A-Z]\\w+/(?=[a-z0-9-]+/)"
            + "|\\w\\.(?=[a-z0-9-]+\\.svc\\b)|-[a-z0-9]{5}\\.)([a-z0-9-]+?)(?:-\\d+)?(?![a-z0-9-])");

    /** The content of one file. */
    private interface Content {
        String text() throws Exception;
    }

    /** A {@link Problem} if a folder contains files that are not diagnostics: they must not be overwritten. */
    public static void check(Path folder) {
        String[] files = folder.toFile().list();
        boolean empty = files != null && files.length == 0;
        if (!Files.exists(folder) || empty || Files.exists(folder.resolve(MARKER))) return;
        throw Problem.usage("--diagnostics accepts only a new or empty folder or one with earlier diagnostics, not "
                + folder, "name another folder");
    }

    /**
     * Writes the files, readable only for their owner, and reports where they are. What is not available is replaced by
     * the reason. If nothing can be written, it only warns: the failure under diagnosis is the one to report.
     *
     * @param timings the duration of each step, or empty
     */
    public void collect(String timings) throws InterruptedException {
        Path byDefault = dirs.state().resolve("diagnostics"), folder = target.orElse(byDefault);
        try {
            if (folder.equals(byDefault)) AppDirs.remove(folder);
            else check(folder);
            write(folder.resolve(MARKER), """
                    Written by %s, %s. Left out: namespaces and nodes that are not the demo's, values of environment
                    variables, arguments, commands, annotations, and what looks like a key, a token or a password.
                    """.formatted(Versions.summary(), Instant.now().truncatedTo(ChronoUnit.SECONDS)));
            long missing = writeAll(folder, files(timings));
            console.info("diagnostics, without secrets, are in %s%s".formatted(folder,
                    missing == 0 ? "" : "; %d files are not available".formatted(missing)));
        } catch (Problem | IOException e) {
            console.warn("diagnostics were not written to %s: %s".formatted(folder, e.getMessage()));
        }
    }

    /** Writes the files side by side; returns how many could not be written in time. */
    private static long writeAll(Path folder, Map<String, Content> files) throws InterruptedException {
        List<Callable<Void>> tasks = new ArrayList<>();
        files.forEach((name, content) -> tasks.add(() -> {
            write(folder.resolve(name), text(content));
            return null;
        }));
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        try {
            return threads.invokeAll(tasks, LIMIT.toMillis(), TimeUnit.MILLISECONDS).stream()
                    .filter(task -> task.state() != Future.State.SUCCESS).count();
        } finally {
            threads.shutdownNow(); // close() would wait for a task that hangs
        }
    }

    private static String text(Content content) {
        try {
            return content.text();
        } catch (Exception e) {
            return "not available: " + e.getMessage();
        }
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        AppDirs.writePrivate(file, Redactor.redact(text).getBytes(StandardCharsets.UTF_8));
    }

    private Map<String, Content> files(String timings) {
        Map<String, Content> files = new TreeMap<>();
        boolean own = isOwn();
        files.put("versions.txt", () -> "%s\nkind %s\nistioctl %s\n%s\n".formatted(Versions.summary(),
                own ? kind.describe() : "not used", istioctl.binary().describe(), own ? docker.info() : ""));
        files.put("timings.txt", () -> timings);
        files.put("log.txt", () -> Files.readString(dirs.log("KindDemo")));
        List<Docker.Node> nodes = own ? nodes() : List.of();
        if (own) {
            files.put("network.json", () -> network(docker.describeNetwork(), nodes).toPrettyString());
            files.put("vault.txt", () -> authority.containers().stream()
                    .map(container -> docker.logs(container, LOG_LINES)).collect(Collectors.joining()));
        }
        for (Docker.Node node : nodes) files.put("%s/node-%s.txt".formatted(node.cluster(), node.name()),
                () -> node + "\n" + ofTheDemo(docker.logs(node.name(), LOG_LINES), namespaces()));
        for (Kube kube : kubes) {
            // do not wait for the API server of a stopped or paused node: the node's file has the reason
            boolean stopped = nodes.stream().anyMatch(node -> node.name().equals(kube.cluster().controlPlane())
                    && (!node.running() || node.paused()));
            if (!stopped) files(kube).forEach((name, content) ->
                    files.put(kube.cluster().filePrefix() + "/" + name, content));
        }
        return files;
    }

    /** Whether the demo created the clusters. */
    private boolean isOwn() { return kubes.isEmpty() || kubes.stream().anyMatch(kube -> kube.cluster().isKind()); }

    /** The nodes of this demo's clusters; none if Docker does not answer, which versions.txt reports. */
    private List<Docker.Node> nodes() {
        Set<String> names = kubes.stream().map(kube -> kube.cluster().name()).collect(Collectors.toSet());
        try {
            return docker.nodes().stream().filter(node -> node.ours() && names.contains(node.cluster())).toList();
        } catch (Problem p) {
            return List.of();
        }
    }

    /** Docker's description of the network, without other containers than these. */
    private static JsonNode network(JsonNode network, List<Docker.Node> nodes) {
        Set<String> names = nodes.stream().map(Docker.Node::name).collect(Collectors.toSet());
        if (network.path("Containers") instanceof ObjectNode containers)
            containers.properties().removeIf(container -> !names.contains(container.getValue().path("Name").asText()));
        return network;
    }

    /** The namespaces that the demo created, and in its own clusters those that kind created. */
    private Set<String> namespaces() {
        Set<String> namespaces = new TreeSet<>(List.of(Mesh.NAMESPACE, SampleApp.TARGET.namespace()));
        if (isOwn())
            namespaces.addAll(List.of(MetalLb.NAMESPACE, IstioCsr.CERT_MANAGER, "kube-system", "local-path-storage"));
        return namespaces;
    }

    /** A log without lines about other namespaces, and without the containers that the kubelet prints in full. */
    static String ofTheDemo(String log, Set<String> namespaces) {
        return log.lines()
                .filter(line -> NAMESPACE.matcher(line).results().allMatch(m -> namespaces.contains(m.group(1))))
                .map(line -> line.replaceFirst("(?s)\\bContainer\\{.*", "(left out)"))
                .collect(Collectors.joining("\n"));
    }

    private Map<String, Content> files(Kube kube) {
        Map<String, Content> files = new TreeMap<>();
        Set<String> namespaces = namespaces();
        if (isOwn()) files.put("nodes.yaml", () -> yaml(kube.client().nodes().list().getItems()));
        files.put("pods.yaml", () -> yaml(namespaces.stream().flatMap(namespace ->
                kube.client().pods().inNamespace(namespace).list().getItems().stream()).toList()));
        files.put("services.yaml", () -> yaml(namespaces.stream().flatMap(namespace ->
                kube.client().services().inNamespace(namespace).list().getItems().stream()).toList()));
        files.put("events.txt", () -> kube.client().v1().events().inAnyNamespace().list().getItems().stream()
                .filter(event -> namespaces.contains(event.getMetadata().getNamespace())
                        || isOwn() && "Node".equals(event.getInvolvedObject().getKind()))
                .sorted(Comparator.comparing(Pods::time)).map(Diagnostics::line).collect(Collectors.joining("\n")));
        files.put("not-ready.txt", () -> namespaces.stream().map(namespace -> new Pods(kube, namespace).problems())
                .collect(Collectors.joining("\n")));
        files.put("istiod.txt", () -> ofTheDemo(logs(kube, Mesh.NAMESPACE, "istiod"), namespaces));
        authority.workloads().forEach((app, namespace) ->
                files.put(app + ".txt", () -> ofTheDemo(logs(kube, namespace, app), namespaces)));
        files.put("remote-clusters.txt", () -> istioctl.remoteClusters(kube.cluster()).toString());
        files.put("proxy-status.txt", () -> Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster())).entrySet()
                .stream().filter(proxy -> namespaces.contains(proxy.getKey().replaceFirst(".*\\.", "")))
                .map(Object::toString).collect(Collectors.joining("\n")));
        if (istioctl.dataPlane() == DataPlane.ambient) files.putAll(ambientFiles(kube, namespaces));
        else files.put("endpoints.txt", () -> new ClientPod(kube, SampleApp.TARGET).envoy("clusters").lines()
                .filter(line -> line.contains(SampleApp.TARGET.service())).collect(Collectors.joining("\n")));
        return files;
    }

    private Map<String, Content> ambientFiles(Kube kube, Set<String> namespaces) {
        Map<String, Content> files = new TreeMap<>();
        files.put("ztunnel.txt", () -> ofTheDemo(logs(kube, Mesh.NAMESPACE, InstalledIstio.ZTUNNEL), namespaces));
        files.put("gateways.yaml", () -> yaml(GatewayApi.list(kube).list().getItems()));
        files.put("endpoints.txt", () -> {
            String node = new ClientPod(kube, SampleApp.TARGET).client().getSpec().getNodeName();
            return Ztunnel.of(kube, istioctl, node).endpoints(SampleApp.TARGET.host()).stream()
                    .map(Ztunnel.Endpoint::toString).collect(Collectors.joining("\n"));
        });
        return files;
    }

    private static String line(Event event) {
        return "%s %s/%s %s".formatted(Pods.time(event), event.getMetadata().getNamespace(),
                event.getInvolvedObject().getName(), Pods.line(event));
    }

    /** The last lines of the logs of pods with this label {@code app}. */
    private static String logs(Kube kube, String namespace, String app) {
        var pods = kube.client().pods();
        return pods.inNamespace(namespace).withLabel("app", app).list().getItems().stream()
                .map(pod -> pods.resource(pod).tailingLines(LOG_LINES + Redactor.SPAN).getLog())
                .map(log -> Redactor.lastLines(LOG_LINES, log)).collect(Collectors.joining("\n"));
    }

    static String yaml(List<? extends HasMetadata> resources) throws IOException {
        return Serialization.asYaml(Redactor.redact(new ObjectMapper().readTree(Serialization.asJson(resources))));
    }
}
