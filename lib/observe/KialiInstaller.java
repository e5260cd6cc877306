package lib.observe;

import module java.base;
import lib.ca.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Secret;

/** Installs Kiali in the first cluster, with access to the others. */
record KialiInstaller(Manifests manifests) {
    static final String FILE = "observability/kiali.yaml";
    private static final String KUBECONFIG = "observability/kubeconfig.yaml", SIGNING_KEY = "signing-key";

    Action install(Kube first, List<Kube> others, Function<Kube, ClusterAccess> access) {
        return new Action(toShell(first, others), progress -> {
            List<HasMetadata> secrets = secrets(others.stream().map(access).toList(), signingKey(first));
            new Workload(first, resources(first)).install(secrets, progress);
        });
    }

    /** @param signingKey signs the tokens of its sessions; in Base64 */
    List<HasMetadata> secrets(List<ClusterAccess> others, String signingKey) {
        Map<String, String> kubeconfigs = new TreeMap<>();
        for (ClusterAccess access : others) kubeconfigs.put(access.cluster().id(),
                Certificates.encode(manifests.filled(KUBECONFIG, access.placeholders())));
        return List.of(Workload.secret(Kiali.CLUSTERS, kubeconfigs),
                Workload.secret(Kiali.NAME, Map.of(SIGNING_KEY, signingKey)));
    }

    /** The existing key, if there is one. */
    private static String signingKey(Kube kube) {
        Secret existing = kube.client().secrets().inNamespace(Mesh.NAMESPACE).withName(Kiali.NAME).get();
        if (existing != null && existing.getData() != null && existing.getData().containsKey(SIGNING_KEY))
            return existing.getData().get(SIGNING_KEY);
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        return Certificates.encode(HexFormat.of().formatHex(random));
    }

    private List<GenericKubernetesResource> resources(Kube first) {
        List<GenericKubernetesResource> resources =
                YamlDocuments.parse(manifests.filled(FILE, first.cluster().placeholders()));
        // kind maps the NodePort to a loopback port; elsewhere it could be in use, or open to others
        if (!first.cluster().isKind()) for (var service : resources) if (service.getKind().equals("Service")) {
            service.<Map<String, Object>>get("spec").put("type", "ClusterIP");
            Manifests.removeNodePorts(service);
        }
        return resources;
    }

    /** A {@link Problem} when another Service has Kiali's NodePort: without --observe that port is the user's. */
    static void requireFreePort(Kube kube) {
        int port = kube.cluster().freePort();
        for (var service : kube.client().services().inAnyNamespace().list().getItems()) {
            String name = service.getMetadata().getName(), namespace = service.getMetadata().getNamespace();
            boolean uses = service.getSpec().getPorts().stream().anyMatch(p -> Objects.equals(p.getNodePort(), port));
            if (!uses || name.equals(Kiali.NAME) && namespace.equals(Mesh.NAMESPACE)) continue;
            throw Problem.failed("%s: the service %s in %s uses the NodePort %d, which Kiali needs".formatted(
                    kube.cluster(), name, namespace, port), "give the service another nodePort, or run %s"
                    .formatted(kube.commands().kindDemo("--observe=")));
        }
    }

    private String toShell(Kube first, List<Kube> others) {
        StringBuilder secrets = new StringBuilder("kubeconfigs=$(mktemp -d)\n");
        for (Kube kube : others) secrets.append(ClusterAccess.toShell(kube)).append("cat > $kubeconfigs/$id %s\n"
                .formatted(ClusterAccess.expandedByShell(manifests.read(KUBECONFIG))));
        String text = first.cluster().isKind() ? manifests.filled(FILE, first.cluster().placeholders())
                : YamlDocuments.print(resources(first)), yaml = Manifests.toShell(first.kubectl(), text);
        return secrets + """
                %1$s -n %2$s create secret generic %3$s --from-file $kubeconfigs --dry-run=client -o yaml |
                  %1$s apply -f -
                rm -r $kubeconfigs
                %1$s -n %2$s get secret %4$s > /dev/null 2>&1 || od -An -N16 -tx1 /dev/urandom | tr -d ' \\n' |
                  %1$s -n %2$s create secret generic %4$s --from-file %5$s=/dev/stdin
                %6$s
                %1$s -n %2$s rollout status deployment/%4$s --timeout 180s""".formatted(first.kubectl(), Mesh.NAMESPACE,
                Kiali.CLUSTERS, Kiali.NAME, SIGNING_KEY, yaml);
    }
}
