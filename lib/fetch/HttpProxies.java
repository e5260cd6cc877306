package lib.fetch;

import module java.base;
import lib.run.*;
import java.net.Proxy;

/**
 * The proxies that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, in upper or lower case, by the rules of Go's programs
 * (https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config). The JDK itself reads only its system properties, which
 * apply where no variable is set. Loopback addresses never use a proxy.
 */
public final class HttpProxies extends ProxySelector {
    private final Map<String, String> environment;

    public HttpProxies(Map<String, String> environment) { this.environment = environment; }

    /** The value of a variable; empty when it is not set. */
    public String variable(String name) {
        return Stream.of(name, name.toLowerCase(Locale.ROOT)).map(environment::get)
                .filter(v -> v != null && !v.isBlank()).findFirst().orElse("").strip();
    }

    @Override public List<Proxy> select(URI address) {
        if (direct(address)) return List.of(Proxy.NO_PROXY);
        Optional<URI> proxy = proxy(address);
        if (proxy.isEmpty()) return ProxySelector.getDefault().select(address);
        var server = InetSocketAddress.createUnresolved(proxy.get().getHost(), proxy.get().getPort());
        return List.of(new Proxy(Proxy.Type.HTTP, server));
    }

    @Override public void connectFailed(URI address, SocketAddress proxy, IOException e) {}

    /** Sends the user and password in the proxy's URL. */
    Authenticator authenticator() {
        return new Authenticator() {
            @Override protected PasswordAuthentication getPasswordAuthentication() {
                if (getRequestorType() != RequestorType.PROXY) return null;
                Optional<URI> proxy = proxy(URI.create("" + getRequestingURL()));
                String[] user = proxy.map(URI::getUserInfo).orElse("").split(":", 2);
                return user.length < 2 ? null : new PasswordAuthentication(user[0], user[1].toCharArray());
            }
        };
    }

    /** The proxy for an address, with its port, if one is used. A {@link Problem} when it is not an HTTP proxy. */
    public Optional<URI> proxy(URI address) {
        String name = address.getScheme().toUpperCase(Locale.ROOT) + "_PROXY", value = variable(name);
        if (value.isEmpty() || direct(address)) return Optional.empty();
        return Optional.of(http(name, value, "export %s=http://HOST:PORT".formatted(name)));
    }

    /**
     * Parses the URL of an HTTP proxy; the default port is 80. The JDK's client supports no others:
     * https://bugs.openjdk.org/browse/JDK-8214516
     *
     * @param source where the URL comes from: the message must not show a password
     */
    public static URI http(String source, String value, String hint) {
        try {
            URI proxy = new URI(value.contains("://") ? value : "http://" + value);
            if (!"http".equalsIgnoreCase(proxy.getScheme()))
                throw Problem.usage(source + " names a proxy over %s; only HTTP proxies are supported".formatted(
                        proxy.getScheme()), hint);
            int port = proxy.getPort() < 0 ? 80 : proxy.getPort();
            if (proxy.getHost() != null && port < 1 << 16)
                return new URI("http", proxy.getUserInfo(), proxy.getHost(), port, null, null, null);
        } catch (URISyntaxException e) {
            // reported below
        }
        throw Problem.usage(source + " is not the URL of a proxy", hint);
    }

    /** Whether the address is reached without a proxy. */
    private boolean direct(URI address) {
        String host = Objects.requireNonNullElse(address.getHost(), "").toLowerCase(Locale.ROOT);
        int standard = "http".equals(address.getScheme()) ? 80 : 443;
        return isLoopback(host) || listed(host, address.getPort() >= 0 ? address.getPort() : standard);
    }

    /** Whether NO_PROXY lists the host: by name, domain, address or subnet, with or without this port, or by *. */
    public boolean listed(String host, int port) {
        return Arrays.stream(variable("NO_PROXY").toLowerCase(Locale.ROOT).split("[\\s,]+"))
                .anyMatch(entry -> matches(entry, host, port));
    }

    private static boolean matches(String entry, String host, int port) {
        if (entry.equals("*")) return true;
        if (entry.contains("/")) return inSubnet(host, entry);
        Matcher withPort = Pattern.compile("(\\[.*]|[^:]*):(\\d+)").matcher(entry);
        if (withPort.matches() && !withPort.group(2).equals("" + port)) return false;
        String name = withPort.matches() ? withPort.group(1) : entry;
        if (literal(name).isPresent()) return literal(name).equals(literal(host));
        String domain = name.replaceFirst("^\\*?\\.", "");
        return !domain.isEmpty() && ("." + host).endsWith("." + domain);
    }

    private static boolean inSubnet(String host, String subnet) {
        String[] parts = subnet.split("/", 2);
        Optional<InetAddress> network = literal(parts[0]), address = literal(host);
        if (network.isEmpty() || address.isEmpty() || !parts[1].matches("\\d{1,3}")) return false;
        byte[] a = network.get().getAddress(), b = address.get().getAddress();
        int rest = b.length * 8 - Integer.parseInt(parts[1]);
        return a.length == b.length && rest >= 0
                && new BigInteger(1, a).shiftRight(rest).equals(new BigInteger(1, b).shiftRight(rest));
    }

    /** An IP address in any notation that the system's resolver accepts, such as 127.1; empty for a host name. */
    public static Optional<InetAddress> literal(String host) {
        String plain = host.replaceAll("^\\[|]$", "");
        try {
            return Optional.of(plain.contains(":") ? InetAddress.ofLiteral(plain) : Inet4Address.ofPosixLiteral(plain));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    public static boolean isLoopback(String host) {
        return host.equalsIgnoreCase("localhost") || literal(host).filter(InetAddress::isLoopbackAddress).isPresent();
    }
}
