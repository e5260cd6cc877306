package lib.kube;

import module java.base;
import lib.fetch.*;
import lib.run.*;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.net.http.HttpClient;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

/**
 * A client for a context, from what {@code kubectl config view --raw --minify --flatten} prints for it, and the proxy variables. Fabric8's
 * own configuration also reads variables and system properties such as KUBERNETES_MASTER, which override the context. What the fields
 * mean: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
final class ClientConfig {
    /** One for all clusters: what it learns of a type it need not learn again. */
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();

    private final String context, hint;
    private final Map<String, Object> cluster, user;
    private final Config config = Config.empty();

    private ClientConfig(String context, Kubeconfig kubeconfig) {
        this.context = context;
        this.hint = "kubectl config view --minify --context " + DemoCommands.quoted(context);
        Map<String, Object> named = kubeconfig.find("contexts", context);
        this.cluster = kubeconfig.find("clusters", Kubeconfig.text(named, "cluster"));
        this.user = Kubeconfig.text(named, "user").isEmpty() ? Map.of() : kubeconfig.find("users", Kubeconfig.text(named, "user"));
    }

    /** A {@link Problem} when the context cannot be used. */
    static KubernetesClient connect(String context, Kubeconfig kubeconfig, Map<String, String> environment, Console console) {
        var settings = new ClientConfig(context, kubeconfig);
        try {
            settings.server(environment);
            // kubectl sends no credentials over plain HTTP either
            if (settings.config.getMasterUrl().startsWith("https:")) settings.user(console);
            return settings.client();
        } catch (KubernetesClientException | IOException | IllegalArgumentException e) {
            throw settings.wrong(Problem.rootCause(e).toString());
        }
    }

    private Problem wrong(String message) {
        return Problem.failed("the context %s of the kubeconfig cannot be used: %s".formatted(context, message), hint);
    }

    private String cluster(String key) { return Kubeconfig.text(cluster, key); }

    private String user(String key) { return Kubeconfig.text(user, key); }

    private void server(Map<String, String> environment) throws IOException {
        URI server = serverUrl();
        String proxy = cluster("proxy-url"), setProxy = "kubectl config set clusters.NAME.proxy-url http://HOST:PORT";
        // like kubectl: this proxy is for all addresses, also where NO_PROXY has them
        Optional<URI> through = proxy.isEmpty() ? new HttpProxies(environment).proxy(server)
                : Optional.of(HttpProxies.http("proxy-url in the kubeconfig's cluster of the context " + context, proxy, setProxy));
        through.map(URI::toString).ifPresent(url -> {
            config.setHttpProxy(url);
            config.setHttpsProxy(url);
        });
        if (!cluster("tls-server-name").isEmpty()) {
            // the JDK's client sends the name of the URL's host, where it has one
            String address = InetAddress.getByName(server.getHost()).getHostAddress();
            server = URI.create(server.toString().replaceFirst(Pattern.quote(server.getHost()),
                    address.contains(":") ? "[" + address + "]" : address));
            config.setTlsServerName(cluster("tls-server-name"));
        }
        config.setMasterUrl(server.toString());
        boolean insecure = Boolean.parseBoolean(cluster("insecure-skip-tls-verify"));
        config.setTrustCerts(insecure);
        config.setDisableHostnameVerification(insecure);
        config.setCaCertData(Kubeconfig.dataOf(cluster, "certificate-authority"));
        if (config.getCaCertData() != null && !decode(config.getCaCertData()).contains("BEGIN CERTIFICATE"))
            throw wrong("its certificate-authority is not a certificate");
    }

    /** With a scheme: kubectl takes HTTP where none is given. */
    private URI serverUrl() {
        String server = cluster("server");
        try {
            URI url = new URI(server.contains("://") ? server : "http://" + server);
            if (url.getHost() != null && url.getScheme().matches("(?i)https?")) return url;
        } catch (URISyntaxException e) {
            // reported below
        }
        throw wrong(server.isEmpty() ? "its cluster has no server" : "the server %s is not a URL".formatted(server));
    }

    private void user(Console console) throws IOException {
        String token = user("token"), file = user("tokenFile");
        if (!file.isEmpty()) config.setOauthTokenProvider(() -> token(Path.of(file), token));
        else config.setAutoOAuthToken(token.isEmpty() ? null : token);
        config.setUsername(user("username"));
        config.setPassword(user("password"));
        config.setClientCertData(Kubeconfig.dataOf(user, "client-certificate"));
        if (config.getClientCertData() != null) key(decode(Kubeconfig.dataOf(user, "client-key")));
        boolean known = !token.isEmpty() || !file.isEmpty() || config.getClientCertData() != null || !user("username").isEmpty();
        if (!known && user.get("exec") instanceof Map<?, ?> exec) plugin(new CredentialPlugin(context, exec, cluster, console));
        if (!known && user.get("auth-provider") instanceof Map<?, ?> provider) provider(provider);
        if (user("as").isEmpty()) return;
        config.setImpersonateUsername(user("as"));
        if (user.get("as-groups") instanceof List<?> groups) config.setImpersonateGroups(groups.stream().map(String::valueOf)
                .toArray(String[]::new));
        if (user.get("as-user-extra") instanceof Map<?, ?> extra) config.setImpersonateExtras(extra.entrySet().stream().collect(
                Collectors.toMap(e -> "" + e.getKey(), e -> e.getValue() instanceof List<?> l ? l.stream().map(String::valueOf).toList()
                        : List.of())));
        if (!user("as-uid").isEmpty()) config.setCustomHeaders(Map.of("Impersonate-Uid", user("as-uid")));
    }

    /** What the file has now; the fixed token where it cannot be read. */
    private String token(Path file, String fixed) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            if (fixed.isEmpty()) throw wrong("cannot read tokenFile: " + e);
            return fixed;
        }
    }

    private void plugin(CredentialPlugin plugin) throws IOException {
        CredentialPlugin.Credentials first = plugin.credentials();
        if (!first.token().isEmpty()) config.setOauthTokenProvider(() -> plugin.credentials().token());
        if (first.certificate().isEmpty()) return;
        config.setClientCertData(encode(first.certificate()));
        key(first.key());
    }

    /** An OIDC token as long as it is valid: kubectl renews it and writes it into the kubeconfig. Other providers are no more. */
    private void provider(Map<?, ?> provider) {
        Map<?, ?> settings = provider.get("config") instanceof Map<?, ?> m ? m : Map.of();
        String name = Kubeconfig.text(provider, "name"), token = Kubeconfig.text(settings, "id-token");
        if (!name.equals("oidc")) throw wrong("the auth-provider %s is not supported; kubectl has removed it too".formatted(name));
        Matcher payload = Pattern.compile("[^.]*\\.([^.]+)\\..*").matcher(token);
        if (payload.matches()) {
            String claims = new String(Base64.getUrlDecoder().decode(payload.group(1)), StandardCharsets.UTF_8);
            Matcher expiry = Pattern.compile("\"exp\"\\s*:\\s*(\\d+)").matcher(claims);
            if (!expiry.find() || Instant.ofEpochSecond(Long.parseLong(expiry.group(1))).isAfter(Instant.now())) {
                config.setAutoOAuthToken(token);
                return;
            }
        }
        throw Problem.failed("the context %s of the kubeconfig has no valid OIDC token".formatted(context),
                "let kubectl renew it: kubectl --context %s get nodes".formatted(DemoCommands.quoted(context)));
    }

    /** Fabric8 must be told the algorithm, and knows neither other blocks before the key nor PKCS #8 with other keys than RSA's. */
    private void key(String pem) throws IOException {
        if (!pem.startsWith("-----BEGIN RSA PRIVATE KEY")) {
            StringWriter text = new StringWriter();
            try (PEMParser parser = new PEMParser(new StringReader(pem))) {
                PrivateKey key = null;
                for (Object block = parser.readObject(); block != null && key == null; block = parser.readObject()) {
                    if (block instanceof PEMKeyPair pair) block = pair.getPrivateKeyInfo();
                    if (block instanceof PrivateKeyInfo info) key = new JcaPEMKeyConverter().getPrivateKey(info);
                }
                if (key == null) throw wrong("its client-key is not a private key");
                config.setClientKeyAlgo(key.getAlgorithm());
                try (var writer = new PemWriter(text)) {
                    writer.writeObject(new PemObject("PRIVATE KEY", key.getEncoded()));
                }
                pem = text.toString();
            }
        }
        config.setClientKeyData(encode(pem));
    }

    private static String encode(String text) { return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8)); }

    private static String decode(String data) { return new String(Base64.getDecoder().decode(data), StandardCharsets.UTF_8); }

    private KubernetesClient client() {
        config.setConnectionTimeout(5_000);
        config.setRequestTimeout(20_000);
        config.setRequestRetryBackoffLimit(4);
        var http = new JdkHttpClientFactory() {
            @Override protected void additionalConfig(HttpClient.Builder builder) {
                // else the JDK's client asks the system properties
                if (config.getHttpsProxy() == null) builder.proxy(HttpClient.Builder.NO_PROXY);
                if (config.getTlsServerName() == null) return;
                var named = new SSLParameters(null, new String[] {"TLSv1.3", "TLSv1.2"});
                named.setServerNames(List.of(new SNIHostName(config.getTlsServerName())));
                builder.sslParameters(named);
            }
        };
        return new KubernetesClientBuilder().withConfig(config).withKubernetesSerialization(SERIALIZATION).withHttpClientFactory(http)
                .build();
    }
}
