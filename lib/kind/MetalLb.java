package lib.kind;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.manifests.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/** MetalLB: addresses for LoadBalancer services, in L2 mode. https://metallb.io/configuration/ */
public final class MetalLb {
    public static final String NAMESPACE = "metallb-system";
    private static final String POOL = "metallb/pool.yaml", RANGE = "ADDRESS_RANGE";

    private final Downloads downloads;
    private final Manifests manifests;
    private final Docker docker;
    private Map<String, String> certificate;

    public MetalLb(Downloads downloads, Manifests manifests, Docker docker) {
        this.downloads = downloads;
        this.manifests = manifests;
        this.docker = docker;
    }

    public static List<String> images() {
        return Stream.of("controller", "speaker")
                .map(part -> "quay.io/metallb/%s:%s".formatted(part, Versions.METALLB)).toList();
    }

    /** Reports where upstream's manifest comes from; a {@link Problem} when it is not available or was changed. */
    public String checkManifest() { return downloads.describe(Versions.METALLB_MANIFEST); }

    /** Applies upstream's manifest and the cluster's address range, and waits for the controller. */
    public Action install(Kube kube) {
        return new Action(toShell(kube.cluster()), progress -> {
            YamlDocuments documents = YamlDocuments.of(downloads.read(Versions.METALLB_MANIFEST));
            List<GenericKubernetesResource> upstream = documents.others();
            Manifests.patch(upstream, manifests.read("metallb/probes.yaml"));
            String ranges = AddressRange.of(docker.describeNetwork(), kube.cluster().rangeIndex()).stream()
                    .map(AddressRange::toString).collect(Collectors.joining(", "));
            new Crds(kube).apply("metallb", documents.crds());
            // the pool goes before the webhook, which would refuse it in the controller's first seconds
            Manifests.find(upstream, "Namespace", NAMESPACE).ifPresent(namespace -> kube.apply(List.of(namespace)));
            kube.applyPastWebhook(manifests.filled(POOL, Map.of(RANGE, ranges)), progress);
            addCertificate(kube, upstream);
            kube.apply(upstream);
            new Deployments(kube, NAMESPACE).await(upstream, Duration.ofMinutes(3), progress);
        });
    }

    private String toShell(Cluster cluster) {
        String kubectl = cluster.kubectl(), pool = manifests.filled(POOL, Map.of(RANGE, "$ADDRESS_RANGE"));
        return """
                %1$s apply -f %2$s
                %1$s -n %3$s rollout status deployment/controller --timeout 300s
                # addresses from the high end of the docker network's IPv4 subnet; KindDemo omits those of containers
                subnet=$(docker network inspect %4$s --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}' \\
                  | awk '/[.]/ && !found++')
                IFS=./ read -r a b c d bits <<< "$subnet"
                size=$((1 << (32 - bits)))
                block=$((size / 32 < 64 ? size / 32 : 64))
                last=$(((((a << 24) + (b << 16) + (c << 8) + d) / size + 1) * size - 1 - block * %5$d))
                address() { echo "$(($1 >> 24)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"; }
                ADDRESS_RANGE=$(address $((last - block + 1)))-$(address $last)
                # MetalLB's webhook may refuse the pool for a few more seconds
                %6$s""".formatted(kubectl, downloads.quotedUrl(Versions.METALLB_MANIFEST), NAMESPACE, Docker.network(),
                cluster.rangeIndex(), Manifests.retriedAsShell(kubectl, pool, "$ADDRESS_RANGE"));
    }

    /** The IPv4 ranges of all address pools in the cluster; none without MetalLB. */
    public static List<AddressRange> ranges(Kube kube) {
        var crds = kube.client().apiextensions().v1().customResourceDefinitions();
        if (crds.withName("ipaddresspools.metallb.io").get() == null) return List.of();
        List<AddressRange> ranges = new ArrayList<>();
        for (var pool : kube.client().genericKubernetesResources("metallb.io/v1beta1", "IPAddressPool")
                .inNamespace(NAMESPACE).list().getItems()) {
            List<String> addresses = pool.get("spec", "addresses");
            if (addresses == null) continue;
            addresses.stream().filter(range -> range.contains(".")).map(AddressRange::parse).forEach(ranges::add);
        }
        return ranges;
    }

    /**
     * Fills the empty secret of the manifest with a certificate for the webhook, unless the cluster has one. Otherwise
     * the controller creates it at its start and then waits until the kubelet has mounted it, which can take over a
     * minute: its probes fail and it is killed. The names are those in internal/k8s/webhook.go of MetalLB.
     */
    private void addCertificate(Kube kube, List<GenericKubernetesResource> upstream) throws IOException {
        GenericKubernetesResource empty = Manifests.find(upstream, "Secret", "metallb-webhook-cert").orElseThrow();
        var existing = kube.client().secrets().inNamespace(NAMESPACE).withName(empty.getMetadata().getName()).get();
        if (existing != null && existing.getData() != null) upstream.remove(empty);
        else empty.setAdditionalProperty("data", certificate());
    }

    /** One certificate for all clusters, whose webhooks have the same name: its RSA key takes seconds to create. */
    private synchronized Map<String, String> certificate() throws IOException {
        String service = "metallb-webhook-service.%s.svc".formatted(NAMESPACE);
        if (certificate == null) certificate = Certificates.webhookCertificate("cert", service);
        return certificate;
    }
}
