package lib.report;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

/** {@code Verify -o junit} prints XML that every parser accepts, whatever a message contains. */
@Tag("unit")
class JUnitOutputTest {
    /** Every char of Java: control characters, lone surrogates, non-characters; an emoji and the syntax of XML. */
    private static final String HOSTILE = IntStream.rangeClosed(0, 0xffff).mapToObj(c -> (char) c + "x")
            .collect(Collectors.joining()) + "\ud83d\ude00 \u001b[31m <a b=\"c\"> & ]]> 'd'";

    private static Element parsed(Results results) throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(new InputSource(new StringReader(results.junit())));
        return document.getDocumentElement();
    }

    private static CheckResult check(Status status, String text) {
        return new CheckResult(text, text, text, text, Severity.FATAL, status, text, text, 1.5);
    }

    private static ExperimentResult experiment(Status status, String text) {
        List<String> failures = status == Status.FAILED ? List.of(text, text) : List.of();
        return new ExperimentResult(text, text, status, List.of(text), failures, Map.of(), 1, List.of(), List.of());
    }

    private static Results results(List<CheckResult> checks, List<ExperimentResult> experiments) {
        return new Results(false, "2026-11-27T00:00:00Z", Map.of(), List.of(), checks, experiments);
    }

    private static Element first(Element in, String name) { return (Element) in.getElementsByTagName(name).item(0); }

    @Test void isValidXmlForAnyMessage() throws Exception {
        Element suite = parsed(results(Arrays.stream(Status.values()).map(status -> check(status, HOSTILE)).toList(),
                Arrays.stream(Status.values()).map(status -> experiment(status, HOSTILE)).toList()));
        assertEquals(8, suite.getElementsByTagName("testcase").getLength());
        assertEquals(List.of("8", "2", "2"), Stream.of("tests", "failures", "skipped").map(suite::getAttribute)
                .toList());
        String hint = first(suite, "failure").getTextContent();
        assertTrue(hint.contains("\ud83d\ude00") && hint.contains("\ufffd[31m <a b=\"c\"> & ]]> 'd'"), hint);
    }

    @Test void hasCheckMessageAndHint() throws Exception {
        CheckResult failed = new CheckResult("nodes", "nodes-ready", "every node", "so1", Severity.FATAL, Status.FAILED,
                "node x: not Ready", "kubectl describe nodes", 0.25);
        CheckResult skipped = new CheckResult("east-west", "gateway-ready", "a gateway", "so1", Severity.FATAL,
                Status.SKIPPED, "an earlier layer failed", "", 0);
        Element suite = parsed(results(List.of(failed, skipped), List.of()));
        Element testcase = first(suite, "testcase");
        assertEquals(List.of("nodes", "so1: nodes-ready", "0.250"),
                Stream.of("classname", "name", "time").map(testcase::getAttribute).toList());
        assertEquals("node x: not Ready", first(testcase, "failure").getAttribute("message"));
        assertEquals("kubectl describe nodes", first(testcase, "failure").getTextContent());
        assertEquals("an earlier layer failed", first(suite, "skipped").getAttribute("message"));
    }
}
