package lib.observe;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import lib.sample.*;
import io.fabric8.kubernetes.api.model.HasMetadata;

/**
 * One Prometheus and one Kiali in the first cluster, for all clusters: each reads a cluster through its API server, at
 * the address that remote secrets have.
 */
public final class Observability {
    private static final String ACCESS = "observability/access.yaml";
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Comparator<Cluster> FIRST = Comparator.comparing(Cluster::id);

    private final Manifests manifests;
    private final RemoteSecrets remoteSecrets;
    private final PrometheusInstaller prometheus;
    private final KialiInstaller kiali;
    private final boolean wanted, unwanted;

    /**
     * @param wanted   whether the demo has it
     * @param unwanted whether it is to be removed
     */
    public Observability(Manifests manifests, RemoteSecrets remoteSecrets, boolean wanted, boolean unwanted) {
        this.manifests = manifests;
        this.remoteSecrets = remoteSecrets;
        this.prometheus = new PrometheusInstaller(manifests);
        this.kiali = new KialiInstaller(manifests);
        this.wanted = wanted;
        this.unwanted = unwanted;
    }

    /** The cluster that it runs in: the first one, whatever the order of --contexts. */
    public static Kube home(List<Kube> kubes) {
        return kubes.stream().min(Comparator.comparing(Kube::cluster, FIRST)).orElseThrow();
    }

    /** The images in its manifests; none if the demo does not have it. */
    public Set<String> images() {
        Set<String> images = new TreeSet<>();
        if (wanted) for (String file : List.of(PrometheusInstaller.FILE, KialiInstaller.FILE))
            images.addAll(Manifests.images(manifests.read(file)));
        return images;
    }

    /**
     * Adds the steps that install or remove it. Kiali comes last: started before Prometheus, it has no metrics for half
     * a minute, and it ends at its start if a cluster does not answer.
     *
     * @param namespaces the steps after which each cluster has the namespace istio-system
     */
    public void addSteps(Plan plan, List<Kube> kubes, List<Step> namespaces) {
        Kube home = home(kubes);
        if (unwanted) for (Kube kube : kubes)
            plan.step(kube.cluster().name(), "Kiali and Prometheus removed", remove(kube), namespaces);
        if (!wanted) return;
        List<Step> access = kubes.stream().map(kube ->
                plan.step(kube.cluster().name(), "read access", access(kube, kube == home), namespaces)).toList();
        List<Kube> others = kubes.stream().filter(kube -> kube != home).toList();
        String name = home.cluster().name();
        Step ready = plan.step(name, "Prometheus", prometheus.install(home, kubes, this::accessTo), access);
        plan.step(name, "Kiali", kiali.install(home, others, this::accessTo), ready);
    }

    /**
     * Creates the account that reads a cluster, and waits for its token.
     *
     * @param home whether Prometheus and Kiali will run in it
     */
    private Action access(Kube kube, boolean home) {
        String yaml = manifests.read(ACCESS);
        String toShell = """
                %s
                has_token() { %s -n %s get secret %s -o jsonpath='{.data.token}' | grep -q .; }
                retry has_token""".formatted(Manifests.toShell(kube.kubectl(), yaml), kube.kubectl(), Mesh.NAMESPACE,
                ClusterAccess.ACCOUNT);
        return new Action(toShell, progress -> {
            if (home) requireNoOther(kube);
            kube.apply(yaml);
            kube.await("the token of " + ClusterAccess.ACCOUNT, LIMIT, kube.client().secrets()
                    .inNamespace(Mesh.NAMESPACE).withField("metadata.name", ClusterAccess.ACCOUNT),
                    all -> all.stream().anyMatch(ClusterAccess::hasToken) ? "" : "not created yet", progress);
        });
    }

    /** Refuses to replace a Prometheus or Kiali of the user, or to take a port that another Service uses. */
    private static void requireNoOther(Kube kube) {
        if (kube.cluster().isKind()) KialiInstaller.requireFreePort(kube);
        else for (String name : List.of(Prometheus.NAME, Kiali.NAME)) {
            var other = kube.client().apps().deployments().inNamespace(Mesh.NAMESPACE).withName(name).get();
            if (other != null && !Kube.isManaged(other)) throw Problem.failed("%s: there is another %s in %s"
                    .formatted(kube.cluster(), name, Mesh.NAMESPACE), kube.commands().kindDemo("--observe="));
        }
    }

    private ClusterAccess accessTo(Kube kube) { return ClusterAccess.of(kube, remoteSecrets.apiServer(kube)); }

    /** Removes everything from a cluster that the other steps created. */
    private Action remove(Kube kube) {
        String yaml = String.join("\n---\n", manifests.filled(KialiInstaller.FILE, kube.cluster().placeholders()),
                manifests.read(PrometheusInstaller.FILE), manifests.read(ACCESS));
        String own = "%s -n %s delete --ignore-not-found secret/%s secret/%s secret/%s configmap/%3$s".formatted(
                kube.kubectl(), Mesh.NAMESPACE, Prometheus.CLUSTERS, Kiali.CLUSTERS,
                Kiali.NAME);
        String toShell = "%s delete --ignore-not-found -f - %s\n%s".formatted(kube.kubectl(),
                DemoCommands.hereDocument("EOF", yaml), own);
        return new Action(toShell, _ -> {
            List<HasMetadata> all = new ArrayList<>(YamlDocuments.parse(yaml));
            all.addAll(prometheus.credentials(List.of()));
            all.addAll(kiali.secrets(List.of(), ""));
            all.forEach(kube::removeOwn);
        });
    }

    /**
     * How to open Kiali.
     *
     * @param published the address of a cluster's port on this machine, if it is mapped
     */
    public String howToOpen(Mesh mesh, BiFunction<Cluster, Integer, Optional<String>> published) {
        Cluster home = mesh.clusters().stream().min(FIRST).orElseThrow();
        return "See the requests:\n  " + published.apply(home, home.freePort())
                .map(address -> Kiali.graph(address, SampleApp.TARGET.namespace()))
                .orElseGet(() -> Kiali.dashboard(home));
    }
}
