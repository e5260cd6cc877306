package lib.istio;

/**
 * What the checks look at and send requests to.
 *
 * @param namespace where it is, in every cluster
 * @param service   the service, whose pods carry its name as the label {@code app}, and say their own name in what they answer
 * @param client    the label {@code app} of the pods, and their container, that requests are sent from; they have curl
 * @param path      what is asked for
 */
public record SampleTarget(String namespace, String service, String client, String path) {
    /** The service's name for callers in other namespaces too. */
    public String host() { return service + "." + namespace + ".svc.cluster.local"; }
}
