package lib.verify;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.istio.*;
import lib.kind.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * What is known of a demo that does not work, for whoever is to find out why: a folder of texts, without any secret. Of a cluster's
 * namespaces and of Docker's nodes only those that the demo made; of what others write into them only what cannot be a secret.
 */
public final class Diagnostics {
    /** All of it is given up after this time: a cluster that does not answer must not hold the others' facts back. */
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int LOG_LINES = 500;
    /** The file by which a folder is known to be ours. */
    static final String MARKER = "kind-demo-diagnostics.txt";
    /**
     * The namespace that a line of a log is about, as the kubelet and containerd write it, and as istiod does: KIND/NAMESPACE/NAME,
     * NAME.NAMESPACE.svc, and POD.NAMESPACE with a number behind it.
     */
    private static final Pattern NAMESPACE = Pattern.compile("(?:\\bpods?=\\[?\\\\*\"|object-\\\\*\"|\\b[Nn]amespace[:=]\\\\*\"?"
            + "|\\w_(?=[a-z0-9-]+\\()|\\b[A-Z]\\w+/(?=[a-z0-9-]+/)|\\w\\.(?=[a-z0-9-]+\\.svc\\b)|-[a-z0-9]{5}\\.)([a-z0-9-]+?)(?:-\\d+)?(?![a-z0-9-])");

    /** One file's text. */
    private interface Fact {
        String text() throws Exception;
    }

    private final AppDirs dirs;
    private final Path folder;
    private final Docker docker;
    private final Binary kind;
    private final Istioctl istioctl;
    private final CertificateAuthority authority;
    private final List<Kube> kubes;
    private final Console console;
    private final boolean existing;

    /** @param folder the folder to write; without one it is diagnostics/ in the demo's state */
    public Diagnostics(AppDirs dirs, Optional<Path> folder, Docker docker, Binary kind, Istioctl istioctl, CertificateAuthority authority,
            List<Kube> kubes, Console console) {
        this.dirs = dirs;
        this.folder = folder.orElse(ownFolder(dirs));
        this.docker = docker;
        this.kind = kind;
        this.istioctl = istioctl;
        this.authority = authority;
        this.kubes = kubes;
        this.console = console;
        this.existing = !kubes.isEmpty() && kubes.stream().noneMatch(kube -> kube.cluster().isKind());
    }

    private static Path ownFolder(AppDirs dirs) { return dirs.state().resolve("diagnostics"); }

    /** A {@link Problem} when a user's folder has anything else in it: nothing of that may be overwritten. */
    public static void check(Path folder) {
        String[] files = folder.toFile().list();
        if (Files.exists(folder.resolve(MARKER)) || !Files.exists(folder) || files != null && files.length == 0) return;
        throw Problem.usage("--diagnostics takes a new folder, an empty one, or one of earlier diagnostics; %s is none of these".formatted(
                folder), "name another folder");
    }

    /**
     * Writes the folder that --diagnostics names, else one in the demo's state, its files for their owner alone; says where it is. What
     * cannot be read is reported in its place. A failure to write it is a warning: it must not replace the one that is looked into.
     *
     * @param timings where the time went, or empty
     */
    public void collect(String timings) throws InterruptedException {
        try {
            if (folder.equals(ownFolder(dirs))) AppDirs.remove(folder);
            else check(folder);
            write(folder.resolve(MARKER), """
                    Written by %s, %s. Left out: other namespaces and nodes than the demo's, the values of environment variables,
                    arguments, commands, annotations, and whatever looks like a key, a token or a password.
                    """.formatted(Versions.summary(), Instant.now().truncatedTo(ChronoUnit.SECONDS)));
            writeAll(timings);
        } catch (Problem | IOException e) {
            console.warn("diagnostics were not written to %s: %s".formatted(folder, e.getMessage()));
        }
    }

    private void writeAll(String timings) throws InterruptedException {
        Map<String, Fact> facts = new TreeMap<>();
        boolean own = !existing;
        facts.put("versions.txt", () -> "%s\nkind %s\nistioctl %s\n%s\n".formatted(Versions.summary(),
                own ? kind.describe() : "not used", istioctl.binary().describe(), own ? docker.info() : ""));
        facts.put("timings.txt", () -> timings);
        facts.put("log.txt", () -> Files.readString(dirs.log("KindDemo")));
        List<Docker.Node> nodes = own ? nodes() : List.of();
        if (own) facts.put("network.json", () -> network(docker.describeNetwork(), nodes).toPrettyString());
        for (Docker.Node node : nodes) facts.put("%s/node-%s.txt".formatted(node.cluster(), node.name()), () ->
                node + "\n" + ofTheDemo(docker.logs(node.name(), LOG_LINES), namespaces(false)));
        if (own) facts.put("vault.txt", () -> {
            StringBuilder text = new StringBuilder();
            for (String container : authority.containers()) text.append(docker.logs(container, LOG_LINES));
            return text.toString();
        });
        for (Kube kube : kubes) {
            // an API server that sleeps takes its time to say nothing; its node's file tells why
            boolean asleep = nodes.stream().anyMatch(n -> n.name().equals(kube.cluster().controlPlane()) && (!n.running() || n.paused()));
            if (!asleep) facts(kube).forEach((name, fact) -> facts.put(kube.cluster().filePrefix() + "/" + name, fact));
        }

        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Void>> writing = facts.entrySet().stream().<Callable<Void>>map(f -> () -> {
                write(folder.resolve(f.getKey()), text(f.getValue()));
                return null;
            }).toList();
            long missing = threads.invokeAll(writing, LIMIT.toMillis(), TimeUnit.MILLISECONDS).stream().filter(f -> f.state()
                    != Future.State.SUCCESS).count();
            console.info("diagnostics, without secrets, are in %s%s".formatted(folder, missing == 0 ? ""
                    : "; %d files could not be had".formatted(missing)));
        }
    }

    /** The nodes of this demo's clusters; none when Docker does not answer, versions.txt then says so. */
    private List<Docker.Node> nodes() {
        Set<String> names = kubes.stream().map(kube -> kube.cluster().name()).collect(Collectors.toSet());
        try {
            return docker.nodes().stream().filter(node -> node.ours() && names.contains(node.cluster())).toList();
        } catch (Problem p) {
            return List.of();
        }
    }

    /** Docker's description of the network, with none but these containers on it. */
    private static JsonNode network(JsonNode network, List<Docker.Node> nodes) {
        Set<String> names = nodes.stream().map(Docker.Node::name).collect(Collectors.toSet());
        if (network.path("Containers") instanceof ObjectNode containers)
            containers.properties().removeIf(container -> !names.contains(container.getValue().path("Name").asText()));
        return network;
    }

    /** The namespaces that the demo made, with those that kind made for it. */
    private static Set<String> namespaces(boolean existing) {
        Set<String> made = new TreeSet<>(List.of(Mesh.NAMESPACE, SampleApp.TARGET.namespace()));
        if (!existing) made.addAll(List.of(MetalLb.NAMESPACE, CertManager.NAMESPACE, "kube-system", "local-path-storage"));
        return made;
    }

    /** A log without the lines about other namespaces than these, and without the containers that the kubelet prints whole. */
    static String ofTheDemo(String log, Set<String> namespaces) {
        return log.lines().filter(line -> NAMESPACE.matcher(line).results().allMatch(m -> namespaces.contains(m.group(1))))
                .map(line -> line.replaceFirst("(?s)\\bContainer\\{.*", "(left out)")).collect(Collectors.joining("\n"));
    }

    private Map<String, Fact> facts(Kube kube) {
        Map<String, Fact> facts = new TreeMap<>();
        Set<String> namespaces = namespaces(existing);
        if (!existing) facts.put("nodes.yaml", () -> yaml(kube.client().nodes().list().getItems()));
        facts.put("pods.yaml", () -> yaml(in(namespaces, n -> kube.client().pods().inNamespace(n).list().getItems())));
        facts.put("services.yaml", () -> yaml(in(namespaces, n -> kube.client().services().inNamespace(n).list().getItems())));
        facts.put("events.txt", () -> kube.client().v1().events().inAnyNamespace().list().getItems().stream()
                .filter(e -> namespaces.contains(e.getMetadata().getNamespace())
                        || !existing && "Node".equals(e.getInvolvedObject().getKind()))
                .sorted(Comparator.comparing(Pods::time)).map(e -> "%s %s/%s %s".formatted(Pods.time(e), e.getMetadata().getNamespace(),
                        e.getInvolvedObject().getName(), Pods.line(e))).collect(Collectors.joining("\n")));
        facts.put("not-ready.txt", () -> namespaces.stream().map(n -> new Pods(kube, n).problems()).collect(Collectors.joining("\n")));
        facts.put("istiod.txt", () -> ofTheDemo(logs(kube, Mesh.NAMESPACE, "istiod"), namespaces));
        authority.workloads().forEach((app, namespace) -> facts.put(app + ".txt", () -> logs(kube, namespace, app)));
        facts.put("remote-clusters.txt", () -> istioctl.remoteClusters(kube.cluster()).toString());
        facts.put("proxy-status.txt", () -> Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster())).entrySet().stream()
                .filter(proxy -> namespaces.contains(proxy.getKey().replaceFirst(".*\\.", ""))).map(Object::toString)
                .collect(Collectors.joining("\n")));
        facts.put("endpoints.txt", () -> new ClientPod(kube, SampleApp.TARGET).envoy("clusters").lines()
                .filter(l -> l.contains(SampleApp.TARGET.service())).collect(Collectors.joining("\n")));
        return facts;
    }

    /** What the pods with this label {@code app} last said. */
    private static String logs(Kube kube, String namespace, String app) {
        return kube.client().pods().inNamespace(namespace).withLabel("app", app).list().getItems().stream()
                .map(p -> Redactor.lastLines(LOG_LINES, kube.client().pods().resource(p).tailingLines(LOG_LINES + Redactor.SPAN).getLog()))
                .collect(Collectors.joining("\n"));
    }

    private static String text(Fact fact) {
        try {
            return fact.text();
        } catch (Exception e) {
            return "not to be had: " + e.getMessage();
        }
    }

    private static <T> List<T> in(Set<String> namespaces, Function<String, List<T>> list) {
        return namespaces.stream().flatMap(namespace -> list.apply(namespace).stream()).toList();
    }

    static String yaml(List<? extends HasMetadata> resources) throws IOException {
        return Serialization.asYaml(Redactor.redact(new ObjectMapper().readTree(Serialization.asJson(resources))));
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        AppDirs.writePrivate(file, Redactor.redact(text).getBytes(StandardCharsets.UTF_8));
    }
}
