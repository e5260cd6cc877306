package lib.verify;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

/** What {@code Verify -o junit} prints is XML that any parser takes, whatever a message has in it. */
@Tag("unit")
class JUnitOutputTest {
    /** Every character of Java: control characters, lone surrogates, non-characters; an emoji, and what XML means something by. */
    private static final String HOSTILE = IntStream.rangeClosed(0, 0xffff).mapToObj(c -> (char) c + "x").collect(Collectors.joining())
            + "\ud83d\ude00 \u001b[31m <a b=\"c\"> & ]]> 'd'";

    private static Element parsed(Results results) throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(results
                .junit())));
        return document.getDocumentElement();
    }

    private static CheckResult finding(Status status, String text) {
        return new CheckResult(text, text, text, text, Severity.FATAL, status, text, text, 1.5);
    }

    private static Results results(String text) {
        List<CheckResult> findings = Arrays.stream(Status.values()).map(status -> finding(status, text)).toList();
        List<ExperimentResult> outcomes = Arrays.stream(Status.values()).map(status -> new ExperimentResult(text, text, status, List.of(text),
                status == Status.FAILED ? List.of(text, text) : List.of(), Map.of(), List.of(), 1)).toList();
        return new Results(false, "2026-11-27T00:00:00Z", Map.of(), List.of(), findings, outcomes);
    }

    private static Element first(Element in, String name) { return (Element) in.getElementsByTagName(name).item(0); }

    @Test void isValidXmlForAnyMessage() throws Exception {
        Element suite = parsed(results(HOSTILE));
        assertEquals(8, suite.getElementsByTagName("testcase").getLength());
        assertEquals(List.of("8", "2", "2"), Stream.of("tests", "failures", "skipped").map(suite::getAttribute).toList());
        String hint = first(suite, "failure").getTextContent();
        assertTrue(hint.contains("\ud83d\ude00") && hint.contains("\ufffd[31m <a b=\"c\"> & ]]> 'd'"), hint);
    }

    @Test void namesTheCheckAndWhatItSaw() throws Exception {
        Element suite = parsed(new Results(false, "", Map.of(), List.of(), List.of(new CheckResult("nodes", "nodes-ready", "every node", "so1",
                Severity.FATAL, Status.FAILED, "node x: not Ready", "kubectl describe nodes", 0.25), new CheckResult("east-west", "gateway-ready",
                "a gateway", "so1", Severity.FATAL, Status.SKIPPED, "it stands on a layer that failed", "", 0)), List.of()));
        Element failed = first(suite, "testcase");
        assertEquals(List.of("nodes", "so1: nodes-ready", "0.250"), Stream.of("classname", "name", "time").map(failed::getAttribute).toList());
        assertEquals("node x: not Ready", first(failed, "failure").getAttribute("message"));
        assertEquals("kubectl describe nodes", first(failed, "failure").getTextContent());
        assertEquals("it stands on a layer that failed", first(suite, "skipped").getAttribute("message"));
    }
}
