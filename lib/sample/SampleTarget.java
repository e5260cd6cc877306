package lib.sample;

/**
 * The service that the checks examine, and the client that sends requests to it.
 *
 * @param namespace the namespace of both, in every cluster
 * @param service   the service; its pods have this name as label {@code app}, and answer with their own name
 * @param client    the label {@code app} of the client's pods, and the name of their container, which has curl
 * @param path      the path to request
 */
public record SampleTarget(String namespace, String service, String client, String path) {
    /** The service's full host name. */
    public String host() { return service + "." + namespace + ".svc.cluster.local"; }
}
