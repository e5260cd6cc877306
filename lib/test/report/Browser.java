package lib.report;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import module java.net.http;
import lib.test.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Controls Chromium through its DevTools protocol, https://chromedevtools.github.io/devtools-protocol/ */
final class Browser implements WebSocket.Listener, AutoCloseable {
    private final ObjectMapper json = new ObjectMapper();
    private final Path home = Files.createTempDirectory("browser");
    private final HttpClient http = HttpClient.newHttpClient();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    private final List<JsonNode> events = new CopyOnWriteArrayList<>();
    private final StringBuilder text = new StringBuilder();
    private final Process process;
    private final WebSocket socket;
    private int last;

    Browser(String program) throws Exception {
        List<String> words = new ArrayList<>(List.of(program, "--headless=new", "--remote-debugging-port=0",
                "--no-first-run", "--user-data-dir=" + home, "about:blank"));
        // Chromium's sandbox does not start as root, and this page needs none
        if (System.getProperty("user.name").equals("root")) words.add("--no-sandbox");
        ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true)
                .redirectOutput(home.resolve("log").toFile());
        builder.environment().putAll(Map.of("HOME", home.toString(), "TMPDIR", home.toString()));
        process = builder.start();
        Path port = home.resolve("DevToolsActivePort");
        String seen = "";
        for (int i = 0; i < 200 && !seen.contains("\n"); i++) {
            Thread.sleep(50);
            if (Files.exists(port)) seen = Files.readString(port);
        }
        assertTrue(seen.contains("\n"), () -> "the browser does not start: "
                + Shell.run("cat '%s/log'".formatted(home)).out());
        URI list = URI.create("http://127.0.0.1:%s/json/list".formatted(seen.lines().findFirst().orElseThrow()));
        String page = "";
        while (page.isEmpty()) page = json.readTree(http.send(HttpRequest.newBuilder(list).build(),
                HttpResponse.BodyHandlers.ofString()).body()).path(0).path("webSocketDebuggerUrl").asText();
        socket = http.newWebSocketBuilder().buildAsync(URI.create(page), this).get(10, TimeUnit.SECONDS);
        for (String domain : List.of("Page", "Runtime", "Log", "Network")) send(domain + ".enable", Map.of());
    }

    @Override public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean whole) {
        text.append(part);
        if (whole) {
            try {
                JsonNode message = json.readTree(text.toString());
                if (message.has("id")) answers.remove(message.get("id").intValue()).complete(message);
                else events.add(message);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            text.setLength(0);
        }
        from.request(1);
        return null;
    }

    JsonNode send(String method, Map<String, ?> params) throws Exception {
        var answer = new CompletableFuture<JsonNode>();
        answers.put(++last, answer);
        socket.sendText(json.writeValueAsString(Map.of("id", last, "method", method, "params", params)), true);
        JsonNode message = answer.get(10, TimeUnit.SECONDS);
        assertFalse(message.has("error") || message.path("result").has("exceptionDetails"), () -> method + ": "
                + message);
        return message.get("result");
    }

    JsonNode eval(String script) throws Exception {
        // in a block, so that constants of scripts do not collide
        return send("Runtime.evaluate", Map.of("expression", "{" + script + "}", "returnByValue", true,
                "awaitPromise", true)).path("result").path("value");
    }

    String text(String selector) throws Exception {
        return eval("document.querySelector('%s').textContent".formatted(selector)).textValue();
    }

    void open(Path file, int width, String scheme) throws Exception {
        // high enough for elementsFromPoint to cover the whole page
        send("Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", 9000, "deviceScaleFactor", 1, "mobile", width < 600));
        send("Emulation.setEmulatedMedia", Map.of("features",
                List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
        events.clear();
        send("Page.navigate", Map.of("url", file.toUri().toString()));
        while (events.stream().noneMatch(e -> e.get("method").asText().equals("Page.loadEventFired")))
            Thread.sleep(5);
        eval("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => "
                + "requestAnimationFrame(drawn))))");
    }

    List<String> requests() {
        return events.stream().filter(e -> e.get("method").asText().equals("Network.requestWillBeSent"))
                .map(e -> e.at("/params/request/url").asText()).filter(url -> !url.startsWith("data:")).toList();
    }

    List<String> errors() {
        return events.stream().filter(e -> Set.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled",
                "Log.entryAdded")
                .contains(e.get("method").asText())).map(JsonNode::toString).toList();
    }

    @Override public void close() throws Exception {
        List<ProcessHandle> all = Stream.concat(Stream.of(process.toHandle()), process.descendants()).toList();
        socket.abort();
        http.shutdownNow();
        process.destroy();
        if (!process.waitFor(5, TimeUnit.SECONDS)) all.forEach(ProcessHandle::destroyForcibly);
        for (ProcessHandle one : all) one.onExit().get(5, TimeUnit.SECONDS);
        Shell.succeeds("rm -rf '%s'".formatted(home));
    }
}
