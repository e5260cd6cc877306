package lib.kube;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.ProcessBuilder.Redirect;

/**
 * A program that the kubeconfig names for getting credentials.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
final class CredentialPlugin {
    /** Long enough for a login in a browser. */
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A token, or a certificate and its key as PEM; what there is not is empty. */
    record Credentials(String token, String certificate, String key, Instant expiry) {}

    private final String context, version, command;
    private final Map<?, ?> exec;
    private final Map<String, Object> cluster;
    private final Console console;
    private Credentials credentials;

    /**
     * @param exec    as the kubeconfig has it
     * @param cluster the cluster that the credentials are for, as the kubeconfig has it
     */
    CredentialPlugin(String context, Map<?, ?> exec, Map<String, Object> cluster, Console console) {
        this.context = context;
        this.exec = exec;
        this.cluster = cluster;
        this.console = console;
        this.version = Kubeconfig.text(exec, "apiVersion");
        this.command = Kubeconfig.text(exec, "command");
        if (command.isEmpty() || version.isEmpty()) throw wrong("has no command or no apiVersion");
    }

    private Problem wrong(String message) {
        String install = Kubeconfig.text(exec, "installHint");
        return Problem.failed("the credential plugin %s of the context %s %s".formatted(command, context, message),
                install.isBlank() ? "try it: kubectl --context %s get nodes".formatted(DemoCommands.quoted(context)) : install.strip());
    }

    /** Runs it, unless it was run before and what it gave is still valid; a {@link Problem} when it gives nothing. */
    synchronized Credentials credentials() {
        if (credentials == null || Instant.now().isAfter(credentials.expiry)) credentials = run();
        return credentials;
    }

    private Credentials run() {
        boolean terminal = System.console() != null && System.console().isTerminal();
        String mode = Kubeconfig.text(exec, "interactiveMode");
        if (mode.equals("Always") && !terminal) throw wrong("needs a terminal (interactiveMode: Always)");
        boolean interactive = terminal && !mode.equals("Never");
        try {
            List<String> words = new ArrayList<>(List.of(command));
            if (exec.get("args") instanceof List<?> arguments) arguments.forEach(argument -> words.add("" + argument));
            ProcessBuilder builder = new ProcessBuilder(words).redirectInput(interactive ? Redirect.INHERIT
                    : Redirect.from(new File("/dev/null")));
            if (exec.get("env") instanceof List<?> variables) for (Object variable : variables)
                if (variable instanceof Map<?, ?> v) builder.environment().put(Kubeconfig.text(v, "name"), Kubeconfig.text(v, "value"));
            builder.environment().put("KUBERNETES_EXEC_INFO", JSON.writeValueAsString(Map.of("kind", "ExecCredential", "apiVersion", version,
                    "spec", spec(interactive))));
            Process process = builder.start();
            process.onExit().orTimeout(LIMIT.toMillis(), TimeUnit.MILLISECONDS).exceptionally(_ -> process.destroyForcibly());
            // it may ask for a login there
            Thread output = Thread.startVirtualThread(() -> process.errorReader().lines().forEach(console::info));
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            output.join(1000);
            if (code != 0) throw wrong("ended with exit code %d".formatted(code));
            return read(out);
        } catch (JsonProcessingException | DateTimeParseException e) {
            throw wrong("did not print an ExecCredential"); // what it printed may be a secret
        } catch (IOException e) {
            throw wrong("failed: " + e.getMessage());
        } catch (InterruptedException e) {
            throw wrong("was interrupted");
        }
    }

    private Map<String, Object> spec(boolean interactive) throws IOException {
        if (!Boolean.parseBoolean(Kubeconfig.text(exec, "provideClusterInfo"))) return Map.of("interactive", interactive);
        Map<String, Object> told = new LinkedHashMap<>(cluster);
        String authority = Kubeconfig.dataOf(cluster, "certificate-authority");
        if (authority != null) told.put("certificate-authority-data", authority);
        told.keySet().removeAll(List.of("certificate-authority", "extensions"));
        told.put("config", cluster.get("extensions") instanceof List<?> all ? all.stream().filter(e -> e instanceof Map<?, ?> m
                && "client.authentication.k8s.io/exec".equals(m.get("name"))).map(e -> ((Map<?, ?>) e).get("extension"))
                .filter(Objects::nonNull).findFirst().orElse(null) : null);
        return Map.of("interactive", interactive, "cluster", told);
    }

    private Credentials read(String out) throws IOException {
        JsonNode given = JSON.readTree(out), status = given.path("status");
        if (!given.path("apiVersion").asText().equals(version))
            throw wrong("answered in apiVersion '%s', not %s".formatted(given.path("apiVersion").asText(), version));
        var read = new Credentials(status.path("token").asText(""), status.path("clientCertificateData").asText(""),
                status.path("clientKeyData").asText(""), status.hasNonNull("expirationTimestamp")
                ? OffsetDateTime.parse(status.get("expirationTimestamp").asText()).toInstant() : Instant.MAX);
        if (read.token.isEmpty() && (read.certificate.isEmpty() || read.key.isEmpty()))
            throw wrong("gave neither a token nor a certificate with its key");
        return read;
    }
}
