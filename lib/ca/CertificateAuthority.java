package lib.ca;

import module java.base;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;

/** Signs the workload certificates: one root for the whole mesh, and an intermediate CA for each cluster. */
public interface CertificateAuthority {
    /** The values of --ca. */
    enum Choice {
        local, vault, istioCsr;

        @Override public String toString() { return this == istioCsr ? "istio-csr" : name(); }
    }

    /** Reports what it will use, and changes nothing; a {@link Problem} when this machine lacks a prerequisite. */
    String check();

    /** The images that it runs in the clusters. */
    default List<String> images() { return List.of(); }

    /** The images of the containers that it runs beside the clusters. */
    default List<String> hostImages() { return List.of(); }

    /** The files that it downloads. */
    default List<Release> upstream() { return List.of(); }

    /** Creates the root, or reuses the root of an earlier run. */
    Action root();

    /** The title of the step {@link #install}. */
    default String installTitle() { return "cacerts"; }

    /** Installs the CA of a cluster, before istiod starts for the first time. */
    Action install(Kube kube);

    /** The address at which proxies request their certificates; empty when istiod signs them. */
    default String address() { return ""; }

    /** The names of the containers that it runs beside the clusters. */
    default List<String> containers() { return List.of(); }

    /** The workloads that it runs in each cluster: their label {@code app}, and their namespace. */
    default Map<String, String> workloads() { return Map.of(); }
}
