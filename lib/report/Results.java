package lib.report;

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
 * The results of Verify as text, JSON and JUnit XML; docs/verify.md documents the fields of the JSON.
 *
 * @param ok          whether no check and no experiment failed
 * @param generatedAt time, in ISO 8601
 * @param versions    versions of kind-demo and of what it installs
 */
public record Results(boolean ok, String generatedAt, Map<String, String> versions, List<ClusterFacts> clusters,
        List<CheckResult> checks, List<ExperimentResult> experiments) {
    /** A cluster and its addresses; unknown addresses are empty. */
    public record ClusterFacts(String name, String context, String id, String network, String apiServer,
            Map<String, String> gateways) {
        public static ClusterFacts of(Kube kube, boolean reachable) {
            Cluster cluster = kube.cluster();
            Map<String, String> gateways = new TreeMap<>();
            String apiServer = "";
            if (reachable) try {
                apiServer = new ApiServer(kube).ownUrl();
                for (var service : kube.client().services().inNamespace(Mesh.NAMESPACE).list().getItems()) {
                    boolean internal = "ClusterIP".equals(service.getSpec().getType());
                    if (InstalledIstio.isGateway(service)) gateways.put(service.getMetadata().getName(),
                            internal ? service.getSpec().getClusterIP() : Addresses.first(service));
                }
            } catch (KubernetesClientException | Problem e) {
                // the checks of the cluster report it
            }
            return new ClusterFacts(cluster.name(), cluster.context(), cluster.id(), cluster.network(), apiServer,
                    gateways);
        }
    }

    /** @param istio the version of Istio that the demo installs */
    public static Results of(String istio, List<Kube> kubes, List<CheckResult> checks,
            List<ExperimentResult> experiments) {
        Set<String> unreachable = checks.stream()
                .filter(result -> result.layer().equals("clusters") && result.status() == Status.FAILED)
                .map(CheckResult::cluster).collect(Collectors.toSet());
        List<ClusterFacts> clusters = kubes.stream()
                .map(kube -> ClusterFacts.of(kube, !unreachable.contains(kube.cluster().name()))).toList();
        String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        return new Results(ok(checks, experiments), now, Versions.all(istio), clusters, checks, experiments);
    }

    public static boolean ok(List<CheckResult> checks, List<ExperimentResult> experiments) {
        return count(Status.FAILED, checks, experiments) == 0;
    }

    private static long count(Status status, List<CheckResult> checks, List<ExperimentResult> experiments) {
        return checks.stream().filter(check -> check.status() == status).count()
                + experiments.stream().filter(experiment -> experiment.status() == status).count();
    }

    /** Prints the results of a layer with their hints. */
    public static void print(Console console, String layer, List<CheckResult> results) {
        console.result("\n" + layer);
        if (results.stream().allMatch(result -> result.status() == Status.SKIPPED)) {
            console.result("- skipped: an earlier layer failed");
            return;
        }
        for (CheckResult result : results) {
            console.status(result.status(), result.name() + ": " + result.message());
            if (!result.hint().isEmpty()) console.result("    → %s\n    → %s".formatted(result.hint(),
                    console.commands().explain(result.id())));
        }
    }

    public static void print(Console console, ExperimentResult result) {
        List<String> lines = result.status() == Status.FAILED ? result.failures() : result.observations();
        console.status(result.status(), "%s: %s (%.0f s)\n%s".formatted(result.name(), result.title(),
                result.durationSeconds(), String.join("\n", lines)));
    }

    public String json() throws IOException {
        return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(this);
    }

    /** JUnit XML as CI systems read it, https://github.com/testmoapp/junitxml */
    public String junit() {
        try {
            StringWriter text = new StringWriter();
            XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            xml.writeStartDocument();
            xml.writeStartElement("testsuite");
            xml.writeAttribute("name", "kind-demo");
            xml.writeAttribute("tests", "" + (checks.size() + experiments.size()));
            xml.writeAttribute("failures", "" + count(Status.FAILED, checks, experiments));
            xml.writeAttribute("skipped", "" + count(Status.SKIPPED, checks, experiments));
            for (CheckResult check : checks) testcase(xml, check.layer(), check.name(), check.durationSeconds(),
                    check.status(), check.message(), check.hint());
            for (ExperimentResult experiment : experiments) {
                boolean failed = !experiment.failures().isEmpty();
                String lines = String.join("\n", failed ? experiment.failures() : experiment.observations());
                testcase(xml, "experiments", experiment.name(), experiment.durationSeconds(), experiment.status(),
                        lines, experiment.title());
            }
            xml.writeEndElement();
            xml.close();
            return text.toString();
        } catch (XMLStreamException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void testcase(XMLStreamWriter xml, String group, String name, double seconds, Status status,
            String message, String hint) throws XMLStreamException {
        xml.writeStartElement("testcase");
        xml.writeAttribute("classname", valid(group));
        xml.writeAttribute("name", valid(name));
        xml.writeAttribute("time", "%.3f".formatted(seconds));
        xml.writeStartElement(switch (status) {
            case SKIPPED -> "skipped";
            case FAILED -> "failure";
            default -> "system-out";
        });
        if (status == Status.SKIPPED || status == Status.FAILED) xml.writeAttribute("message", valid(message));
        if (status == Status.FAILED) xml.writeCharacters(valid(hint));
        else if (status != Status.SKIPPED) xml.writeCharacters(valid(message));
        xml.writeEndElement();
        xml.writeEndElement();
    }

    /** The text with U+FFFD for each character that XML 1.0 does not allow, https://www.w3.org/TR/xml/#charsets */
    private static String valid(String text) {
        return text.replaceAll("[^\\t\\n\\r\\x20-\\uD7FF\\uE000-\\uFFFD\\x{10000}-\\x{10FFFF}]", "\uFFFD");
    }
}
