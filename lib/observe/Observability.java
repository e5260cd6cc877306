package lib.observe;

import module java.base;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;

/**
 * One Prometheus and one Kiali in the first cluster, for all clusters: each reads a cluster through its API server, at
 * the address that remote secrets have.
 */
public final class Observability {
    public static final String PROMETHEUS = "prometheus", KIALI = "kiali";
    /** The ConfigMap with the scrape jobs, and the Secret with the tokens and CA certificates that they use. */
    public static final String JOBS = "prometheus-clusters";
    /** https://kiali.io/docs/configuration/multi-cluster/ */
    public static final String REMOTE_CLUSTERS = "kiali-multi-cluster-secret";
    private static final String ACCESS = "observability/access.yaml", PROMETHEUS_FILE = "observability/prometheus.yaml",
            KIALI_FILE = "observability/kiali.yaml", SCRAPE = "observability/scrape.yaml",
            KUBECONFIG = "observability/kubeconfig.yaml", SIGNING_KEY = "signing-key";
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private final Manifests manifests;
    private final RemoteSecrets remoteSecrets;
    private final boolean wanted, unwanted;

    /**
     * @param wanted   whether the demo has it
     * @param unwanted whether it is to be removed
     */
    public Observability(Manifests manifests, RemoteSecrets remoteSecrets, boolean wanted, boolean unwanted) {
        this.manifests = manifests;
        this.remoteSecrets = remoteSecrets;
        this.wanted = wanted;
        this.unwanted = unwanted;
    }

    /**
     * Adds the steps that install or remove it. Kiali comes last: started before Prometheus, it has no metrics for half
     * a minute.
     *
     * @param namespaces the steps after which each cluster has the namespace istio-system
     */
    public void addSteps(Plan plan, List<Kube> kubes, List<Step> namespaces) {
        String first = kubes.getFirst().cluster().name();
        if (unwanted) for (Kube kube : kubes)
            plan.step(kube.cluster().name(), "observability removed", remove(kube), namespaces);
        if (!wanted) return;
        List<Step> access = kubes.stream().map(kube ->
                plan.step(kube.cluster().name(), "read access", access(kube), namespaces)).toList();
        Step prometheus = plan.step(first, "Prometheus", prometheus(kubes), access);
        plan.step(first, "Kiali", kiali(kubes), prometheus);
    }

    /**
     * How to open Kiali.
     *
     * @param published the address of a cluster's port on this machine, if it is mapped
     */
    public String seeIt(Cluster first, BiFunction<Cluster, Integer, Optional<String>> published) {
        return published.apply(first, first.freePort()).map(address -> "See the requests:\n  "
                + Kiali.graph(address, SampleApp.TARGET.namespace())).orElse("See the requests:\n  istioctl dashboard "
                + "kiali --context " + first.quotedContext());
    }

    /** The images in its manifests; none if the demo does not have it. */
    public Set<String> images() {
        Set<String> images = new TreeSet<>();
        if (!wanted) return images;
        for (String file : List.of(PROMETHEUS_FILE, KIALI_FILE)) images.addAll(Manifests.images(manifests.read(file)));
        return images;
    }

    /** Creates the account that reads a cluster, and waits for its token. */
    private Action access(Kube kube) {
        String yaml = manifests.read(ACCESS);
        String toShell = """
                %s
                has_token() { %s -n %s get secret %s -o jsonpath='{.data.token}' | grep -q .; }
                retry has_token""".formatted(Manifests.toShell(kube.kubectl(), yaml), kube.kubectl(), Mesh.NAMESPACE,
                ClusterAccess.ACCOUNT);
        return new Action(toShell, progress -> {
            kube.apply(yaml);
            kube.await("the token of " + ClusterAccess.ACCOUNT, LIMIT, kube.client().secrets()
                    .inNamespace(Mesh.NAMESPACE).withField("metadata.name", ClusterAccess.ACCOUNT),
                    all -> all.stream().anyMatch(ClusterAccess::hasToken) ? "" : "not created yet", progress);
        });
    }

    /** Installs Prometheus in the first of the clusters, and waits until it is ready. */
    private Action prometheus(List<Kube> all) {
        Kube first = all.getFirst();
        return new Action(prometheusToShell(all), progress -> {
            Map<String, String> jobs = new TreeMap<>(), credentials = new TreeMap<>();
            for (ClusterAccess access : accesses(all)) {
                String id = access.cluster().id();
                jobs.put(id + ".yml", manifests.filled(SCRAPE, access.placeholders()));
                credentials.put(id + ".token", access.token());
                credentials.put(id + ".crt", access.caCertificate());
            }
            first.apply(List.of(new ConfigMapBuilder().withMetadata(metadata(JOBS)).withData(jobs).build(),
                    secret(JOBS, credentials)));
            install(first, YamlDocuments.parse(manifests.read(PROMETHEUS_FILE)), "" + jobs + credentials, progress);
        });
    }

    /**
     * Installs Kiali in the first of the clusters, and waits until it is ready. It ends at its start if a cluster does
     * not answer, so the API servers of all must.
     */
    private Action kiali(List<Kube> all) {
        Kube first = all.getFirst();
        return new Action(kialiToShell(all), progress -> {
            requireFreePort(first);
            Map<String, String> kubeconfigs = new TreeMap<>();
            for (ClusterAccess access : accesses(all.subList(1, all.size()))) kubeconfigs.put(access.cluster().id(),
                    ClusterAccess.encode(manifests.filled(KUBECONFIG, access.placeholders())));
            first.apply(List.of(secret(REMOTE_CLUSTERS, kubeconfigs), signingKey(first)));
            List<GenericKubernetesResource> resources = resources(first);
            install(first, resources, "" + kubeconfigs, progress);
        });
    }

    private List<GenericKubernetesResource> resources(Kube first) {
        List<GenericKubernetesResource> resources =
                YamlDocuments.parse(manifests.filled(KIALI_FILE, first.cluster().placeholders()));
        // only kind maps the NodePort to a port of this machine; elsewhere it could be in use or reachable from outside
        if (!first.cluster().isKind()) for (var service : resources) if (service.getKind().equals("Service")) {
            Map<String, Object> spec = service.get("spec");
            spec.put("type", "ClusterIP");
            service.<List<Map<String, Object>>>get("spec", "ports").forEach(port -> port.remove("nodePort"));
        }
        return resources;
    }

    private List<ClusterAccess> accesses(List<Kube> kubes) {
        return kubes.stream().map(kube -> ClusterAccess.of(kube, remoteSecrets.apiServer(kube))).toList();
    }

    /** Applies resources and waits for their deployment. Other settings restart it: both programs read them at start. */
    private static void install(Kube kube, List<GenericKubernetesResource> resources, String settings,
            Consumer<String> progress) {
        String config = resources.stream().filter(r -> r.getKind().equals("ConfigMap"))
                .map(r -> "" + r.getAdditionalProperties().get("data")).collect(Collectors.joining());
        var annotations = Map.<String, Object>of("metadata",
                Map.of("annotations", Map.of("kind-demo/settings", DnsLabel.hash(config + settings))));
        for (var resource : resources) if (resource.getKind().equals("Deployment"))
            Manifests.merge(resource.getAdditionalProperties(), Map.of("spec", Map.of("template", annotations)));
        kube.apply(resources);
        new Deployments(kube, Mesh.NAMESPACE).await(resources, LIMIT, progress);
    }

    /** The user may have exposed another Service at the port that is for Kiali now. */
    private static void requireFreePort(Kube kube) {
        if (!kube.cluster().isKind()) return;
        int port = kube.cluster().freePort();
        for (var service : kube.client().services().inAnyNamespace().list().getItems()) {
            String name = service.getMetadata().getName(), namespace = service.getMetadata().getNamespace();
            boolean uses = service.getSpec().getPorts().stream().anyMatch(p -> Objects.equals(p.getNodePort(), port));
            if (!uses || name.equals(KIALI) && namespace.equals(Mesh.NAMESPACE)) continue;
            throw Problem.failed("%s: the service %s in %s uses the NodePort %d, which Kiali needs".formatted(
                    kube.cluster(), name, namespace, port), "give the service another nodePort, or run %s"
                    .formatted(kube.commands().kindDemo("--observe=")));
        }
    }

    /** The key that signs Kiali's session tokens; the existing one, if there is one. */
    private static Secret signingKey(Kube kube) {
        Secret existing = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(KIALI).get();
        String kept = existing == null || existing.getData() == null ? null : existing.getData().get(SIGNING_KEY);
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        return secret(KIALI, Map.of(SIGNING_KEY, kept != null ? kept : ClusterAccess.encode(HexFormat.of().formatHex(random))));
    }

    private static Secret secret(String name, Map<String, String> data) {
        return new SecretBuilder().withMetadata(metadata(name)).withType("Opaque").withData(data).build();
    }

    private static ObjectMeta metadata(String name) {
        return new ObjectMetaBuilder().withName(name).withNamespace(Mesh.NAMESPACE).build();
    }

    /** Removes everything from a cluster that the other steps created. */
    private Action remove(Kube kube) {
        List<HasMetadata> all = new ArrayList<>();
        for (String file : List.of(KIALI_FILE, PROMETHEUS_FILE, ACCESS))
            all.addAll(YamlDocuments.parse(manifests.filled(file, kube.cluster().placeholders())));
        all.addAll(List.of(secret(KIALI, Map.of()), secret(REMOTE_CLUSTERS, Map.of()), secret(JOBS, Map.of()),
                new ConfigMapBuilder().withMetadata(metadata(JOBS)).build()));
        String names = all.stream().map(r -> r.getKind().toLowerCase(Locale.ROOT) + "/" + r.getMetadata().getName())
                .collect(Collectors.joining(" "));
        return new Action("%s -n %s delete --ignore-not-found %s".formatted(kube.kubectl(), Mesh.NAMESPACE, names),
                _ -> all.forEach(kube::remove));
    }

    private String prometheusToShell(List<Kube> all) {
        String kubectl = all.getFirst().kubectl();
        StringBuilder text = new StringBuilder("clusters=$(mktemp -d)\n");
        Map<String, String> variables = Map.of("CLUSTER_ID", "$id", "API_SERVER", "$server", "API_SERVER_ADDRESS",
                "${server#https://}");
        for (Kube kube : all) text.append(accessToShell(kube)).append("""
                printf %%s "$token" > $clusters/$id.token
                printf %%s "$ca" | base64 -d > $clusters/$id.crt
                cat > $clusters/$id.yml %s
                """.formatted(expanded(SCRAPE, variables)));
        text.append("""
                %1$s -n %2$s create configmap %3$s --from-file $clusters --dry-run=client -o yaml | %1$s apply -f -
                """.formatted(kubectl, Mesh.NAMESPACE, JOBS).replace("--from-file $clusters",
                all.stream().map(k -> "--from-file $clusters/%s.yml".formatted(k.cluster().id()))
                        .collect(Collectors.joining(" "))));
        String credentials = all.stream().map(k -> "--from-file $clusters/%1$s.token --from-file $clusters/%1$s.crt"
                .formatted(k.cluster().id())).collect(Collectors.joining(" "));
        return text + """
                %1$s -n %2$s create secret generic %3$s %4$s --dry-run=client -o yaml | %1$s apply -f -
                %5$s
                %1$s -n %2$s rollout status deployment/%6$s --timeout 180s""".formatted(kubectl, Mesh.NAMESPACE, JOBS,
                credentials, Manifests.toShell(kubectl, manifests.read(PROMETHEUS_FILE)), PROMETHEUS);
    }

    private String kialiToShell(List<Kube> all) {
        Kube first = all.getFirst();
        String kubectl = first.kubectl();
        StringBuilder text = new StringBuilder("kubeconfigs=$(mktemp -d)\n");
        Map<String, String> variables = Map.of("CLUSTER_ID", "$id", "API_SERVER", "$server", "CA_CERTIFICATE", "$ca",
                "TOKEN", "$token");
        for (Kube kube : all.subList(1, all.size())) text.append(accessToShell(kube))
                .append("cat > $kubeconfigs/$id %s\n".formatted(expanded(KUBECONFIG, variables)));
        String yaml = YamlDocuments.print(resources(first));
        return text + """
                %1$s -n %2$s create secret generic %3$s --from-file $kubeconfigs --dry-run=client -o yaml | %1$s apply -f -
                %1$s -n %2$s get secret %4$s > /dev/null 2>&1 || od -An -N16 -tx1 /dev/urandom | tr -d ' \\n' |
                  %1$s -n %2$s create secret generic %4$s --from-file %5$s=/dev/stdin
                %6$s
                %1$s -n %2$s rollout status deployment/%4$s --timeout 180s""".formatted(kubectl, Mesh.NAMESPACE,
                REMOTE_CLUSTERS, KIALI, SIGNING_KEY, Manifests.toShell(kubectl, yaml));
    }

    /** Shell commands that set the variables id, server, token and ca of a cluster. */
    private static String accessToShell(Kube kube) {
        String secret = "%s -n %s get secret %s -o jsonpath=".formatted(kube.kubectl(), Mesh.NAMESPACE,
                ClusterAccess.ACCOUNT);
        return """
                id=%s
                %s
                token=$(%3$s'{.data.token}' | base64 -d)
                ca=$(%3$s'{.data.ca\\.crt}')
                """.formatted(kube.cluster().id(), RemoteSecrets.apiServerAsShell(kube.cluster()), secret);
    }

    /** A manifest as a here document in which the shell expands variables. */
    private String expanded(String file, Map<String, String> variables) {
        // Prometheus' own references, such as $1, are not for the shell
        String escaped = manifests.read(file).replaceAll("\\$(?!\\{[A-Z_]+})", "\\\\\\$");
        String text = escaped;
        for (var variable : variables.entrySet())
            text = text.replace("${%s}".formatted(variable.getKey()), variable.getValue());
        return "<<EOF\n%s\nEOF".formatted(text.stripTrailing());
    }
}
