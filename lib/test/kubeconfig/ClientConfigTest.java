package lib.kubeconfig;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import module jdk.httpserver;
import lib.ca.*;
import lib.run.*;
import lib.test.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.client.KubernetesClient;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** With the same kubeconfig, a TLS server on loopback gets the same requests from the client and from kubectl. */
@Tag("unit")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ClientConfigTest {
    private static final String VERSION = "{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.4\"}";
    @TempDir static Path keys;
    @TempDir Path folder;
    private final List<String> seen = Collections.synchronizedList(new ArrayList<>());
    private final List<String> tunnels = Collections.synchronizedList(new ArrayList<>());
    private HttpsServer server;
    private HttpServer plain;
    private ServerSocket proxy;

    @BeforeAll void serve() throws Exception {
        Requirements.programs("kubectl", "keytool", "openssl");
        for (String name : List.of("server", "client", "rsa")) Shell.succeeds("""
                cd %1$s; keytool -genkeypair -keystore %2$s.p12 -storepass secret -keyalg %3$s -alias x -dname CN=%2$s \
                -ext bc:c -ext san=ip:127.0.0.1,dns:api.example.org 2>&1 \
                && openssl pkcs12 -in %2$s.p12 -passin pass:secret -nokeys -out %2$s.pem \
                && openssl pkcs12 -in %2$s.p12 -passin pass:secret -nodes -nocerts -out %2$s.key"""
                .formatted(keys, name, name.equals("rsa") ? "RSA" : "EC"));
        char[] secret = "secret".toCharArray();
        KeyStore own = KeyStore.getInstance(keys.resolve("server.p12").toFile(), secret);
        KeyStore trusted = KeyStore.getInstance(keys.resolve("client.p12").toFile(), secret);
        trusted.setCertificateEntry("client", trusted.getCertificate("x"));
        trusted.setCertificateEntry("rsa", Certificates.readCertificate(Files.readString(keys.resolve("rsa.pem"))));
        var ours = KeyManagerFactory.getInstance("PKIX");
        ours.init(own, secret);
        var theirs = TrustManagerFactory.getInstance("PKIX");
        theirs.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(ours.getKeyManagers(), theirs.getTrustManagers(), null);
        server = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls) {
            @Override public void configure(HttpsParameters parameters) {
                SSLParameters wanted = tls.getDefaultSSLParameters();
                wanted.setWantClientAuth(true);
                parameters.setSSLParameters(wanted);
            }
        });
        plain = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        for (HttpServer each : List.of(server, plain)) {
            each.createContext("/", this::answer);
            each.start();
        }
        proxy = new ServerSocket(0, 50, InetAddress.ofLiteral("127.0.0.1"));
        Thread.ofPlatform().daemon().start(this::tunnel);
    }

    @AfterAll void end() throws IOException {
        if (proxy == null) return; // a program was missing
        server.stop(0);
        plain.stop(0);
        proxy.close();
    }

    @BeforeEach void forget() {
        seen.clear();
        tunnels.clear();
    }

    private void answer(HttpExchange request) throws IOException {
        String who = "nobody";
        try {
            if (request instanceof HttpsExchange secure) who = secure.getSSLSession().getPeerPrincipal().getName();
        } catch (SSLPeerUnverifiedException e) {
            // the client sent no certificate
        }
        var headers = new TreeMap<String, Object>(request.getRequestHeaders());
        headers.keySet().removeIf(name -> !name.matches("(?i)authorization|impersonate.*"));
        seen.add("%s %s %s %s".formatted(request.getRequestMethod(), request.getRequestURI(), who, headers));
        byte[] body = VERSION.getBytes(StandardCharsets.UTF_8);
        request.getResponseHeaders().set("Content-Type", "application/json");
        request.sendResponseHeaders(200, body.length);
        request.getResponseBody().write(body);
        request.close();
    }

    /** A proxy that connects every client to the server. */
    private void tunnel() {
        while (!proxy.isClosed()) {
            try {
                Socket from = proxy.accept(), to = new Socket("127.0.0.1", server.getAddress().getPort());
                StringBuilder head = new StringBuilder();
                while (!head.toString().endsWith("\r\n\r\n")) head.append((char) from.getInputStream().read());
                tunnels.add(head.toString().lines().filter(l -> l.matches("(CONNECT|Proxy-Authorization).*")).sorted()
                        .collect(Collectors.joining("; ")));
                from.getOutputStream().write("HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                Thread.startVirtualThread(() -> copy(from, to));
                Thread.startVirtualThread(() -> copy(to, from));
            } catch (IOException e) {
                // closed at the end
            }
        }
    }

    private static void copy(Socket from, Socket to) {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException e) {
            // one of them has ended
        }
    }

    private String port() { return "" + server.getAddress().getPort(); }

    private Path config(String cluster, String user) throws IOException { return config("config", cluster, user); }

    private Path config(String name, String cluster, String user) throws IOException {
        return Files.writeString(folder.resolve(name), """
                apiVersion: v1
                kind: Config
                clusters: [{name: c, cluster: {%s}}]
                contexts: [{name: x, context: {cluster: c, user: u}}]
                users: [{name: u, user: {%s}}]
                """.formatted(cluster, user));
    }

    private String trusted() throws IOException {
        return "server: \"https://127.0.0.1:%s\", certificate-authority-data: %s".formatted(port(),
                Certificates.encode(Files.readString(keys.resolve("server.pem"))));
    }

    private static String version(Map<String, String> environment, Path... files) {
        try (var console = new Console(false); KubernetesClient client = ClientConfig.connect("x",
                new Kubeconfig(List.of(files)), environment, console)) {
            return client.getKubernetesVersion().getGitVersion();
        }
    }

    /** Both must get an answer, and the server and the proxy must not see a difference. */
    private void sameAsKubectl(Map<String, String> environment, Path... files) {
        String list = Arrays.stream(files).map(Path::toString).collect(Collectors.joining(":"));
        var variables = new HashMap<>(environment);
        variables.put("KUBECONFIG", list);
        forget();
        Shell.succeeds("kubectl --context x get --raw /version", variables);
        List<String> kubectl = List.copyOf(seen), through = List.copyOf(tunnels);
        forget();
        assertEquals("v1.34.4", version(environment, files));
        assertEquals(Set.copyOf(kubectl), Set.copyOf(seen), list);
        assertEquals(Set.copyOf(through), Set.copyOf(tunnels), list);
    }

    private Problem rejected(Path file) { return assertThrows(Problem.class, () -> version(Map.of(), file)); }

    @Test void sendsSameCredentialsAsKubectl() throws Exception {
        Path pem = Files.copy(keys.resolve("client.pem"), folder.resolve("client.pem"));
        Path key = folder.resolve("client.key");
        Files.copy(keys.resolve("client.key"), key);
        Files.writeString(folder.resolve("token"), "from-file\n");
        for (String user : List.of("token: abc", "tokenFile: token", "tokenFile: token, token: abc",
                "username: me, password: \"p:w\"", "client-certificate: client.pem, client-key: client.key",
                "client-certificate-data: %s, client-key-data: %s".formatted(
                        Certificates.encode(Files.readString(pem)), Certificates.encode(Files.readString(key))),
                "token: abc, as: admin, as-uid: \"7\", as-groups: [a, b], as-user-extra: {reason: [p, q]}")) {
            sameAsKubectl(Map.of(), config(trusted(), user));
            assertEquals(1, seen.size(), user);
        }
        assertTrue(Files.readString(key).contains("BEGIN PRIVATE KEY"), "PKCS #8 of an EC key");
        Shell.succeeds("openssl ec -in %1$s -out %1$s.ec && { openssl ecparam -name secp256r1; cat %1$s.ec; } > %1$s"
                .formatted(key));
        sameAsKubectl(Map.of(), config(trusted(), "client-certificate: client.pem, client-key: client.key"));
        assertTrue(seen.getFirst().contains("CN=client"), seen.toString());
        for (String form : List.of("", "-traditional")) {
            Shell.succeeds("cp %2$s/rsa.pem %1$s/client.pem; openssl rsa -in %2$s/rsa.key -out %1$s/client.key %3$s"
                    .formatted(folder, keys, form));
            sameAsKubectl(Map.of(), config(trusted(), "client-certificate: client.pem, client-key: client.key"));
            assertTrue(seen.getFirst().contains("CN=rsa"), seen.toString());
        }
        assertTrue(Files.readString(key).startsWith("-----BEGIN RSA"));
    }

    @Test void trustsSameServersAsKubectl() throws Exception {
        String url = "server: \"https://127.0.0.1:%s\"".formatted(port()), ca = "certificate-authority: server.pem";
        Files.copy(keys.resolve("server.pem"), folder.resolve("server.pem"));
        for (String cluster : List.of(url + ", " + ca, url + ", insecure-skip-tls-verify: true",
                "server: \"https://localhost:%s\", %s, tls-server-name: api.example.org".formatted(port(), ca),
                url + ", tls-server-name: api.example.org, " + ca))
            sameAsKubectl(Map.of(), config(cluster, "token: abc"));
        Path unknown = config(url, "token: abc");
        assertThrows(RuntimeException.class, () -> version(Map.of(), unknown), "a self-signed certificate");
        for (String scheme : List.of("http://", ""))
            sameAsKubectl(Map.of(), config("server: \"%s127.0.0.1:%d\", %s".formatted(scheme,
                    plain.getAddress().getPort(), ca), "token: abc"));
        assertFalse(seen.toString().contains("abc"), "no token over plain HTTP: " + seen);
    }

    @Test void readsSeveralFilesLikeKubectl() throws Exception {
        Files.createDirectory(folder.resolve("other"));
        Files.copy(keys.resolve("server.pem"), folder.resolve("other/server.pem"));
        Path other = config("other/config", "server: \"https://127.0.0.1:%s\", certificate-authority: server.pem"
                .formatted(port()), "token: second");
        Path user = Files.writeString(folder.resolve("user"), "users: [{name: u, user: {token: first}}]");
        sameAsKubectl(Map.of(), folder.resolve("absent"), user, other);
        assertTrue(seen.toString().contains("first"), seen.toString());
        Problem problem = assertThrows(Problem.class, () -> version(Map.of(), user));
        assertTrue(problem.getMessage().contains("no context x"), problem.getMessage());
    }

    @Test void usesSameProxyAsKubectl() throws Exception {
        String address = "127.0.0.1:" + proxy.getLocalPort();
        sameAsKubectl(Map.of("NO_PROXY", "*"),
                config(trusted() + ", proxy-url: \"http://me:secret@%s\"".formatted(address), "token: abc"));
        assertEquals(1, tunnels.size());
        String named = trusted().replace("127.0.0.1", "api.example.org"); // only the proxy knows that name
        for (String variable : List.of("HTTPS_PROXY", "https_proxy")) {
            sameAsKubectl(Map.of(variable, address, "NO_PROXY", "localhost,*.corp.example"),
                    config(named, "token: abc"));
            assertTrue(tunnels.getFirst().contains("api.example.org"), tunnels.toString());
        }
        sameAsKubectl(Map.of("HTTPS_PROXY", "http://127.0.0.1:1"), config(trusted(), "token: abc"));
        assertEquals(List.of(), tunnels, "no proxy for this machine");
    }

    @Test void rejectsOtherProxies() throws Exception {
        for (String scheme : List.of("socks5", "https")) {
            String proxyUrl = ", proxy-url: \"%s://me:secret@127.0.0.1:1\"".formatted(scheme);
            String message = rejected(config(trusted() + proxyUrl, "token: abc")).getMessage();
            assertTrue(message.contains("proxy-url") && message.contains("over " + scheme), message);
            assertFalse(message.contains("secret"));
        }
    }

    /** Compares KUBERNETES_EXEC_INFO as JSON. */
    @Test void runsPluginsLikeKubectl() throws Exception {
        Path plugin = folder.resolve("plugin"), infos = folder.resolve("infos");
        Files.writeString(plugin, """
                #!/bin/sh
                echo $KUBERNETES_EXEC_INFO >> '%s'
                echo "a warning" >&2
                echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
                "status":{"token":"'"$1-$WHO"'"}}'
                """.formatted(infos));
        plugin.toFile().setExecutable(true);
        String exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [\"a b\"], "
                + "interactiveMode: Never, env: [{name: WHO, value: me}], provideClusterInfo: %s}";
        String extension = ", extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: them}}]";
        Files.copy(keys.resolve("server.pem"), folder.resolve("server.pem"));
        for (String cluster : List.of(trusted(), trusted() + extension,
                trusted() + ", proxy-url: \"http://127.0.0.1:%d\"".formatted(proxy.getLocalPort()),
                "server: \"https://127.0.0.1:%s\", certificate-authority: server.pem".formatted(port()))) {
            for (boolean info : List.of(true, false)) {
                Path file = config(cluster, exec.formatted(info));
                sameAsKubectl(Map.of(), file);
                assertTrue(seen.getFirst().contains("Bearer a b-me"), seen.toString());
                List<String> both = Files.readAllLines(infos);
                assertEquals(new ObjectMapper().readTree(both.getFirst()), new ObjectMapper().readTree(both.getLast()));
                assertEquals(2, both.size());
                Files.delete(infos);
            }
        }
    }

    @Test void rerunsExpiredPluginsAndReportsFailures() throws Exception {
        Path plugin = folder.resolve("plugin");
        Path file = config(trusted(), "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin, "
                + "installHint: get it at example.org}");
        Problem missing = rejected(file);
        assertTrue(missing.getMessage().contains(plugin.toString()), missing.getMessage());
        assertTrue(missing.hint().contains("example.org"), missing.hint());
        Files.writeString(plugin, """
                #!/bin/sh
                echo x >> '%s/runs'
                echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential",
                "status":{"token":"'$(wc -l < '%1$s/runs')'","expirationTimestamp":"2020-01-01T00:00:00Z"}}'
                """.formatted(folder));
        plugin.toFile().setExecutable(true);
        assertEquals("v1.34.4", version(Map.of(), file));
        assertTrue(Files.readAllLines(folder.resolve("runs")).size() > 1);
        Files.writeString(plugin, "#!/bin/sh\necho secret\n");
        assertFalse(rejected(file).getMessage().contains("secret"));
        Files.writeString(plugin, "#!/bin/sh\nexit 3\n");
        assertTrue(rejected(file).getMessage().contains("exit code 3"));
    }

    @Test void acceptsCertificatesFromPlugins() throws Exception {
        Path plugin = folder.resolve("plugin");
        Files.writeString(plugin, "#!/bin/sh\ncat '%s/given'\n".formatted(folder)).toFile().setExecutable(true);
        var status = Map.of("clientCertificateData", Files.readString(keys.resolve("client.pem")),
                "clientKeyData", Files.readString(keys.resolve("client.key")));
        new ObjectMapper().writeValue(folder.resolve("given").toFile(), Map.of("kind", "ExecCredential",
                "apiVersion", "client.authentication.k8s.io/v1", "status", status));
        sameAsKubectl(Map.of(), config(trusted(), "exec: {apiVersion: client.authentication.k8s.io/v1, "
                + "command: ./plugin, interactiveMode: IfAvailable}"));
        assertTrue(seen.getFirst().contains("CN=client"), seen.toString());
    }

    /** All of these end with a message for the user. */
    @Test void reportsUnusableKubeconfigs() throws Exception {
        for (String cluster : List.of("", "server: \"\"", "server: \"https://\"", "server: \"https://a b\"",
                "server: \"ftp://a\"", trusted() + ", proxy-url: \"::\"",
                "server: \"https://127.0.0.1:1\", certificate-authority: absent",
                "server: \"https://127.0.0.1:1\", certificate-authority-data: abc"))
            rejected(config(cluster, "token: abc"));
        for (String user : List.of("tokenFile: absent", "client-certificate: absent",
                "client-certificate-data: abc, client-key-data: abc", "exec: {command: ./x}", "exec: {}",
                "auth-provider: {name: gcp}", "auth-provider: {name: oidc, config: {id-token: a.b.c}}",
                "auth-provider: {name: oidc}", "client-certificate-data: %s".formatted(
                        Certificates.encode(Files.readString(keys.resolve("client.pem"))))))
            rejected(config(trusted(), user));
        Path file = Files.writeString(folder.resolve("config"),
                "contexts: [{name: x, context: {cluster: none, user: u}}]");
        assertTrue(rejected(file).getMessage().contains("no cluster none"));
        Files.writeString(file, "contexts: [null, 1, {name: x, context: 5}]\nclusters: {a: b}\nusers: x\n");
        rejected(file);
    }

    /** Fabric8's own configuration would connect to another server, and send it another token. */
    @Test void variablesDoNotOverrideTheContext() throws Exception {
        Path file = config(trusted(), "token: mine");
        String other = "https://127.0.0.1:%s/other".formatted(port());
        Shell.Result result = Shell.run("jbang Verify.java --contexts x --output json", Map.of(
                "KUBECONFIG", file.toString(), "XDG_STATE_HOME", folder.toString(), "KUBERNETES_MASTER", other,
                "KUBERNETES_AUTH_TOKEN", "stolen", "KUBERNETES_TRUST_CERTIFICATES", "true",
                "KUBERNETES_IMPERSONATE_USERNAME", "other"));
        assertTrue(seen.stream().anyMatch(s -> s.contains("Bearer mine")), seen + result.all());
        assertTrue(seen.stream().noneMatch(s -> s.matches("(?i).*(/other|stolen|impersonate).*")), seen.toString());
    }
}
