package lib;

import module java.base;
import module java.net.http;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Files that upstream publishes: from the caller's folder, else the cache, else fetched once; always checked against the pin. One
 * without a pin is checked against what its publisher says when it is fetched, and the caller's own copy is taken as it is.
 */
public final class Assets {
    private final Path folder, cache;

    /**
     * @param folder the caller's own copies (--assets), or null
     * @param cache  where fetched files are kept
     */
    public Assets(Path folder, Path cache) {
        this.folder = folder;
        this.cache = cache;
    }

    /** The file's path if it need not be fetched. */
    public Optional<Path> local(Versions.Asset asset) {
        return Stream.of(Optional.ofNullable(folder), Optional.of(cache)).flatMap(Optional::stream).map(f -> f.resolve(asset.file()))
                .filter(Files::exists).findFirst();
    }

    /**
     * The file's text.
     *
     * @throws Problem when it cannot be had, or is not what was pinned
     */
    public String read(Versions.Asset asset) {
        try {
            Optional<Path> local = local(asset);
            if (local.isPresent()) return checked(asset, asset.sha256(), Files.readAllBytes(local.get()), local.get().toString());
            byte[] fetched = fetch(asset.url());
            String text = checked(asset, asset.release().isEmpty() ? asset.sha256() : publishedSum(asset), fetched, asset.url());
            Files.createDirectories(cache);
            Path draft = Files.createTempFile(cache, asset.file(), ".new");
            Files.write(draft, fetched);
            Files.move(draft, cache.resolve(asset.file()), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return text;
        } catch (IOException e) {
            throw Problem.unfit("cannot get %s: %s".formatted(asset.file(),
                    Objects.requireNonNullElse(e.getMessage(), e.getClass().getSimpleName())),
                    "check your connection to %s, or put the file into a folder and name it with --assets".formatted(URI.create(asset.url())
                            .getHost()));
        }
    }

    /** The SHA-256 of a release's file, as GitHub computed it. https://docs.github.com/en/rest/releases/assets */
    private String publishedSum(Versions.Asset asset) throws IOException {
        for (JsonNode file : new ObjectMapper().readTree(fetch(asset.release())).path("assets")) {
            String digest = file.path("digest").asText();
            if (file.path("browser_download_url").asText().equals(asset.url()) && digest.matches("sha256:[0-9a-f]{64}"))
                return digest.substring("sha256:".length());
        }
        throw new IOException("%s has no SHA-256 of it".formatted(asset.release()));
    }

    private byte[] fetch(String url) throws IOException {
        try (HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).followRedirects(HttpClient.Redirect.NORMAL)
                .proxy(ProxySelector.getDefault()).build()) {
            var answer = http.send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofMinutes(1)).build(),
                    HttpResponse.BodyHandlers.ofByteArray());
            if (answer.statusCode() != 200) throw new IOException("%s answered %d".formatted(url, answer.statusCode()));
            return answer.body();
        } catch (InterruptedException e) {
            throw new InterruptedIOException("interrupted");
        }
    }

    private static String checked(Versions.Asset asset, String expected, byte[] content, String source) {
        try {
            String sum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
            if (!expected.isEmpty() && !sum.equals(expected))
                throw Problem.unfit("%s is not the file that was pinned: SHA-256 %s, expected %s".formatted(source, sum, expected),
                        "remove it and get it again from " + asset.url());
            return new String(content, StandardCharsets.UTF_8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
