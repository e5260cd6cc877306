package lib;

import module java.base;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.KubernetesResourceList;
import io.fabric8.kubernetes.client.utils.Serialization;

/** What is known of a demo that does not work, for whoever is to find out why: a folder of texts, without any secret. */
public final class Diagnostics {
    /** All of it is given up after this time: a cluster that does not answer must not hold the others' facts back. */
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int LOG_LINES = 500;

    /** One file's text. */
    private interface Fact {
        String text() throws Exception;
    }

    private final Settings settings;
    private final Docker docker;
    private final Istioctl istioctl;
    private final List<Kube> kubes;

    public Diagnostics(Settings settings, Docker docker, Istioctl istioctl, List<Kube> kubes) {
        this.settings = settings;
        this.docker = docker;
        this.istioctl = istioctl;
        this.kubes = kubes;
    }

    /**
     * Writes the folder that --diagnostics names, else one in the demo's state, its files for their owner alone; says where it is. What
     * cannot be had is told in its place.
     *
     * @param timings where the time went, or empty
     */
    public void collect(String timings) throws IOException, InterruptedException {
        Path folder = settings.diagnostics().orElse(settings.home().state().resolve("diagnostics"));
        Map<String, Fact> facts = new TreeMap<>();
        facts.put("versions.txt", () -> "%s\nkind %s\nistioctl %s\n%s\n".formatted(Script.version(),
                settings.kind().look(), settings.istioctl().look(), docker.engine()));
        facts.put("timings.txt", () -> timings);
        settings.console().logFile().ifPresent(log -> facts.put("log.txt", () -> Files.readString(log)));
        facts.put("network.json", () -> docker.describeNetwork().toPrettyString());
        List<Docker.Node> nodes = docker.nodes().stream().filter(Docker.Node::ours).toList();
        for (Docker.Node node : nodes) facts.put("%s/node-%s.txt".formatted(node.cluster(), node.name()), () ->
                node + "\n" + docker.logs(node.name(), LOG_LINES));
        for (String server : new Vault(settings, docker).found()) facts.put(server + ".txt", () -> docker.logs(server, LOG_LINES));
        for (Kube kube : kubes) {
            // an API server that sleeps takes its time to say nothing; its node's file tells why
            boolean asleep = nodes.stream().anyMatch(n -> n.name().equals(kube.cluster().controlPlane()) && (!n.running() || n.paused()));
            if (!asleep) facts(kube).forEach((name, fact) -> facts.put(kube.cluster().file() + "/" + name, fact));
        }

        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Void>> writing = facts.entrySet().stream().<Callable<Void>>map(f -> () -> {
                write(folder.resolve(f.getKey()), text(f.getValue()));
                return null;
            }).toList();
            long missing = threads.invokeAll(writing, LIMIT.toMillis(), TimeUnit.MILLISECONDS).stream().filter(f -> f.state()
                    != Future.State.SUCCESS).count();
            settings.console().say("diagnostics, without secrets, are in %s%s".formatted(folder, missing == 0 ? ""
                    : "; %d files could not be had".formatted(missing)));
        }
    }

    private Map<String, Fact> facts(Kube kube) {
        Map<String, Fact> facts = new TreeMap<>();
        facts.put("nodes.yaml", () -> yaml(kube.client().nodes().list()));
        facts.put("pods.yaml", () -> yaml(kube.client().pods().inAnyNamespace().list()));
        facts.put("services.yaml", () -> yaml(kube.client().services().inAnyNamespace().list()));
        facts.put("events.txt", () -> kube.client().v1().events().inAnyNamespace().list().getItems().stream()
                .sorted(Comparator.comparing(Pods::time)).map(e -> "%s %s/%s %s".formatted(Pods.time(e), e.getMetadata().getNamespace(),
                        e.getInvolvedObject().getName(), Pods.line(e))).collect(Collectors.joining("\n")));
        facts.put("not-ready.txt", () -> kube.client().namespaces().list().getItems().stream()
                .map(n -> new Pods(kube, n.getMetadata().getName()).symptoms()).collect(Collectors.joining("\n")));
        facts.put("istiod.txt", () -> logs(kube, Istio.NAMESPACE, "istiod"));
        if (settings.ca() == CertificateAuthority.Choice.istioCsr) {
            facts.put("istio-csr.txt", () -> logs(kube, Istio.NAMESPACE, IstioCsr.NAME));
            facts.put("cert-manager.txt", () -> logs(kube, CertManager.NAMESPACE, "cert-manager"));
        }
        facts.put("remote-clusters.txt", () -> istioctl.remoteClusters(kube.cluster()).toString());
        facts.put("proxy-status.txt", () -> String.join("\n", Istioctl.parseProxyStatus(istioctl.proxyStatus(kube.cluster())).entrySet()
                .stream().map(Object::toString).toList()));
        facts.put("endpoints.txt", () -> new Client(kube, SampleApp.APP).envoy("clusters").lines()
                .filter(l -> l.contains(SampleApp.APP.service())).collect(Collectors.joining("\n")));
        return facts;
    }

    /** What the pods with this label {@code app} last said. */
    private static String logs(Kube kube, String namespace, String app) {
        return kube.client().pods().inNamespace(namespace).withLabel("app", app).list().getItems().stream()
                .map(p -> kube.client().pods().resource(p).tailingLines(LOG_LINES).getLog()).collect(Collectors.joining("\n"));
    }

    private static String text(Fact fact) {
        try {
            return fact.text();
        } catch (Exception e) {
            return "not to be had: " + e.getMessage();
        }
    }

    private static String yaml(KubernetesResourceList<? extends HasMetadata> list) {
        list.getItems().forEach(item -> item.getMetadata().setManagedFields(null));
        return Serialization.asYaml(list);
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Home.writePrivate(file, Secrets.leftOut(text).getBytes(StandardCharsets.UTF_8));
    }
}
