package lib.kubeconfig;

import static lib.kubeconfig.Kubeconfig.text;

import module java.base;
import lib.fetch.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientImpl;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.http.HttpClient;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/**
 * Connects to a context as kubectl does. Fabric8's own configuration also reads variables and system properties such as
 * KUBERNETES_MASTER, which override the context. Fields: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
public final class ClientConfig {
    /** Shared by all clusters: it caches what it learns about each type. */
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();

    private final String context;
    private final JsonNode cluster, user;
    private final Config config = Config.empty();

    private ClientConfig(String context, Kubeconfig kubeconfig) throws IOException {
        this.context = context;
        JsonNode names = kubeconfig.find("contexts", context);
        this.cluster = kubeconfig.find("clusters", text(names, "cluster"));
        this.user = text(names, "user").isEmpty() ? MissingNode.getInstance()
                : kubeconfig.find("users", text(names, "user"));
    }

    /** @throws Problem when the context cannot be used */
    public static KubernetesClient connect(String context, Kubeconfig kubeconfig, Map<String, String> environment,
            Console console) {
        try {
            var settings = new ClientConfig(context, kubeconfig);
            settings.setServer(environment);
            // kubectl sends no credentials over plain HTTP either
            if (settings.config.getMasterUrl().startsWith("https:")) settings.setUser(console);
            return settings.client();
        } catch (KubernetesClientException | IOException | URISyntaxException | IllegalArgumentException e) {
            throw unusable(context, Problem.rootCause(e).toString());
        }
    }

    private static Problem unusable(String context, String reason) {
        return Problem.failed("the context %s of the kubeconfig cannot be used: %s".formatted(context, reason),
                "kubectl config view --minify --context " + DemoCommands.quoted(context));
    }

    private Problem unusable(String reason) { return unusable(context, reason); }

    private static List<String> texts(JsonNode list) { return list.valueStream().map(JsonNode::asText).toList(); }

    private void setServer(Map<String, String> environment) throws IOException, URISyntaxException {
        URI server = serverUrl();
        setProxy(server, environment);
        String name = text(cluster, "tls-server-name");
        if (!name.isEmpty()) {
            // the JDK's client sends the host of the URL as the server name, unless the host is an address
            String address = InetAddress.getByName(server.getHost()).getHostAddress();
            server = new URI(server.getScheme(), server.getUserInfo(), address, server.getPort(), server.getPath(),
                    server.getQuery(), server.getFragment());
            config.setTlsServerName(name);
        }
        config.setMasterUrl(server.toString());
        boolean insecure = Boolean.parseBoolean(text(cluster, "insecure-skip-tls-verify"));
        config.setTrustCerts(insecure);
        config.setDisableHostnameVerification(insecure);
        String authority = text(cluster, "certificate-authority-data");
        if (authority.isEmpty()) return;
        config.setCaCertData(authority);
        if (!decode(authority).contains("BEGIN CERTIFICATE"))
            throw unusable("its certificate-authority is not a certificate");
    }

    /** The server's URL; its scheme is HTTP if the kubeconfig has none, as in kubectl. */
    private URI serverUrl() {
        String server = text(cluster, "server");
        try {
            URI url = new URI(server.contains("://") ? server : "http://" + server);
            if (url.getHost() != null && url.getScheme().matches("(?i)https?")) return url;
        } catch (URISyntaxException e) {
            // reported below
        }
        throw unusable(server.isEmpty() ? "its cluster has no server" : "the server %s is not a URL".formatted(server));
    }

    /** As in kubectl, NO_PROXY does not apply to proxy-url. */
    private void setProxy(URI server, Map<String, String> environment) {
        String url = text(cluster, "proxy-url");
        Optional<URI> proxy = url.isEmpty() ? new HttpProxies(environment).proxy(server)
                : Optional.of(HttpProxies.http("proxy-url in the kubeconfig's cluster of the context " + context, url,
                "kubectl config set clusters.NAME.proxy-url http://HOST:PORT"));
        proxy.map(URI::toString).ifPresent(config::setHttpProxy);
        proxy.map(URI::toString).ifPresent(config::setHttpsProxy);
    }

    private void setUser(Console console) throws IOException {
        String token = text(user, "token"), certificate = text(user, "client-certificate-data");
        Path tokenFile = user.has("tokenFile") ? Path.of(text(user, "tokenFile")) : null;
        if (tokenFile != null) config.setOauthTokenProvider(() -> readToken(tokenFile, token));
        else if (!token.isEmpty()) config.setAutoOAuthToken(token);
        config.setUsername(text(user, "username"));
        config.setPassword(text(user, "password"));
        if (!certificate.isEmpty()) setCertificate(decode(certificate), decode(text(user, "client-key-data")));
        boolean complete = tokenFile != null || !(token + certificate + config.getUsername()).isEmpty();
        if (!complete && user.path("exec").isObject()) setPlugin(console);
        if (!complete && user.path("auth-provider").isObject()) setOidcToken(user.path("auth-provider"));
        if (!text(user, "as").isEmpty()) setImpersonation();
    }

    private void setImpersonation() {
        config.setImpersonateUsername(text(user, "as"));
        config.setImpersonateGroups(texts(user.path("as-groups")).toArray(String[]::new));
        config.setImpersonateExtras(user.path("as-user-extra").propertyStream()
                .collect(Collectors.toMap(Map.Entry::getKey, extra -> texts(extra.getValue()))));
        String uid = text(user, "as-uid");
        if (!uid.isEmpty()) config.setCustomHeaders(Map.of("Impersonate-Uid", uid));
    }

    /** The current content of the file, or the fixed token if the file cannot be read. */
    private String readToken(Path file, String fixed) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            if (fixed.isEmpty()) throw unusable("cannot read tokenFile: " + e);
            return fixed;
        }
    }

    private void setPlugin(Console console) throws IOException {
        var plugin = new CredentialPlugin(context, user.path("exec"), cluster, console);
        CredentialPlugin.Credentials first = plugin.credentials();
        if (!first.token().isEmpty()) config.setOauthTokenProvider(() -> plugin.credentials().token());
        if (!first.certificate().isEmpty()) setCertificate(first.certificate(), first.key());
    }

    /** Uses an OIDC token until it expires; only kubectl can renew it. kubectl has removed all other providers. */
    private void setOidcToken(JsonNode provider) throws IOException {
        String name = text(provider, "name"), token = text(provider.path("config"), "id-token");
        if (!name.equals("oidc"))
            throw unusable("the auth-provider %s is not supported; kubectl has removed it too".formatted(name));
        String[] parts = token.split("\\.", -1);
        long expiry = parts.length < 3 ? 0 : new ObjectMapper().readTree(Base64.getUrlDecoder().decode(parts[1]))
                .path("exp").asLong(Long.MAX_VALUE);
        if (expiry <= Instant.now().getEpochSecond())
            throw Problem.failed("the context %s of the kubeconfig has no valid OIDC token".formatted(context),
                    "let kubectl renew it: kubectl --context %s get nodes".formatted(DemoCommands.quoted(context)));
        config.setAutoOAuthToken(token);
    }

    /**
     * Sets a client certificate and its key, both as PEM. Fabric8 needs the key's algorithm. It does not read other
     * blocks before the key, nor PKCS #8 with a key other than RSA.
     */
    private void setCertificate(String certificate, String pem) throws IOException {
        config.setClientCertData(encode(certificate));
        config.setClientKeyData(encode(pem));
        if (pem.startsWith("-----BEGIN RSA PRIVATE KEY")) return;
        PrivateKey key = readKey(pem);
        config.setClientKeyAlgo(key.getAlgorithm());
        config.setClientKeyData(encode("-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n".formatted(
                Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded()))));
    }

    private PrivateKey readKey(String pem) throws IOException {
        try (var parser = new PEMParser(new StringReader(pem))) {
            for (Object block = parser.readObject(); block != null; block = parser.readObject()) {
                if (block instanceof PEMKeyPair pair) block = pair.getPrivateKeyInfo();
                if (block instanceof PrivateKeyInfo info) return new JcaPEMKeyConverter().getPrivateKey(info);
            }
        }
        throw unusable("its client-key is not a private key");
    }

    private static String encode(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String decode(String data) {
        return new String(Base64.getDecoder().decode(data), StandardCharsets.UTF_8);
    }

    private KubernetesClient client() {
        config.setConnectionTimeout(5_000);
        config.setRequestTimeout(20_000);
        config.setRequestRetryBackoffLimit(4);
        return new KubernetesClientBuilder().withConfig(config).withKubernetesSerialization(SERIALIZATION)
                .withHttpClientFactory(new ClientFactory()).build();
    }

    private final class ClientFactory extends JdkHttpClientFactory {
        private HttpClient client;

        @Override protected void additionalConfig(HttpClient.Builder builder) {
            // otherwise the JDK's client uses the proxy of the system properties
            if (config.getHttpsProxy() == null) builder.proxy(HttpClient.Builder.NO_PROXY);
            // fabric8 supports server names only with other HTTP clients
            if (config.getTlsServerName() == null) return;
            var parameters = new SSLParameters(null, new String[] {"TLSv1.3", "TLSv1.2"});
            parameters.setServerNames(List.of(new SNIHostName(config.getTlsServerName())));
            builder.sslParameters(parameters);
        }

        /** A builder that keeps the client which it builds, as fabric8 returns it to nobody. */
        @Override protected HttpClient.Builder createNewHttpClientBuilder() {
            HttpClient.Builder builder = super.createNewHttpClientBuilder();
            return (HttpClient.Builder) Proxy.newProxyInstance(getClass().getClassLoader(),
                    new Class<?>[] {HttpClient.Builder.class}, (proxy, method, arguments) -> {
                        try {
                            Object result = method.invoke(builder, arguments);
                            if (result instanceof HttpClient built) client = built;
                            return result == builder ? proxy : result;
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }

        /** Ends the client's thread. fabric8 does not, and the JVM waits 0.3 s before it exits with such threads. */
        @Override protected void closeHttpClient(JdkHttpClientImpl closed) {
            client.shutdownNow();
            try {
                client.awaitTermination(Duration.ofSeconds(1));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
