package lib.sample;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.ExecWatch;

/** The client pod in one cluster: sends requests through the mesh and past it, and reads its proxy's configuration. */
public record ClientPod(Kube kube, SampleTarget app) {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String PROXY = "istio-proxy";
    private static final int LOGGED_CHARACTERS = 4000;

    /**
     * Sends requests through the mesh, one after the other, and each on its own connection, because ztunnel selects an
     * endpoint for a connection. Returns the answers, or throws a {@link Problem}.
     */
    public String ask(int requests) {
        return exec(app.client(), "curl", "--silent", "--show-error", "--fail", "--max-time", "5", "--header",
                "Connection: close", "%s?[1-%d]".formatted(url(), requests));
    }

    /** The HTTP status of one request, as curl prints it: 000 without an answer. */
    public String status(String url) {
        return attempt(client(), app.client(), "curl", "--silent", "--output", "/dev/null", "--max-time", "3",
                "--write-out", "%{http_code}", url).out().strip();
    }

    /** The URL by which the client calls the service. */
    public String url() {
        return "http://%s.%s:%d%s".formatted(app.service(), app.namespace(), port().getPort(), app.path());
    }

    /** The service's first port. */
    public ServicePort port() {
        Service service = kube.client().services().inNamespace(app.namespace()).withName(app.service()).get();
        if (service != null && !service.getSpec().getPorts().isEmpty()) return service.getSpec().getPorts().getFirst();
        throw Problem.failed((service == null ? "there is no service %s in %s" : "the service %s in %s has no port")
                .formatted(app.service(), app.namespace()),
                "%s get services -n %s".formatted(kube.kubectl(), app.namespace()));
    }

    /**
     * Runs curl past the mesh: the requests and DNS queries of the proxy's own user are not redirected, nor are those
     * of ztunnel's pod on the client's node. A client outside of the mesh runs it itself. curl also prints the server's
     * certificates, https://curl.se/docs/manpage.html#-w
     *
     * @return empty when the image has no curl, such as a distroless one, or ztunnel is not ready
     */
    public Optional<ExternalCommand.Result> curlOutsideMesh(String url) {
        Pod client = client();
        Pod pod = isCaptured(client) ? Ztunnel.findPod(kube, client.getSpec().getNodeName()).orElse(null) : client;
        if (pod == null) return Optional.empty();
        String container = hasProxy() || pod != client ? PROXY : app.client();
        ExternalCommand.Result result = attempt(pod, container, "curl", "--silent", "--show-error", "--insecure",
                "--max-time", "5", "--write-out", "%{certs}", url);
        // the shell lacks the command: https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html
        return result.exitCode() > 120 ? Optional.empty() : Optional.of(result);
    }

    /** Calls the admin interface of the client's proxy, https://www.envoyproxy.io/docs/envoy/latest/operations/admin */
    public String envoy(String path) { return exec(PROXY, "pilot-agent", "request", "GET", path); }

    private String exec(String container, String... command) {
        ExternalCommand.Result result = attempt(client(), container, command);
        if (!result.ok())
            throw Problem.failed("%s: `%s` ended with exit code %d: %s".formatted(kube.cluster(),
                    String.join(" ", command), result.exitCode(), result.lastLines()),
                    toShell("deploy/" + app.client(), app.namespace(), container, command));
        return result.out();
    }

    /** A ready pod of the client. */
    public Pod client() { return new Pods(kube, app.namespace()).anyReady(app.client()); }

    /** Whether ztunnel handles the pod's traffic: istio-cni sets this annotation. */
    public static boolean isCaptured(Pod pod) {
        var annotations = Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.<String, String>of());
        return "enabled".equals(annotations.get("ambient.istio.io/redirection"));
    }

    /** Runs a command in a pod, whatever its exit code; a {@link Problem} when it does not run or end. */
    private ExternalCommand.Result attempt(Pod in, String container, String... command) {
        String pod = in.getMetadata().getName(), namespace = in.getMetadata().getNamespace();
        String toShell = toShell(pod, namespace, container, command), name = String.join(" ", command);
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        try (ExecWatch exec = kube.client().pods().inNamespace(namespace).withName(pod).inContainer(container)
                .writingOutput(out).writingError(err).exec(command)) {
            int code = exec.exitCode().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            kube.console().detail("$ %s\n(exit code %d)\n%s%s".formatted(toShell, code,
                    out.size() > LOGGED_CHARACTERS ? "(%d bytes)".formatted(out.size()) : out, err));
            return new ExternalCommand.Result(code, out.toString(StandardCharsets.UTF_8),
                    err.toString(StandardCharsets.UTF_8));
        } catch (TimeoutException e) {
            throw Problem.failed("%s: `%s` did not end within %d s".formatted(kube.cluster(), name, LIMIT.toSeconds()),
                    toShell);
        } catch (KubernetesClientException | ExecutionException | InterruptedException e) {
            String reason = e instanceof KubernetesClientException k ? Kube.reason(k) : e.getMessage();
            throw Problem.failed("%s: could not run `%s` in %s: %s".formatted(kube.cluster(), name, pod, reason),
                    toShell);
        }
    }

    private String toShell(String pod, String namespace, String container, String... command) {
        return "%s exec -n %s %s -c %s -- %s".formatted(kube.kubectl(), namespace, pod, container,
                Arrays.stream(command).map(DemoCommands::quoted).collect(Collectors.joining(" ")));
    }

    public boolean hasProxy() {
        return kube.client().pods().inNamespace(app.namespace()).withLabel("app", app.client()).list().getItems()
                .stream().filter(Pods::isLive).flatMap(Pods::containers).anyMatch(c -> c.getName().equals(PROXY));
    }

    /** The service's endpoints in the client's proxy, as ADDRESS:PORT HEALTH. */
    public List<String> endpoints() throws IOException {
        return parseEndpoints(envoy("clusters?format=json"), "outbound|%d||%s".formatted(port().getPort(), app.host()));
    }

    /** Whether the proxy refuses requests to hosts that the mesh does not know. */
    public boolean blocksUnknown() {
        return envoy("config_dump?resource=dynamic_route_configs").contains("\"block_all\"");
    }

    /** Whether the proxy may eject all endpoints of the service at once. */
    public boolean ejectsAll() throws IOException {
        String config = envoy("config_dump?resource=dynamic_active_clusters&name_regex=outbound.*" + app.host());
        return new ObjectMapper().readTree(config).findValues("max_ejection_percent").stream()
                .anyMatch(percent -> percent.asInt() == 100);
    }

    /** Reads Envoy's answer, https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto */
    public static List<String> parseEndpoints(String json, String service) throws IOException {
        List<String> endpoints = new ArrayList<>();
        for (JsonNode cluster : new ObjectMapper().readTree(json).path("cluster_statuses")) {
            if (!cluster.path("name").asText().equals(service)) continue;
            for (JsonNode host : cluster.path("host_statuses")) {
                JsonNode address = host.at("/address/socket_address"), health = host.path("health_status");
                String state = health.path("failed_outlier_check").asBoolean() ? "EJECTED"
                        : health.path("eds_health_status").asText("HEALTHY");
                endpoints.add("%s:%d %s".formatted(address.path("address").asText(),
                        address.path("port_value").asInt(), state));
            }
        }
        return endpoints;
    }
}
