package lib;

import module java.base;
import java.net.Proxy;

/**
 * The proxies that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, in capitals or not, as curl and Go read them: the JDK itself knows only
 * its system properties, which count where no variable is set. This machine is never reached through one.
 */
final class Proxies extends ProxySelector {
    private final Map<String, String> environment;

    /** @param environment the variables to read */
    Proxies(Map<String, String> environment) { this.environment = environment; }

    /** What one of the variables says; empty when it is not set. */
    String variable(String name) {
        return Stream.of(name, name.toLowerCase(Locale.ROOT)).map(environment::get).filter(v -> v != null && !v.isBlank())
                .findFirst().orElse("");
    }

    @Override public List<Proxy> select(URI address) {
        if (direct(address)) return List.of(Proxy.NO_PROXY);
        Optional<URI> proxy = proxy(address.getScheme());
        if (proxy.isEmpty()) return ProxySelector.getDefault().select(address);
        int port = proxy.get().getPort();
        return List.of(new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(proxy.get().getHost(), port < 0 ? 80 : port)));
    }

    /** Name and password, where the proxy's URL has them. */
    Authenticator authenticator() {
        return new Authenticator() {
            @Override protected PasswordAuthentication getPasswordAuthentication() {
                if (getRequestorType() != RequestorType.PROXY) return null;
                return proxy(getRequestingURL().getProtocol()).map(URI::getUserInfo).filter(i -> i.contains(":")).map(i -> i.split(":", 2))
                        .map(i -> new PasswordAuthentication(i[0], i[1].toCharArray())).orElse(null);
            }
        };
    }

    private Optional<URI> proxy(String scheme) {
        String name = scheme.toUpperCase(Locale.ROOT) + "_PROXY", value = variable(name);
        if (value.isEmpty()) return Optional.empty();
        try {
            URI proxy = new URI(value.contains("://") ? value : "http://" + value);
            if (proxy.getScheme().equals("http") && proxy.getHost() != null && proxy.getPort() < 1 << 16) return Optional.of(proxy);
        } catch (URISyntaxException e) {
            // told below
        }
        throw Problem.usage(name + " names no HTTP proxy", "export %s=http://HOST:PORT".formatted(name));
    }

    /** Whether NO_PROXY has the host: by its name, as a part of a domain, or all hosts. */
    private boolean direct(URI address) {
        String host = address.getHost();
        if (isLoopback(host)) return true;
        return Arrays.stream(variable("NO_PROXY").split("[\\s,]+"))
                .map(name -> name.replaceFirst("^\\*?\\.", "").replaceFirst(":\\d+$", ""))
                .anyMatch(name -> name.equals("*") || !name.isEmpty() && ("." + host).endsWith("." + name));
    }

    static boolean isLoopback(String host) { return host.matches("127\\..*|localhost|\\[?::1]?"); }

    @Override public void connectFailed(URI address, SocketAddress proxy, IOException e) {}
}
