package lib.istio;

/**
 * How workloads join the mesh: with a proxy in each pod, or with one ztunnel on each node. All clusters of a mesh have
 * the same one. https://istio.io/latest/docs/overview/dataplane-modes/
 */
public enum DataPlane { sidecar, ambient }
