package lib.test;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;

/**
 * An API server on loopback with some objects, which accepts every change: for states of clusters that are hard to
 * make.
 */
public final class FakeApiServer implements AutoCloseable {
    private final HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    private final Map<String, String> objects;

    /** @param objects each object's JSON by its path; a list's only item by the list's path: other lists are empty */
    public FakeApiServer(Map<String, String> objects) throws IOException {
        this.objects = objects;
        server.createContext("/", this::answer);
        server.start();
    }

    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath(), body = objects.get(path);
        boolean list = path.endsWith("s") && !path.matches(".*(configmaps|secrets)/.*");
        if (!exchange.getRequestMethod().equals("GET")) body = new String(exchange.getRequestBody().readAllBytes(),
                StandardCharsets.UTF_8)
                .replaceFirst("\"metadata\" *: *\\{", "$0\"resourceVersion\": \"2\", ");
        else if (list) body = "{\"kind\": \"List\", \"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [%s]}"
                .formatted(Objects.requireNonNullElse(body, ""));
        byte[] bytes = Objects.requireNonNullElse(body, "{\"kind\": \"Status\", \"code\": 404}")
                .getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(body == null ? 404 : 200, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public Kube kube(Cluster cluster, Console console) {
        var config = new ConfigBuilder().withMasterUrl("http://127.0.0.1:" + server.getAddress().getPort())
                .withRequestRetryBackoffLimit(0).build();
        return new Kube(cluster, console, new KubernetesClientBuilder().withConfig(config)
                .withHttpClientFactory(new JdkHttpClientFactory()).build());
    }

    @Override public void close() { server.stop(0); }
}
