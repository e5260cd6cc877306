package lib.kind;

import module java.base;
import lib.ca.*;
import lib.docker.*;
import lib.fetch.*;
import lib.kube.*;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import java.security.cert.CertificateException;

/** MetalLB: addresses for LoadBalancer services, in L2 mode. https://metallb.io/configuration/ */
public final class MetalLb {
    public static final String NAMESPACE = "metallb-system";

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
        return Stream.of("controller", "speaker").map(part -> "quay.io/metallb/%s:%s".formatted(part, Versions.METALLB)).toList();
    }

    /** A {@link Problem} when upstream's manifest is not to be had, or the one that is here is not the pinned one. */
    public String checkManifest() { return downloads.describe(Versions.METALLB_MANIFEST); }

    /** Applies upstream's manifest and the cluster's range, and waits for the controller. */
    public Action install(Kube kube) {
        Cluster cluster = kube.cluster();
        String kubectl = cluster.kubectl();
        String toShell = """
                %1$s apply -f %2$s
                %1$s -n %3$s rollout status deployment/controller --timeout 300s
                # addresses from the high end of the docker network's IPv4 subnet; KindDemo leaves out those that containers have
                subnet=$(docker network inspect %4$s --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}' | grep -m 1 -F .)
                IFS=./ read -r a b c d bits <<< "$subnet"
                size=$((1 << (32 - bits)))
                block=$((size / 32 < 64 ? size / 32 : 64))
                last=$(((((a << 24) + (b << 16) + (c << 8) + d) / size + 1) * size - 1 - block * %5$d))
                address() { echo "$(($1 >> 24)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"; }
                ADDRESS_RANGE=$(address $((last - block + 1)))-$(address $last)
                # MetalLB's webhook may refuse the pool for some seconds more
                %6$s""".formatted(kubectl, downloads.quotedUrl(Versions.METALLB_MANIFEST), NAMESPACE, Docker.network(), cluster.rangeIndex(),
                Manifests.retriedAsShell(kubectl, manifests.filled("metallb/pool.yaml", Map.of("ADDRESS_RANGE", "$ADDRESS_RANGE")),
                        "$ADDRESS_RANGE"));
        return new Action(toShell, progress -> {
            YamlDocuments documents = YamlDocuments.of(downloads.read(Versions.METALLB_MANIFEST));
            List<GenericKubernetesResource> upstream = documents.others();
            Manifests.patch(upstream, manifests.read("metallb/probes.yaml"));
            List<AddressRange> ranges = AddressRange.of(docker.describeNetwork(), cluster.rangeIndex());
            new Crds(kube).apply("metallb", documents.crds());
            // the pool goes in before the webhook that would refuse it for the controller's first seconds
            Manifests.find(upstream, "Namespace", NAMESPACE).ifPresent(namespace -> kube.apply(List.of(namespace)));
            applyPool(kube, ranges, progress);
            giveCertificate(kube, upstream);
            kube.apply(upstream);
            new Deployments(kube, NAMESPACE).await(upstream, Duration.ofMinutes(3), progress);
        });
    }

    /** The address ranges of all pools that the cluster's MetalLB has; none where there is no MetalLB. */
    public static List<AddressRange> ranges(Kube kube) {
        if (kube.client().apiextensions().v1().customResourceDefinitions().withName("ipaddresspools.metallb.io").get() == null)
            return List.of();
        return kube.client().genericKubernetesResources("metallb.io/v1beta1", "IPAddressPool").inNamespace(NAMESPACE).list().getItems()
                .stream()
                .flatMap(pool -> Objects.requireNonNullElse(pool.<List<String>>get("spec", "addresses"), List.<String>of()).stream()).filter(range -> range.contains("."))
                        .map(AddressRange::parse).toList();
    }

    /**
     * The controller fills the empty secret of the manifest when it starts, and then stands still until the kubelet has
     * brought the certificate into its pod, which can take over a minute: its probes fail and it is killed. A certificate that is
     * there before the pod costs nothing, and is kept while it is valid. Names: internal/k8s/webhook.go of MetalLB.
     */
    private void giveCertificate(Kube kube, List<GenericKubernetesResource> upstream) throws IOException, CertificateException {
        GenericKubernetesResource empty = Manifests.find(upstream, "Secret", "metallb-webhook-cert").orElseThrow();
        var there = kube.client().secrets().inNamespace(NAMESPACE).withName(empty.getMetadata().getName()).get();
        if (there != null && there.getData() != null) upstream.remove(empty);
        else empty.setAdditionalProperty("data", certificate());
    }

    /** One for the webhooks of all clusters, which have the same name everywhere: its RSA key takes seconds to make. */
    private synchronized Map<String, String> certificate() throws IOException, CertificateException {
        if (certificate == null) certificate = Certificates.webhookCertificate("cert", "metallb-webhook-service.%s.svc".formatted(NAMESPACE));
        return certificate;
    }

    private void applyPool(Kube kube, List<AddressRange> ranges, Consumer<String> progress) throws IOException {
        String pool = manifests.filled("metallb/pool.yaml", Map.of("ADDRESS_RANGE",
                ranges.stream().map(AddressRange::toString).collect(Collectors.joining(", "))));
        kube.applyPastWebhook(pool, progress);
    }
}
