package lib.report;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.fetch.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The report page: how it is written, and what it shows in a real browser. */
class ReportTest {
    private static final String HOSTILE = "</script><b>\"x\"& <!-- ${REPORT} 'ü\u2028";
    private static final ObjectMapper JSON = new ObjectMapper();
    @TempDir Path folder;

    @Tag("unit") @Test void dataCannotEndItsScriptElement() throws IOException {
        Path file = folder.resolve("report.html");
        Report.write(file, JSON.writeValueAsString(Map.of("title", HOSTILE)));
        String page = Files.readString(file), start = "<script type=\"application/json\" id=\"report\">";
        String data = page.substring(page.indexOf(start) + start.length(), page.indexOf("</script>"));
        assertEquals(HOSTILE, JSON.readTree(data).get("title").textValue());
        assertFalse(data.contains("<"));
    }

    @Tag("unit") @Test void pageLoadsNothingElse() throws IOException {
        String page = Files.readString(Shell.PROJECT.resolve("lib/report/report.html"))
                .replace("\"http://www.w3.org/2000/svg\"", "");
        assertFalse(page.matches("(?s).*(https?://|@import|url\\(|\\bsrc=).*"));
        assertTrue(page.contains("content=\"default-src 'none';"), "the browser enforces it, too");
    }

    @Tag("unit") @Test void writesInPlace() throws IOException {
        Requirements.root();
        Path real = Files.writeString(folder.resolve("page"), ""), file = folder.resolve("report.html");
        Path near = Files.writeString(folder.resolve("report.html.new"), "the user's");
        Files.createSymbolicLink(file, real);
        Shell.succeeds("chown 1000:1000 '%1$s' && chmod 640 '%1$s'".formatted(real));
        String before = Shell.succeeds("stat -c '%i %u:%g %a' " + real).out();
        Report.write(file, "{}");
        assertTrue(Files.readString(real).startsWith("<!DOCTYPE html>"));
        assertEquals(before, Shell.succeeds("stat -c '%i %u:%g %a' " + real).out());
        assertEquals("the user's", Files.readString(near));
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(Set.of(real, file, near), files.collect(Collectors.toSet()));
        }
        Path fresh = folder.resolve("fresh.html"), other = Files.createFile(folder.resolve("other"));
        Report.write(fresh, "{}");
        assertEquals(Files.getPosixFilePermissions(other), Files.getPosixFilePermissions(fresh), "the usual mode");
    }

    @Tag("unit") @Test void replacesOnlyAReport() throws IOException {
        for (String text : List.of("<!DOCTYPE html><title>my page</title>", "notes")) {
            Path mine = Files.writeString(folder.resolve("mine.html"), text);
            Problem problem = assertThrows(Problem.class, () -> Report.check(mine));
            assertEquals(Problem.USAGE, problem.exitCode());
            assertThrows(Problem.class, () -> Report.write(mine, "{}"));
            assertEquals(text, Files.readString(mine));
        }
        Path empty = Files.createFile(folder.resolve("empty.html"));
        Report.write(empty, "{}");
        Report.write(empty, "{}");
    }

    @Tag("unit") @Test void rejectsPathsThatCannotBeFiles() {
        for (String no : List.of("no/such/report.html", ".", "/dev/null")) {
            Problem problem = assertThrows(Problem.class, () -> Report.write(folder.resolve(no), "{}"), no);
            assertEquals(Problem.USAGE, problem.exitCode());
            assertTrue(problem.hint().contains("--report"), problem.hint());
        }
    }

    private static Map<String, Object> cluster(int i) {
        return Map.of("name", "so" + i, "context", "kind-so" + i, "id", "istio-so" + i, "network", "network" + i,
                "apiServer", "https://172.18.0.%d:6443".formatted(i + 1),
                "gateways", Map.of("istio-eastwestgateway", "172.18.255." + (20 * i + 1),
                        "istio-ingressgateway", "172.18.255." + 20 * i, "istio-egressgateway", ""));
    }

    private static Map<String, Object> check(String layer, String id, String cluster, String status, String text) {
        boolean hasHint = Set.of("WARNING", "FAILED").contains(status);
        return Map.of("layer", layer, "id", id, "title", "what must be true: " + text, "cluster", cluster,
                "severity", "FATAL", "status", status, "message", text,
                "hint", hasHint ? "kubectl --context kind-so1 get pods " + text : "", "durationSeconds", 0.3);
    }

    private static Map<String, Object> reply(double at, int code, String cluster) {
        return Map.of("at", at, "durationSeconds", code == 0 ? 2.0 : 0.004, "code", code, "cluster", cluster);
    }

    private static Map<String, Object> event(double at, String text) { return Map.of("at", at, "text", text); }

    private static Map<String, Object> report(boolean ok, int clusters, List<?> checks, List<?> experiments) {
        return Map.of("ok", ok, "generatedAt", "2026-11-22T19:20:00Z",
                "versions", Map.of("kind-demo", "0.1.0", "istio", Versions.ISTIO),
                "clusters", IntStream.rangeClosed(1, clusters).mapToObj(ReportTest::cluster).toList(),
                "checks", checks, "experiments", experiments);
    }

    private static Map<String, Object> experiment(String status, String text, List<?> replies, List<?> events) {
        return Map.of("name", "failover", "title", text, "status", status, "observations", List.of(text),
                "failures", status.equals("FAILED") ? List.of(text) : List.of(),
                "metrics", Map.of("lost", 4, "homeSeconds", 1.2), "durationSeconds", 41.2,
                "traffic", List.of(Map.of("title", text, "replies", replies, "events", events)),
                "edges", List.of(edge("so1", "so1"), edge("so1", text)));
    }

    private static Map<String, Object> edge(String source, String destination) {
        return Map.of("source", source, "destination", destination, "rates", List.of(Map.of("at", 5, "perSecond", 11),
                Map.of("at", 10, "perSecond", 0.5), Map.of("at", 15, "perSecond", 0)));
    }

    /** so1 loses its pods after 10 s and so2 answers; after 26 s so1 answers again. Four requests are lost. */
    private static Map<String, Object> failover() {
        List<Object> replies = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            boolean lost = i >= 100 && i < 104;
            replies.add(reply(i / 10.0, lost ? i % 2 * 503 : 200, lost ? "" : i < 100 || i >= 262 ? "so1" : "so2"));
        }
        var events = List.of(event(10, "helloworld of so1 is scaled to zero"), event(10.4, "so2 answers"),
                event(25, "helloworld of so1 is scaled to one"), event(26.2, "so1 answers again"));
        var checks = List.of(check("host", "docker", "", "PASSED", "version 20.10.24"),
                check("host", "inotify", "", "WARNING", "too few"),
                check("clusters", "reachable", "so1", "PASSED", "v1.36.4"),
                check("clusters", "reachable", "so2", "PASSED", "v1.36.4"));
        return report(true, 2, checks, List.of(experiment("PASSED", "so1 loses its helloworld", replies, events)));
    }

    /** Every kind of failure, with texts that could break the page. */
    private static Map<String, Object> hostile() {
        Random random = new Random(4);
        List<Object> replies = new ArrayList<>();
        for (int i = 0; i < 1200; i++) {
            int who = random.nextInt(7);
            int code = who == 0 ? 0 : 200;
            if (who == 6) code = 503;
            String cluster = who == 0 ? "" : "so" + who;
            replies.add(reply(i / 30.0, code, who == 5 ? HOSTILE : cluster));
        }
        var events = new ArrayList<Object>(List.of(event(0, HOSTILE), event(40, HOSTILE.repeat(9)),
                event(17, "a".repeat(200))));
        for (int i = 0; i < 6; i++)
            events.add(event(18 + i * 3.5, "event %d of several near one another".formatted(i)));
        var checks = List.of(check("nodes", "nodes-ready", "so1", "PASSED", "1 of 1"),
                check("trust", "identity", "so2", "FAILED", HOSTILE),
                check("trust", "x".repeat(90), "so3", "WARNING", "y".repeat(300)),
                check(HOSTILE, "endpoints", HOSTILE, "SKIPPED", HOSTILE));
        return report(false, 4, checks, List.of(experiment("FAILED", HOSTILE, replies, events),
                experiment("SKIPPED", "none", List.of(), events)));
    }

    @Nested @Tag("browser") class InABrowser {
        private static Browser browser;

        @BeforeEach void start() throws Exception {
            Optional<String> program = Stream.of("chromium", "chromium-browser", "google-chrome")
                    .filter(p -> Shell.run("command -v " + p).exitCode() == 0).findFirst();
            Assumptions.assumeTrue(program.isPresent(), "needs Chromium: apt-get install chromium");
            if (browser == null) browser = new Browser(program.get());
        }

        @AfterAll static void end() throws Exception {
            if (browser != null) browser.close();
            browser = null;
        }

        @Test void showsAFailover() throws Exception {
            assertReadable(failover());
            assertEquals("The mesh works.", browser.text("h1"));
            assertEquals("so1=238, so2=158, errors=4", browser.eval(BARS).textValue());
            assertEquals("so1 → so1|so1 → so1 loses its helloworld", browser.eval(
                    "[...document.querySelectorAll('.edge')].map(e => e.dataset.edge).join('|')").textValue());
            assertEquals("so1 238 59.5 % 4 ms 4 ms|so2 158 39.5 % 4 ms 4 ms|no answer 2 0.5 % 2.0 s 2.0 s"
                    + "|code 503 2 0.5 % 4 ms 4 ms",
                    browser.eval("[...document.querySelectorAll('tbody tr')]"
                            + ".map(r => [...r.cells].map(c => c.textContent).join(' '))"
                            + ".join('|')").textValue());
        }

        @Test void showsHostileTexts() throws Exception {
            Map<String, Object> report = hostile();
            assertReadable(report);
            assertEquals("The mesh does not work: so2, identity", browser.text("h1"));
            assertEquals(HOSTILE, browser.text("#verdict p"));
            assertEquals(HOSTILE, browser.text(".experiment h3"));
            assertEquals(0, browser.eval("document.querySelectorAll('main b, main script').length").intValue());
            Map<String, Integer> expected = new LinkedHashMap<>();
            for (String lane : List.of("so1", "so2", "so3", "so4", HOSTILE, "errors")) expected.put(lane, 0);
            for (JsonNode r : JSON.valueToTree(report).at("/experiments/0/traffic/0/replies")) {
                expected.merge(r.get("code").intValue() == 200 ? r.get("cluster").textValue() : "errors", 1,
                        Integer::sum);
            }
            assertEquals(expected.entrySet().stream().map(Object::toString).collect(Collectors.joining(", ")),
                    browser.eval(BARS).textValue());
        }

        @Test void showsAnyNumberOfClusters() throws Exception {
            for (int n : new int[] {1, 3, 9}) {
                assertReadable(report(true, n, List.of(check("host", "docker", "", "PASSED", "20.10")), List.of()));
                assertEquals(n * (n - 1) / 2, browser.eval("document.querySelectorAll('.link').length").intValue());
            }
            assertReadable(Map.of("ok", true, "generatedAt", "now"));
        }

        @Test void printsCollapsedLayers() throws Exception {
            Path file = folder.resolve("report.html");
            Report.write(file, JSON.writeValueAsString(failover()));
            browser.open(file, 1280, "dark");
            assertEquals("host", browser.text("details[open] .layer"), "a layer with a warning is open");
            String open = "document.querySelectorAll('details[open]').length";
            browser.eval("addEventListener('beforeprint', () => window.printed = %s)".formatted(open));
            browser.send("Page.printToPDF", Map.of());
            assertEquals(2, browser.eval("printed").intValue());
            assertEquals(1, browser.eval(open).intValue());
        }

        /** Opens the page on a desktop and a phone, light and dark, and expects no faults. The last one stays open. */
        private void assertReadable(Map<String, Object> report) throws Exception {
            Path file = folder.resolve("report.html");
            Report.write(file, JSON.writeValueAsString(report));
            for (String scheme : List.of("light", "dark")) for (int width : new int[] {360, 1280}) {
                browser.open(file, width, scheme);
                String where = "%s, %d pixels wide".formatted(scheme, width);
                assertEquals(List.of(file.toUri().toString()), browser.requests(), where);
                assertEquals(List.of(), browser.errors(), where);
                // not innerWidth, which on a phone grows with a page that is too wide
                assertTrue(browser.eval("document.documentElement.scrollWidth").intValue() <= width,
                        where + ": it scrolls horizontally");
                assertEquals("[]", browser.eval(FAULTS).toString(), where);
                int checks = ((List<?>) report.getOrDefault("checks", List.of())).size();
                assertEquals(checks, browser.eval("document.querySelectorAll('.check').length").intValue(), where);
            }
        }
    }

    private static final String BARS = """
            const lanes = new Map();
            for (const bar of document.querySelectorAll('[data-lane]')) {
              const count = +bar.querySelector('[data-count]').dataset.count;
              lanes.set(bar.dataset.lane, (lanes.get(bar.dataset.lane) ?? 0) + count);
            }
            [...lanes].map(lane => lane.join('=')).join(', ')""";

    /** Finds text that is cut off, covered or too faint. */
    private static final String FAULTS = """
            document.querySelectorAll('details').forEach(d => d.open = true);
            const faults = [], all = selector => [...document.querySelectorAll(selector)];
            const apart = (a, b) => a.right <= b.left + .5 || b.right <= a.left + .5 || a.bottom <= b.top + .5
              || b.bottom <= a.top + .5;
            for (const drawing of all('figure svg:not(.icon)')) {
              const texts = [...drawing.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
              const frame = drawing.getBoundingClientRect();
              for (const [text, r] of texts) {
                if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1
                    || r.bottom > frame.bottom + 1)
                  faults.push('leaves the drawing: ' + text);
                for (const [other, s] of texts) if (r !== s && !apart(r, s)) faults.push(text + ' covers ' + other);
              }
            }
            const rgb = color => color.match(/[\\d.]+/g).map(Number);
            const light = color => rgb(color).slice(0, 3).map(v => v / 255)
              .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
              .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
            const behind = (element, x, y) => {
              for (const e of document.elementsFromPoint(x, y)) {
                const own = e === element || element.contains(e), css = getComputedStyle(e);
                if (e instanceof HTMLElement) {
                  if (rgb(css.backgroundColor)[3] !== 0) return css.backgroundColor;
                } else if (!own && /^(rect|circle)$/.test(e.tagName) && css.fill !== 'none') return css.fill;
              }
              return getComputedStyle(document.documentElement).backgroundColor;
            };
            const contrast = (element, least) => {
              const r = element.getBoundingClientRect(), css = getComputedStyle(element);
              if (!r.width || !r.height) return;
              const back = behind(element, r.x + r.width / 2, r.y + r.height / 2);
              const own = element instanceof SVGElement ? css.fill : css.color;
              const [a, b] = [light(own), light(back)], ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
              if (ratio < least)
                faults.push(`${ratio.toFixed(2)}: ${own} on ${back}: ${element.textContent || element.outerHTML}`);
            };
            all('body *').filter(e => !/^(script|noscript|title)$/i.test(e.tagName)
              && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).forEach(e => contrast(e, 4.5));
            all('.icon circle').forEach(e => contrast(e, 4.5));
            all('.bar').forEach(e => contrast(e, 3));
            faults""";
}
