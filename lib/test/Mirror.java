package lib.test;

import module java.base;
import module jdk.httpserver;
import lib.fetch.*;

/** A mirror on loopback. It serves the files that a test publishes, under their original addresses. */
public final class Mirror implements AutoCloseable {
    private final Map<String, byte[]> files = new ConcurrentHashMap<>();
    private final HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    /** The requested paths, in order. */
    public final List<String> requested = new CopyOnWriteArrayList<>();

    public Mirror() throws IOException {
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            String path = exchange.getRequestURI().getPath();
            requested.add(path);
            byte[] body = files.get(path);
            exchange.sendResponseHeaders(body == null ? 404 : 200, body == null ? -1 : body.length);
            if (body != null) exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    public URI address() { return URI.create("http://127.0.0.1:" + server.getAddress().getPort()); }

    public void publish(String url, byte[] content) { files.put(url.replace("https:/", ""), content); }

    public void publish(String url, String content) { publish(url, content.getBytes(StandardCharsets.UTF_8)); }

    /** Publishes the file, and its checksum at the address of the release's checksums. */
    public void publish(Release asset, byte[] content) throws NoSuchAlgorithmException {
        publish(asset.url(), content);
        publish(asset.sums(), "%s  %s\n".formatted(sha256(content), asset.file()));
    }

    public static String sha256(byte[] content) throws NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    public void withdrawAll() { files.clear(); }

    @Override public void close() { server.stop(0); }
}
