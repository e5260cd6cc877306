package lib.observe;

import module java.base;
import lib.ca.*;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewBuilder;
import io.fabric8.kubernetes.api.model.authorization.v1.SubjectAccessReviewBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * How Prometheus and Kiali read a cluster.
 *
 * @param apiServer     the URL of its API server for the other clusters
 * @param caCertificate the certificate of the API server's CA, in Base64 as a Secret has it
 * @param token         of the account {@link #ACCOUNT}, in Base64
 */
public record ClusterAccess(Cluster cluster, String apiServer, String caCertificate, String token) {
    /** The name of the account, and of the Secret with its token. */
    static final String ACCOUNT = "kind-demo-observer";
    private static final Pattern API_SERVER = Pattern.compile("api_server: \"?([^\",}\\s]+)");

    /** Reads the token that the cluster has created for the account. */
    static ClusterAccess of(Kube kube, String apiServer) {
        Secret secret = secret(kube, ACCOUNT);
        if (!hasToken(secret)) throw Problem.failed("%s: the secret %s in %s has no token".formatted(kube.cluster(),
                ACCOUNT, Mesh.NAMESPACE), kube.commands().kindDemo());
        return new ClusterAccess(kube.cluster(), apiServer, secret.getData().get("ca.crt"),
                secret.getData().get("token"));
    }

    /** Whether the cluster has filled the Secret, which takes a moment. */
    static boolean hasToken(Secret secret) {
        return secret != null && secret.getData() != null
                && secret.getData().keySet().containsAll(Set.of("token", "ca.crt"));
    }

    /** How Prometheus in the first cluster reads a cluster; empty if it does not. */
    public static Optional<ClusterAccess> ofPrometheus(Kube first, Cluster cluster) {
        var jobs = first.client().configMaps().inNamespace(Mesh.NAMESPACE).withName(Prometheus.CLUSTERS).get();
        Secret credentials = secret(first, Prometheus.CLUSTERS);
        if (jobs == null || credentials == null) return Optional.empty();
        Matcher server = API_SERVER.matcher(jobs.getData().getOrDefault(cluster.id() + ".yml", ""));
        String token = credentials.getData().get(cluster.id() + ".token");
        if (!server.find() || token == null) return Optional.empty();
        return Optional.of(new ClusterAccess(cluster, server.group(1),
                credentials.getData().get(cluster.id() + ".crt"), token));
    }

    /** How Kiali in the first cluster reads another cluster; empty if it does not. */
    public static Optional<ClusterAccess> ofKiali(Kube first, Cluster cluster) {
        Secret kubeconfigs = secret(first, Kiali.CLUSTERS);
        if (kubeconfigs == null || kubeconfigs.getData() == null) return Optional.empty();
        return Optional.ofNullable(kubeconfigs.getData().get(cluster.id())).map(encoded -> {
            JsonNode config = Serialization.unmarshal(Certificates.decode(encoded), JsonNode.class);
            JsonNode server = config.at("/clusters/0/cluster");
            return new ClusterAccess(cluster, server.path("server").asText(),
                    server.path("certificate-authority-data").asText(),
                    Certificates.encode(config.at("/users/0/user/token").asText()));
        });
    }

    private static Secret secret(Kube kube, String name) {
        return kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(name).get();
    }

    /**
     * Why the cluster does not let the token read its pods' metrics; empty if it does.
     *
     * @param kube the user's own access to the cluster
     */
    public String refusal(Kube kube) {
        var token = new TokenReviewBuilder().withNewSpec().withToken(Certificates.decode(token())).endSpec().build();
        var review = kube.client().resource(token).create().getStatus();
        if (!Boolean.TRUE.equals(review.getAuthenticated())) return "the token is not valid";
        var access = new SubjectAccessReviewBuilder().withNewSpec().withUser(review.getUser().getUsername())
                .withGroups(review.getUser().getGroups()).withNewResourceAttributes().withVerb("get")
                .withResource("pods").withSubresource("proxy").endResourceAttributes().endSpec().build();
        boolean allowed = kube.client().authorization().v1().subjectAccessReview().create(access).getStatus()
                .getAllowed();
        return allowed ? "" : "the account %s may not get pods/proxy".formatted(ACCOUNT);
    }

    /** Values of the placeholders in manifests. */
    Map<String, String> placeholders() {
        return Map.of("CLUSTER_ID", cluster.id(), "API_SERVER", apiServer, "API_SERVER_ADDRESS",
                apiServer.replaceFirst("^https://", ""), "CA_CERTIFICATE", caCertificate, "TOKEN",
                Certificates.decode(token));
    }

    /** Shell commands that set the variables id, server, token and ca (in Base64) of a cluster. */
    static String toShell(Kube kube) {
        String secret = "%s -n %s get secret %s -o jsonpath=".formatted(kube.kubectl(), Mesh.NAMESPACE, ACCOUNT);
        return """
                id=%s
                %s
                token=$(%3$s'{.data.token}' | base64 -d)
                ca=$(%3$s'{.data.ca\\.crt}')
                """.formatted(kube.cluster().id(), RemoteSecrets.apiServerAsShell(kube.cluster()), secret);
    }

    /** A manifest as a here document whose placeholders the shell fills, with those variables. */
    static String expandedByShell(String manifest) {
        // references of other programs, such as $1, are not for the shell
        String text = manifest.replaceAll("\\$(?!\\{[A-Z_]+})", "\\\\\\$").replace("${CLUSTER_ID}", "$id")
                .replace("${API_SERVER}", "$server").replace("${API_SERVER_ADDRESS}", "${server#https://}")
                .replace("${CA_CERTIFICATE}", "$ca").replace("${TOKEN}", "$token");
        return "<<EOF\n%s\nEOF".formatted(text.stripTrailing());
    }
}
