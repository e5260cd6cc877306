package lib.kube;

import module java.base;
import lib.fetch.*;
import lib.run.*;

/** The URLs of a cluster's API server. */
public record ApiServer(Kube kube) {
    /** The API server's URL for other clusters: the kubeconfig's, unless only this machine can reach that. */
    public String reachableUrl() {
        URI server = URI.create(kube.client().getMasterUrl().toString());
        // the client's URL ends with a slash, which is no part of a host and port
        return onlyFromHere(server.getHost()) ? ownUrl() : server.toString().replaceAll("/$", "");
    }

    /**
     * Whether a host name means this machine, and so something else in a container: a loopback address, the address of
     * all interfaces (https://k3d.io uses it), Docker's names for the host, or a name that resolves to such an address.
     */
    public static boolean onlyFromHere(String host) {
        if (host.matches("(?i).*\\.(docker|containers)\\.internal|host\\.[^.]+\\.internal|(.*\\.)?localhost\\.?"))
            return true;
        try {
            Optional<InetAddress> literal = HttpProxies.literal(host);
            var addresses = literal.isPresent() ? literal.stream() : Arrays.stream(InetAddress.getAllByName(host));
            return addresses.anyMatch(address -> address.isLoopbackAddress() || address.isAnyLocalAddress());
        } catch (UnknownHostException e) {
            return false; // a proxy may resolve it
        }
    }

    /** The API server's URL from the Service kubernetes. Throws a Problem when no other cluster can reach it. */
    public String ownUrl() {
        var endpoints = kube.client().endpoints().inNamespace("default").withName("kubernetes").get();
        var subset = Stream.ofNullable(endpoints).flatMap(e -> e.getSubsets().stream())
                .filter(s -> !s.getAddresses().isEmpty() && !s.getPorts().isEmpty()).findFirst()
                .orElseThrow(() -> Problem.failed(
                        kube.cluster() + ": the Service kubernetes in default has no endpoint",
                        kube.kubectl() + " get endpoints kubernetes -n default"));
        String ip = subset.getAddresses().getFirst().getIp();
        if (onlyFromHere(ip))
            throw Problem.failed("%s: its API server is at %s, which other clusters cannot reach"
                    .formatted(kube.cluster(), ip),
                    "set a reachable address: kubectl config set clusters.NAME.server https://ADDRESS:PORT");
        return "https://%s:%d".formatted(Addresses.inUrl(ip), subset.getPorts().getFirst().getPort());
    }
}
