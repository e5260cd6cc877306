package lib;

import module java.base;
import module jdk.httpserver;

/** Upstream's servers as a mirror on loopback: it publishes the kind and the istioctl that this machine has. */
final class Upstream implements AutoCloseable {
    private final Map<String, byte[]> files = new HashMap<>();
    private final HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    final List<String> asked = new CopyOnWriteArrayList<>();

    /** @param istioctl the program that the published istioctl runs: the archive has only a script that calls it */
    Upstream(Path kind, Path istioctl) throws IOException, NoSuchAlgorithmException {
        publish(Versions.kind(Platform.current()), Files.readAllBytes(kind));
        Path folder = Files.createTempDirectory("upstream");
        Files.writeString(folder.resolve("istioctl"), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(istioctl)).toFile().setExecutable(true);
        Shell.run("tar -czf '%1$s/archive' -C '%1$s' istioctl".formatted(folder));
        publish(Versions.istioctl(Versions.ISTIO, Platform.current()), Files.readAllBytes(folder.resolve("archive")));
        Home.remove(folder);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            asked.add(exchange.getRequestURI().getPath());
            byte[] body = files.get(exchange.getRequestURI().getPath());
            exchange.sendResponseHeaders(body == null ? 404 : 200, body == null ? -1 : body.length);
            if (body != null) exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    /** The programs on PATH. */
    static Upstream ofThisMachine() throws IOException, NoSuchAlgorithmException {
        return new Upstream(onPath("kind"), onPath("istioctl"));
    }

    private static Path onPath(String program) {
        return Path.of(Shell.run("readlink -f $(command -v %s)".formatted(program)).out().strip());
    }

    private void publish(Versions.Asset asset, byte[] content) throws NoSuchAlgorithmException {
        files.put(path(asset.url()), content);
        String sum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        files.put(path(asset.sums()), "%s  %s\n".formatted(sum, asset.file()).getBytes(StandardCharsets.US_ASCII));
    }

    private static String path(String url) { return url.replaceFirst("https:/", ""); }

    String address() { return "http://127.0.0.1:" + server.getAddress().getPort(); }

    /** A folder with the programs that a user has who has neither kind nor istioctl, and the PATH that leads there. */
    static String pathWithout(Path folder) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        for (String program : List.of("jbang", "java", "docker", "kubectl"))
            Files.writeString(bin.resolve(program), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath(program))).toFile()
                    .setExecutable(true);
        return bin + ":/usr/bin:/bin:/usr/sbin:/sbin";
    }

    @Override public void close() { server.stop(0); }
}
