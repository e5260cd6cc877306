package lib.ca;

import module java.base;
import module java.net.http;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Vault's HTTP API. https://developer.hashicorp.com/vault/api-docs
 *
 * @param token the file with the root token; it may not exist yet
 * @param logs  the command that prints the server's log
 */
record VaultApi(String address, Path token, Console console, String logs) {
    /** Results of {@link #health}. */
    static final int UNSEALED = 200, NOT_INITIALIZED = 501;
    private static final Duration CONNECT = Duration.ofSeconds(5), LIMIT = Duration.ofMinutes(1);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(CONNECT).proxy(HttpClient.Builder.NO_PROXY).build();

    /** The HTTP status of Vault's health; 0: no answer. https://developer.hashicorp.com/vault/api-docs/system/health */
    int health() {
        try {
            return send("GET", "sys/health", null).statusCode();
        } catch (IOException e) {
            return 0;
        }
    }

    /** Calls the API as root; a {@link Problem} when Vault refuses. Bodies contain keys and are not logged. */
    JsonNode call(String method, String path, Map<String, ?> body) throws IOException {
        HttpResponse<String> answer = send(method, path, body);
        JsonNode content = answer.body().isBlank() ? JSON.createObjectNode() : JSON.readTree(answer.body());
        if (answer.statusCode() >= 400) throw Problem.failed("Vault answered %d to %s /v1/%s: %s".formatted(
                answer.statusCode(), method, path, content.path("errors")), logs);
        return content;
    }

    private HttpResponse<String> send(String method, String path, Map<String, ?> body) throws IOException {
        var content = body == null ? HttpRequest.BodyPublishers.noBody()
                : HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body));
        var request = HttpRequest.newBuilder(URI.create(address + "/v1/" + path)).timeout(LIMIT)
                .method(method, content);
        if (Files.exists(token)) request.header("X-Vault-Token", Files.readString(token));
        try {
            HttpResponse<String> answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
            console.detail("$ curl -X %s %s/v1/%s\n(HTTP status %d, %d bytes kept out of the log)".formatted(
                    method, address, path, answer.statusCode(), answer.body().length()));
            return answer;
        } catch (InterruptedException e) {
            throw Problem.failed("interrupted: Vault", "run again");
        }
    }
}
