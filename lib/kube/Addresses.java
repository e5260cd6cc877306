package lib.kube;

import module java.base;
import io.fabric8.kubernetes.api.model.Service;

/** The addresses at which services and pods receive requests. */
public final class Addresses {
    private Addresses() {}

    /** The load balancer addresses of a service; some load balancers assign host names instead. */
    public static List<String> of(Service service) {
        var status = service.getStatus();
        if (status == null || status.getLoadBalancer() == null) return List.of();
        return status.getLoadBalancer().getIngress().stream()
                .map(i -> Objects.requireNonNullElse(i.getIp(), Objects.requireNonNullElse(i.getHostname(), "")))
                .filter(address -> !address.isEmpty()).toList();
    }

    /** The first load balancer address of a service, or an empty text. */
    public static String first(Service service) { return of(service).stream().findFirst().orElse(""); }

    /** An address for a URL: IPv6 in brackets. */
    public static String inUrl(String address) { return address.contains(":") ? "[" + address + "]" : address; }
}
