package lib.test;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;

/** An API server on loopback that accepts and ignores every change: for cluster states that are hard to create. */
public final class FakeApiServer implements AutoCloseable {
    private final HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);

    /** @param objects each object's JSON by its path; a list's only item by the list's path; other lists are empty */
    public FakeApiServer(Map<String, String> objects) throws IOException {
        this(path -> {
            boolean list = path.endsWith("s") && !path.matches(".*(configmaps|secrets)/.*");
            if (!list) return objects.get(path);
            return "{\"kind\": \"List\", \"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [%s]}".formatted(
                    objects.getOrDefault(path, ""));
        });
    }

    /** @param answers the JSON for a path, or null if it is not found */
    public FakeApiServer(UnaryOperator<String> answers) throws IOException {
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> answer(exchange, answers));
        server.start();
    }

    private static void answer(HttpExchange exchange, UnaryOperator<String> answers) throws IOException {
        String body;
        if (exchange.getRequestMethod().equals("GET")) body = answers.apply(exchange.getRequestURI().getPath());
        else body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8)
                .replaceFirst("\"metadata\" *: *\\{", "$0\"resourceVersion\": \"2\", ");
        String notFound = "{\"kind\": \"Status\", \"code\": 404, \"message\": \"not found\"}";
        byte[] bytes = Objects.requireNonNullElse(body, notFound).getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(body == null ? 404 : 200, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public Kube kube(Cluster cluster, Console console) {
        String url = "http://127.0.0.1:" + server.getAddress().getPort();
        Config config = new ConfigBuilder(Config.empty()).withMasterUrl(url).withRequestRetryBackoffLimit(0).build();
        return new Kube(cluster, console, new KubernetesClientBuilder().withConfig(config)
                .withHttpClientFactory(new JdkHttpClientFactory()).build());
    }

    @Override public void close() { server.stop(0); }
}
