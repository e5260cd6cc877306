package lib.ca;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;

/** Who signs the workloads' certificates: one root for the whole mesh, and in each cluster something that signs under it. */
public interface CertificateAuthority {
    /** Those that there are, as --ca names them. */
    enum Choice {
        local, vault, istioCsr("istio-csr");

        private final String title;

        Choice() { title = name(); }

        Choice(String title) { this.title = title; }

        @Override public String toString() { return title; }
    }

    /** Looks whether it can be had on this machine, and says what it saw; makes nothing. A {@link Problem} when it cannot. */
    String check();

    /** The images that it brings into the clusters. */
    default List<String> images() { return List.of(); }

    /** The images of what it runs beside the clusters. */
    default List<String> hostImages() { return List.of(); }

    /** The files of upstream's that it reads. */
    default List<Release> upstream() { return List.of(); }

    /** Makes the root, or takes the one that an earlier run made. */
    Action root();

    /** What {@link #install} puts into a cluster. */
    default String installs() { return "cacerts"; }

    /** Gives a cluster what its workloads' certificates are signed by, before istiod starts for the first time. */
    Action install(Kube kube);

    /** The address at which proxies request their certificates; empty when istiod signs them. */
    default String address() { return ""; }

    /** The containers that it runs beside the clusters. */
    default List<String> containers() { return List.of(); }

    /** The workloads that it runs in each cluster, by their label {@code app}, and their namespaces. */
    default Map<String, String> workloads() { return Map.of(); }
}
