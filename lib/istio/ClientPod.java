package lib.istio;

import module java.base;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.client.dsl.ExecWatch;

/** The client in one cluster: what it sends through the mesh, what is sent beside its proxy, and what that proxy knows. */
public record ClientPod(Kube kube, SampleTarget app) {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String PROXY = "istio-proxy";

    /** Sends requests through the mesh, one after the other; returns what was answered, or throws a {@link Problem}. */
    public String ask(int requests) {
        return exec(app.client(), "curl", "--silent", "--show-error", "--fail", "--max-time", "5", "%s?[1-%d]".formatted(url(), requests));
    }

    /** The HTTP status that one request gets, as curl prints it: 000 without an answer. */
    public String status(String url) {
        return attempt(app.client(), "curl", "--silent", "--output", "/dev/null", "--max-time", "3", "--write-out", "%{http_code}", url)
                .out().strip();
    }

    /** The service as the client calls it. */
    public String url() { return "http://%s.%s:%d%s".formatted(app.service(), app.namespace(), port().getPort(), app.path()); }

    /** The service's first port. */
    public ServicePort port() {
        Service service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        if (service == null) throw Problem.failed("there is no service %s in %s".formatted(app.service(), app.namespace()),
                "%s get services -n %s".formatted(kube.kubectl(), app.namespace()));
        return service.getSpec().getPorts().stream().findFirst().orElseThrow(() -> Problem.failed("the service %s in %s has no port"
                .formatted(app.service(), app.namespace()), "%s get services -n %s".formatted(kube.kubectl(), app.namespace())));
    }

    /**
     * curl beside the proxy: what the proxy's own user sends is not redirected into the mesh, nor are its DNS queries.
     * A client without a proxy sends it itself. Empty when the image has no curl, as a distroless one. The certificates
     * that were shown are printed too, https://curl.se/docs/manpage.html#-w
     */
    public Optional<ExternalCommand.Result> curlOutsideMesh(String url) {
        ExternalCommand.Result result = attempt(hasProxy() ? PROXY : app.client(), "curl", "--silent", "--show-error",
                "--insecure", "--max-time", "5", "--write-out", "%{certs}", url);
        // the shell's exit codes for a command that is not there: https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html
        return result.exitCode() > 120 ? Optional.empty() : Optional.of(result);
    }

    /** The admin interface of the client's proxy, https://www.envoyproxy.io/docs/envoy/latest/operations/admin */
    public String envoy(String path) { return exec(PROXY, "pilot-agent", "request", "GET", path); }

    /** Runs a command in a container of the client's pod; returns what it printed, or throws a {@link Problem} when it failed. */
    private String exec(String container, String... command) {
        ExternalCommand.Result result = attempt(container, command);
        if (!result.ok()) throw Problem.failed("%s: `%s` ended with exit code %d: %s".formatted(kube.cluster(), String.join(" ", command),
                result.exitCode(), result.lastLines()), asTyped(container, command));
        return result.out();
    }

    /** The same, leaving the judgement of its exit code to the caller. */
    private ExternalCommand.Result attempt(String container, String... command) {
        String asTyped = asTyped(container, command), pod = new Pods(kube, app.namespace()).anyReady(app.client()).getMetadata().getName();
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        try (ExecWatch exec = kube.client().pods().inNamespace(app.namespace()).withName(pod).inContainer(container).writingOutput(out)
                .writingError(err).exec(command)) {
            int code = exec.exitCode().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            kube.console().detail("$ %s\n(exit code %d)\n%s%s".formatted(asTyped, code, out.size() > 4000 ? "(%d bytes)".formatted(out.size())
                    : out, err));
            return new ExternalCommand.Result(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } catch (TimeoutException e) {
            throw Problem.failed("%s: `%s` did not end within %d s".formatted(kube.cluster(), String.join(" ", command),
                    LIMIT.toSeconds()), asTyped);
        } catch (ExecutionException | InterruptedException e) {
            throw Problem.failed("%s: could not run `%s` in %s: %s".formatted(kube.cluster(), String.join(" ", command), pod,
                    e.getMessage()), asTyped);
        }
    }

    private String asTyped(String container, String... command) {
        return "%s exec -n %s deploy/%s -c %s -- %s".formatted(kube.kubectl(), app.namespace(), app.client(), container,
                Arrays.stream(command).map(DemoCommands::quoted).collect(Collectors.joining(" ")));
    }

    public boolean hasProxy() {
        return kube.client().pods().inNamespace(app.namespace()).withLabel("app", app.client()).list().getItems().stream()
                .filter(Pods::isLive).flatMap(Pods::containers).anyMatch(c -> c.getName().equals(PROXY));
    }

    /** The service's endpoints as the client's proxy has them: address:port and health. */
    public List<String> endpoints() throws IOException {
        return parseEndpoints(envoy("clusters?format=json"), "outbound|%d||%s".formatted(port().getPort(), app.host()));
    }

    /** Whether the proxy, as it is configured now, refuses requests to what the mesh does not know. */
    public boolean blocksUnknown() { return envoy("config_dump?resource=dynamic_route_configs").contains("\"block_all\""); }

    /** Whether the proxy, as it is configured now, may eject all instances of the service at once. */
    public boolean ejectsAll() throws IOException {
        String config = envoy("config_dump?resource=dynamic_active_clusters&name_regex=outbound.*" + app.host());
        return new ObjectMapper().readTree(config).findValues("max_ejection_percent").stream().anyMatch(v -> v.asInt() == 100);
    }

    /** Reads Envoy's answer, https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto */
    public static List<String> parseEndpoints(String text, String service) throws IOException {
        List<String> endpoints = new ArrayList<>();
        for (JsonNode cluster : new ObjectMapper().readTree(text).path("cluster_statuses")) {
            if (!cluster.path("name").asText().equals(service)) continue;
            for (JsonNode host : cluster.path("host_statuses")) {
                JsonNode address = host.at("/address/socket_address"), health = host.path("health_status");
                boolean ejected = health.path("failed_outlier_check").asBoolean();
                endpoints.add("%s:%d %s".formatted(address.path("address").asText(), address.path("port_value").asInt(), ejected ? "EJECTED"
                        : health.path("eds_health_status").asText("HEALTHY")));
            }
        }
        return endpoints;
    }
}
