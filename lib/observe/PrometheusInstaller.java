package lib.observe;

import module java.base;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;

/** Installs Prometheus in the first cluster, with a scrape job for each cluster. */
record PrometheusInstaller(Manifests manifests) {
    static final String FILE = "observability/prometheus.yaml";
    private static final String SCRAPE = "observability/scrape.yaml";

    Action install(Kube first, List<Kube> all, Function<Kube, ClusterAccess> access) {
        return new Action(toShell(first, all), progress -> {
            List<HasMetadata> credentials = credentials(all.stream().map(access).toList());
            new Workload(first, YamlDocuments.parse(manifests.read(FILE))).install(credentials, progress);
        });
    }

    /** The scrape jobs of clusters, and what they authenticate with. */
    List<HasMetadata> credentials(List<ClusterAccess> clusters) {
        Map<String, String> jobs = new TreeMap<>(), credentials = new TreeMap<>();
        for (ClusterAccess access : clusters) {
            String id = access.cluster().id();
            jobs.put(id + ".yml", manifests.filled(SCRAPE, access.placeholders()));
            credentials.put(id + ".token", access.token());
            credentials.put(id + ".crt", access.caCertificate());
        }
        var config = new ConfigMapBuilder().withMetadata(Workload.metadata(Prometheus.CLUSTERS)).withData(jobs).build();
        return List.of(config, Workload.secret(Prometheus.CLUSTERS, credentials));
    }

    private String toShell(Kube first, List<Kube> all) {
        StringBuilder text = new StringBuilder("clusters=$(mktemp -d)\n"), jobs = new StringBuilder(),
                credentials = new StringBuilder();
        for (Kube kube : all) {
            text.append(ClusterAccess.toShell(kube)).append("""
                    printf %%s "$token" > $clusters/$id.token
                    printf %%s "$ca" | base64 -d > $clusters/$id.crt
                    cat > $clusters/$id.yml %s
                    """.formatted(ClusterAccess.expandedByShell(manifests.read(SCRAPE))));
            String file = " --from-file $clusters/" + kube.cluster().id();
            jobs.append(file).append(".yml");
            credentials.append(file).append(".token").append(file).append(".crt");
        }
        String yaml = Manifests.toShell(first.kubectl(), manifests.read(FILE));
        return text + """
                %1$s -n %2$s create configmap %3$s%4$s --dry-run=client -o yaml | %1$s apply -f -
                %1$s -n %2$s create secret generic %3$s%5$s --dry-run=client -o yaml | %1$s apply -f -
                rm -r $clusters
                %6$s
                %1$s -n %2$s rollout status deployment/%7$s --timeout 180s""".formatted(first.kubectl(), Mesh.NAMESPACE,
                Prometheus.CLUSTERS, jobs, credentials, yaml, Prometheus.NAME);
    }
}
