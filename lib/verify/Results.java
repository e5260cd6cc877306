package lib.verify;

import module java.base;
import lib.fetch.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.fabric8.kubernetes.client.KubernetesClientException;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * All that Verify has to tell: to people while it looks, and whole to machines; README documents the fields of its JSON.
 *
 * @param ok          whether no fatal check failed, and no experiment
 * @param generatedAt when, ISO 8601
 * @param versions    what this program is pinned to
 */
public record Results(boolean ok, String generatedAt, Map<String, String> versions, List<ClusterFacts> clusters, List<CheckResult> checks,
        List<ExperimentResult> experiments) {
    /** A cluster, and where it can be reached; addresses that could not be learnt are empty. */
    public record ClusterFacts(String name, String context, String id, String network, String apiServer, Map<String, String> gateways) {
        static ClusterFacts of(Kube kube, boolean reachable) {
            Cluster cluster = kube.cluster();
            Map<String, String> gateways = new TreeMap<>();
            String apiServer = "";
            if (reachable) try {
                apiServer = new ApiServer(kube).ownUrl();
                kube.client().services().inNamespace(Mesh.NAMESPACE).list().getItems().stream()
                        .filter(InstalledIstio::isGateway)
                        .forEach(s -> gateways.put(s.getMetadata().getName(), "ClusterIP".equals(s.getSpec().getType())
                                ? s.getSpec().getClusterIP() : Kube.address(s)));
            } catch (KubernetesClientException | Problem e) {
                // what is wrong with it is told by its checks
            }
            return new ClusterFacts(cluster.name(), cluster.context(), cluster.id(), cluster.network(), apiServer, gateways);
        }
    }

    /** @param istio the version of Istio that the demo installs */
    public static Results of(String istio, List<Kube> kubes, List<CheckResult> checks, List<ExperimentResult> experiments) {
        return new Results(ok(checks, experiments), Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                Versions.all(istio),
                kubes.stream().map(kube -> ClusterFacts.of(kube, checks.stream().noneMatch(f -> f.layer().equals("clusters")
                        && f.cluster().equals(kube.cluster().name()) && f.status() == Status.FAILED))).toList(), checks, experiments);
    }

    static boolean ok(List<CheckResult> checks, List<ExperimentResult> experiments) {
        return Stream.concat(checks.stream().map(CheckResult::status), experiments.stream().map(ExperimentResult::status))
                .noneMatch(Status.FAILED::equals);
    }

    /** Tells what was found in a layer, and what helps. */
    public static void print(Console console, String layer, List<CheckResult> results) {
        console.result("\n" + layer);
        if (results.stream().allMatch(f -> f.status() == Status.SKIPPED)) {
            console.result("- skipped: it stands on a layer that failed");
            return;
        }
        for (CheckResult f : results) {
            console.status(f.status(), f.name() + ": " + f.message());
            if (!f.hint().isEmpty()) console.result("    → %s\n    → %s".formatted(f.hint(), console.commands().explain(f.id())));
        }
    }

    /** Tells what an experiment showed. */
    public static void print(Console console, ExperimentResult outcome) {
        String text = String.join("\n", outcome.status() == Status.FAILED ? outcome.failures() : outcome.observations());
        console.status(outcome.status(), "%s: %s (%.0f s)\n%s".formatted(outcome.name(), outcome.title(), outcome.durationSeconds(), text));
    }

    public String json() throws IOException {
        return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(this);
    }

    /** As CI systems read it, https://github.com/testmoapp/junitxml */
    public String junit() {
        try {
            StringWriter text = new StringWriter();
            XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            xml.writeStartDocument();
            xml.writeStartElement("testsuite");
            xml.writeAttribute("name", "kind-demo");
            xml.writeAttribute("tests", "" + (checks.size() + experiments.size()));
            long failed = checks.stream().filter(f -> f.status() == Status.FAILED).count();
            xml.writeAttribute("failures", "" + (failed + experiments.stream().filter(o -> o.status() == Status.FAILED).count()));
            long skipped = checks.stream().filter(f -> f.status() == Status.SKIPPED).count();
            skipped += experiments.stream().filter(o -> o.status() == Status.SKIPPED).count();
            xml.writeAttribute("skipped", "" + skipped);
            for (CheckResult f : checks) testcase(xml, f.layer(), f.name(), f.durationSeconds(), f.status(), f.message(), f.hint());
            for (ExperimentResult o : experiments) testcase(xml, "experiments", o.name(), o.durationSeconds(), o.status(),
                    String.join("\n", o.failures().isEmpty() ? o.observations() : o.failures()), o.title());
            xml.writeEndElement();
            xml.close();
            return text.toString();
        } catch (XMLStreamException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void testcase(XMLStreamWriter xml, String group, String name, double seconds, Status status, String saw, String hint)
            throws XMLStreamException {
        xml.writeStartElement("testcase");
        xml.writeAttribute("classname", valid(group));
        xml.writeAttribute("name", valid(name));
        xml.writeAttribute("time", "%.3f".formatted(seconds));
        switch (status) {
            case SKIPPED -> {
                xml.writeEmptyElement("skipped");
                xml.writeAttribute("message", valid(saw));
            }
            case FAILED -> {
                xml.writeStartElement("failure");
                xml.writeAttribute("message", valid(saw));
                xml.writeCharacters(valid(hint));
                xml.writeEndElement();
            }
            default -> {
                xml.writeStartElement("system-out");
                xml.writeCharacters(valid(saw));
                xml.writeEndElement();
            }
        }
        xml.writeEndElement();
    }

    /** The text with U+FFFD in place of what XML 1.0 cannot have at all, such as control characters. https://www.w3.org/TR/xml/#charsets */
    private static String valid(String text) {
        return text.codePoints().map(c -> c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c < 0xD800 || c >= 0xE000 && c <= 0xFFFD
                || c > 0xFFFF ? c : 0xFFFD).collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    }
}
