package lib.kubeconfig;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.ProcessBuilder.Redirect;

/**
 * A program that the kubeconfig names for getting credentials.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
final class CredentialPlugin {
    /** Long enough for a login in a browser. */
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A token, or a certificate and its key as PEM; the fields that the plugin omits are empty. */
    record Credentials(String token, String certificate, String key, Instant expiry) {}

    private final String context;
    private final JsonNode exec, cluster;
    private final Console console;
    private Credentials credentials;

    /**
     * @param exec    the plugin's entry in the kubeconfig
     * @param cluster the kubeconfig's entry of the cluster that the credentials are for
     */
    CredentialPlugin(String context, JsonNode exec, JsonNode cluster, Console console) {
        this.context = context;
        this.exec = exec;
        this.cluster = cluster;
        this.console = console;
        if (option("command").isEmpty() || option("apiVersion").isEmpty())
            throw failed("has no command or no apiVersion");
    }

    private String option(String key) { return exec.path(key).asText(""); }

    private Problem failed(String reason) {
        String install = option("installHint").strip();
        if (install.isEmpty()) install = "try it: kubectl --context " + DemoCommands.quoted(context) + " get nodes";
        return Problem.failed("the credential plugin %s of the context %s %s".formatted(option("command"), context,
                reason), install);
    }

    /** Runs the plugin unless its last credentials are valid. Throws a Problem when it returns no credentials. */
    synchronized Credentials credentials() {
        if (credentials == null || Instant.now().isAfter(credentials.expiry)) credentials = run();
        return credentials;
    }

    private Credentials run() {
        boolean terminal = System.console() != null && System.console().isTerminal();
        String mode = option("interactiveMode");
        if (mode.equals("Always") && !terminal) throw failed("needs a terminal (interactiveMode: Always)");
        try {
            Process process = start(terminal && !mode.equals("Never"));
            process.onExit().orTimeout(LIMIT.toMillis(), TimeUnit.MILLISECONDS).exceptionally(_ -> {
                // a program that the plugin started would keep the pipe open
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                return process.destroyForcibly();
            });
            // the plugin may ask for a login there
            Thread errors = Thread.startVirtualThread(() -> process.errorReader().lines().forEach(console::info));
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            errors.join(1000);
            if (code != 0) throw failed("ended with exit code %d".formatted(code));
            return read(output);
        } catch (JsonProcessingException | DateTimeParseException e) {
            throw failed("did not print an ExecCredential"); // its output may be a secret
        } catch (IOException e) {
            throw failed("failed: " + e.getMessage());
        } catch (InterruptedException e) {
            throw failed("was interrupted");
        }
    }

    private Process start(boolean interactive) throws IOException {
        List<String> words = new ArrayList<>(List.of(option("command")));
        exec.path("args").forEach(argument -> words.add(argument.asText()));
        var builder = new ProcessBuilder(words)
                .redirectInput(interactive ? Redirect.INHERIT : Redirect.from(new File("/dev/null")));
        Map<String, String> environment = builder.environment();
        exec.path("env").forEach(v -> environment.put(v.path("name").asText(""), v.path("value").asText("")));
        environment.put("KUBERNETES_EXEC_INFO", JSON.writeValueAsString(Map.of("kind", "ExecCredential",
                "apiVersion", option("apiVersion"), "spec", spec(interactive))));
        return builder.start();
    }

    private ObjectNode spec(boolean interactive) {
        ObjectNode spec = JSON.createObjectNode().put("interactive", interactive);
        if (!Boolean.parseBoolean(option("provideClusterInfo"))) return spec;
        ObjectNode info = cluster.deepCopy();
        info.remove("extensions");
        JsonNode config = cluster.path("extensions").valueStream()
                .filter(e -> e.path("name").asText().equals("client.authentication.k8s.io/exec"))
                .map(e -> e.path("extension")).findFirst().orElse(null);
        return spec.set("cluster", info.set("config", config));
    }

    private Credentials read(String output) throws IOException {
        JsonNode credential = JSON.readTree(output), status = credential.path("status");
        String version = credential.path("apiVersion").asText();
        if (!version.equals(option("apiVersion")))
            throw failed("answered in apiVersion '%s', not %s".formatted(version, option("apiVersion")));
        Instant expiry = status.hasNonNull("expirationTimestamp")
                ? OffsetDateTime.parse(status.get("expirationTimestamp").asText()).toInstant() : Instant.MAX;
        var read = new Credentials(status.path("token").asText(""), status.path("clientCertificateData").asText(""),
                status.path("clientKeyData").asText(""), expiry);
        if (read.token.isEmpty() && (read.certificate.isEmpty() || read.key.isEmpty()))
            throw failed("returned neither a token nor a certificate with its key");
        return read;
    }
}
