package lib;

import module java.base;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import lib.Check.Finding;
import lib.Check.Status;

/** The checks of a mesh, layer by layer: each layer stands on those before it. */
public final class Checks {
    /** How Verify tells what it found. */
    public enum Output { text, json, junit }

    private final List<Kube> kubes;
    private final Host host;
    private final PlatformChecks platform;
    private final MeshChecks mesh;

    public Checks(List<Kube> kubes, Docker docker, Istioctl istioctl) {
        this.kubes = kubes;
        this.host = new Host(docker);
        this.platform = new PlatformChecks(kubes, docker);
        this.mesh = new MeshChecks(kubes, istioctl);
    }

    private Map<String, List<Check>> layers() {
        Map<String, List<Check>> layers = new LinkedHashMap<>();
        layer(layers, "host", List.of(new Check("engine", "", true, host::engine), new Check("disk", "", false, () -> host.disk(0)),
                new Check("inotify", "", false, () -> host.inotify(kubes.size()))));
        layer(layers, "clusters", each("reachable", platform::reachable));
        layer(layers, "nodes", each("nodes-ready", platform::nodesReady), each("system-pods", platform::systemPods),
                each("remote-address", platform::remoteAddress));
        layer(layers, "load balancer", each("metallb-ready", platform::metalLbReady), each("addresses", platform::addresses));
        layer(layers, "trust", List.of(new Check("same-root", "", true, mesh::sameRoot)), each("intermediate", mesh::intermediate),
                each("identity", mesh::identity));
        layer(layers, "control plane", each("istiod-ready", mesh::istiodReady), each("webhooks", mesh::webhooks),
                each("network-label", mesh::networkLabel), each("remote-clusters-synced", mesh::remoteClusters),
                each("proxies", mesh::proxies));
        layer(layers, "east-west", each("gateway-ready", mesh::eastWestReady), each("gateway-reachable", mesh::eastWestReachable));
        layer(layers, "endpoints", each("app-ready", k -> k.deploymentsReady(SampleApp.NAMESPACE)), each("endpoints", mesh::endpoints));
        layer(layers, "traffic", each("who-answers", mesh::whoAnswers));
        return layers;
    }

    /** The IDs of all checks. */
    Set<String> ids() {
        return layers().values().stream().flatMap(List::stream).map(Check::id).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    @SafeVarargs private static void layer(Map<String, List<Check>> layers, String name, List<Check>... checks) {
        layers.put(name, Arrays.stream(checks).flatMap(List::stream).toList());
    }

    private interface Look {
        String at(Kube kube) throws Exception;
    }

    private List<Check> each(String id, Look look) {
        return kubes.stream().map(k -> new Check(id, k.cluster().name(), true, () -> look.at(k))).toList();
    }

    /**
     * Goes through the layers, each one's checks side by side. A layer that fails makes those behind it skipped.
     *
     * @param limit how long a check may go on failing, while the mesh still converges
     * @return whether everything holds that the mesh cannot work without
     */
    public boolean run(Console console, Output output, Duration limit) throws IOException, InterruptedException {
        List<Finding> findings = new ArrayList<>();
        boolean holds = true;
        for (var layer : layers().entrySet()) {
            List<Finding> found = new ArrayList<>();
            if (!holds) {
                layer.getValue().forEach(check -> found.add(check.skipped(layer.getKey())));
            } else {
                try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                    for (Future<Finding> f : threads.invokeAll(layer.getValue()
                            .stream().<Callable<Finding>>map(c -> () -> c.find(layer.getKey(), limit)).toList())) found.add(f.resultNow());
                }
            }
            holds &= found.stream().noneMatch(f -> f.status() == Status.FAILED);
            findings.addAll(found);
            if (output == Output.text) tell(console, layer.getKey(), found);
        }
        switch (output) {
            case json -> console.result(json(findings));
            case junit -> console.result(junit(findings));
            case text -> console.result(holds ? "\nThe mesh works." : "\nThe mesh does not work as it should.");
        }
        return holds;
    }

    /** Says what a layer's checks found. */
    public static void tell(Console console, String layer, List<Finding> found) {
        console.result("\n" + layer);
        if (found.stream().allMatch(f -> f.status() == Status.SKIPPED)) {
            console.result("- skipped: it stands on a layer that failed");
            return;
        }
        for (Finding f : found) {
            console.mark(f.status(), f.title() + ": " + f.saw());
            if (!f.hint().isEmpty()) console.result("    → %s\n    → README.md#%s".formatted(f.hint(), f.id()));
        }
    }

    private static String json(List<Finding> findings) throws IOException {
        return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)
                .writeValueAsString(Map.of("findings", findings, "works", findings.stream().noneMatch(f -> f.status() == Status.FAILED)));
    }

    /** As CI systems read it, https://github.com/testmoapp/junitxml */
    private static String junit(List<Finding> findings) {
        try {
            StringWriter text = new StringWriter();
            var xml = javax.xml.stream.XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            xml.writeStartDocument();
            xml.writeStartElement("testsuite");
            xml.writeAttribute("name", "kind-demo");
            xml.writeAttribute("tests", "" + findings.size());
            xml.writeAttribute("failures", "" + findings.stream().filter(f -> f.status() == Status.FAILED).count());
            xml.writeAttribute("skipped", "" + findings.stream().filter(f -> f.status() == Status.SKIPPED).count());
            for (Finding f : findings) {
                xml.writeStartElement("testcase");
                xml.writeAttribute("classname", f.layer());
                xml.writeAttribute("name", f.title());
                xml.writeAttribute("time", "%.3f".formatted(f.seconds()));
                if (f.status() == Status.SKIPPED) xml.writeEmptyElement("skipped");
                if (f.status() == Status.FAILED) {
                    xml.writeStartElement("failure");
                    xml.writeAttribute("message", f.saw());
                    xml.writeCharacters(f.hint());
                    xml.writeEndElement();
                } else {
                    xml.writeStartElement("system-out");
                    xml.writeCharacters(f.saw());
                    xml.writeEndElement();
                }
                xml.writeEndElement();
            }
            xml.writeEndElement();
            xml.close();
            return text.toString();
        } catch (javax.xml.stream.XMLStreamException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Waits until the endpoints of all clusters are seen from this one. */
    public Action awaitEndpoints(Kube kube) {
        String byHand = "istioctl --context %s proxy-config endpoints deploy/sleep -n sample | grep helloworld".formatted(kube.cluster()
                .context());
        return new Action(byHand, seen -> Await.until(kube.cluster() + ": endpoints", Duration.ofMinutes(2), Duration.ofMillis(300), seen,
                () -> {
            try {
                mesh.endpoints(kube);
                return "";
            } catch (Problem p) {
                return p.getMessage();
            }
        }));
    }
}
