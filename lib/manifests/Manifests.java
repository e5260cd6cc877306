package lib.manifests;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;

/**
 * The files of manifests/, with placeholders such as ${NETWORK}, which envsubst could fill too. They come with the
 * scripts, or from a folder of the user.
 */
public final class Manifests {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Z_]+)}");
    private static final long LARGEST = 1 << 20;
    private static final String KIND = "kind/cluster.yaml";
    private static final String COMPARE = "compare it with the one that came with the scripts";
    /** The file for Docker Compose that starts Vault. */
    public static final String VAULT = "vault/compose.yaml";
    /** The paths of all manifests; a unit test compares the list with the folder. */
    public static final List<String> ALL = List.of(KIND, "metallb/pool.yaml", "metallb/probes.yaml",
            "istio/namespace.yaml", "istio/istio.yaml", "istio/cross-network-gateway.yaml", "ambient/istio.yaml",
            "ambient/gateways.yaml", "ambient/namespace.yaml", "ambient/ingress.yaml", "ambient/locality.yaml",
            "ambient/waypoint.yaml", "ambient/use-waypoint.yaml", "ambient/waypoint-locality.yaml",
            "apps/namespace.yaml",
            "apps/strict.yaml", "apps/helloworld.yaml", "apps/sleep.yaml", "apps/ingress.yaml", "apps/locality.yaml",
            "experiments/broken-app.yaml", "experiments/quick-ejection.yaml", "experiments/egress.yaml",
            "experiments/registry-only.yaml", VAULT, "cert-manager/probes.yaml", "istio-csr/vault.yaml",
            "istio-csr/istiod.yaml", "istio-csr/istio-csr.yaml", "observability/access.yaml",
            "observability/prometheus.yaml", "observability/scrape.yaml", "observability/kiali.yaml",
            "observability/kubeconfig.yaml", "observability/traffic.yaml");
    /** Those that are not Kubernetes resources. */
    public static final Set<String> OTHERS = Set.of(VAULT, "observability/scrape.yaml",
            "observability/kubeconfig.yaml");

    private final Path folder;

    /** @param folder the user's copy of manifests/, or null for those that came with the scripts */
    public Manifests(Path folder) { this.folder = folder; }

    /** Whether they are the user's copy. */
    public boolean areCustom() { return folder != null; }

    /** Checks the user's copy. Throws a Problem that names a file which is missing or invalid. */
    public void check() {
        if (folder == null) return;
        for (String path : ALL) {
            String filled = PLACEHOLDER.matcher(read(path)).replaceAll("0");
            List<GenericKubernetesResource> resources;
            try {
                resources = path.equals(KIND) ? Stream.ofNullable(YamlDocuments.parseOne(filled)).toList()
                        : YamlDocuments.parse(filled);
            } catch (RuntimeException e) {
                throw Problem.usage("the manifest %s in %s is invalid YAML, or no Kubernetes resource: %s"
                        .formatted(path, folder, Problem.rootCause(e).getMessage()), COMPARE);
            }
            if (OTHERS.contains(path)) continue;
            String defect = resources.isEmpty() ? "no document" : resources.stream().map(r -> defect(path, r))
                    .filter(d -> !d.isEmpty()).findFirst().orElse("");
            if (!defect.isEmpty())
                throw Problem.usage("the manifest %s in %s has %s".formatted(path, folder, defect), COMPARE);
        }
    }

    /** What makes a document unusable, or an empty text. */
    private static String defect(String path, GenericKubernetesResource resource) {
        if (isBlank(resource.getKind()) || isBlank(resource.getApiVersion()))
            return "a document without a kind or an apiVersion";
        if (path.equals(KIND)) {
            boolean hasNodes = resource.getAdditionalProperties().get("nodes") instanceof List<?> nodes
                    && !nodes.isEmpty() && nodes.stream().allMatch(Map.class::isInstance);
            return hasNodes ? "" : "no list of nodes";
        }
        boolean named = resource.getMetadata() != null && !isBlank(resource.getMetadata().getName());
        return named ? "" : "a %s without a metadata.name".formatted(resource.getKind());
    }

    private static boolean isBlank(String text) { return text == null || text.isBlank(); }

    /**
     * Writes every manifest that came with the scripts into a folder.
     *
     * @param force whether to replace files that differ, each of which is kept as NAME.bak, NAME.bak2, …
     * @throws Problem when files differ without {@code force}, or the folder cannot be written
     */
    public static void export(Path target, boolean force) {
        Manifests own = new Manifests(null);
        try {
            List<String> changed = new ArrayList<>();
            for (String path : ALL) {
                Path file = target.resolve(path);
                if (Files.exists(file) && !Files.readString(file).equals(own.read(path))) changed.add(path);
            }
            if (!changed.isEmpty() && !force)
                throw Problem.usage("in %s these files differ: %s".formatted(target, String.join(", ", changed)),
                        "choose another folder, or replace them with --force, which keeps each as NAME.bak");
            for (String path : ALL) {
                Path file = target.resolve(path);
                Files.createDirectories(file.getParent());
                if (changed.contains(path)) Files.copy(file, backup(file));
                AppDirs.overwrite(file, own.read(path).getBytes(StandardCharsets.UTF_8), "rw-rw-rw-");
            }
        } catch (IOException e) {
            throw Problem.usage("cannot write the manifests: %s: %s".formatted(e.getClass().getSimpleName(),
                    e.getMessage()), "choose another folder");
        }
    }

    /** An unused name beside a file. */
    private static Path backup(Path file) {
        Path free = file.resolveSibling(file.getFileName() + ".bak");
        for (int i = 2; Files.exists(free, LinkOption.NOFOLLOW_LINKS); i++)
            free = file.resolveSibling(file.getFileName() + ".bak" + i);
        return free;
    }

    /** The file with its placeholders. */
    public String read(String path) {
        if (folder != null) return readCustom(path);
        try (InputStream in = Manifests.class.getResourceAsStream("/manifests/" + path)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String readCustom(String path) {
        try {
            Path file = folder.resolve(path);
            if (Files.size(file) > LARGEST)
                throw Problem.usage("the manifest %s is larger than %d MB".formatted(file, LARGEST >> 20), COMPARE);
            return Files.readString(file);
        } catch (IOException e) {
            throw Problem.usage("the manifest %s is not in %s, or cannot be read".formatted(path, folder),
                    "copy manifests/ completely, edit the copy, and name its folder with --manifests");
        }
    }

    /** The file with its placeholders filled. Values are names, numbers and addresses, never YAML. */
    public String filled(String path, Map<String, String> values) {
        return PLACEHOLDER.matcher(read(path)).replaceAll(found -> {
            String value = values.get(found.group(1));
            if (value == null)
                throw Problem.usage("%s has the unknown placeholder ${%s}".formatted(path, found.group(1)),
                        "this file can use " + String.join(", ", new TreeSet<>(values.keySet())));
            return Matcher.quoteReplacement(value);
        });
    }

    /** The images in a YAML text, except "auto", which Istio's injector replaces. */
    public static Set<String> images(String yaml) {
        return Pattern.compile("(?m)^[\\s{-]*image:\\s*[\"']?([^\\s\"',}]+)").matcher(yaml).results()
                .map(found -> found.group(1)).filter(image -> !image.equals("auto"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** Merges each document of a patch, with its labels, into the resource of its kind and name, if there is one. */
    public static void patch(List<GenericKubernetesResource> resources, String patches) {
        for (GenericKubernetesResource patch : YamlDocuments.parse(patches))
            find(resources, patch.getKind(), patch.getMetadata().getName()).ifPresent(r -> {
                merge(r.getAdditionalProperties(), patch.getAdditionalProperties());
                Map<String, String> labels = new TreeMap<>();
                for (ObjectMeta meta : List.of(r.getMetadata(), patch.getMetadata()))
                    labels.putAll(Objects.requireNonNullElse(meta.getLabels(), Map.of()));
                if (!labels.isEmpty()) r.getMetadata().setLabels(labels);
            });
    }

    /** Whether a resource is a Service that asks for certain NodePorts. */
    public static boolean namesNodePorts(HasMetadata resource) {
        return resource.getKind().equals("Service") && resource instanceof GenericKubernetesResource service
                && service.get("spec", "ports") instanceof List<?> ports
                && ports.stream().anyMatch(port -> port instanceof Map<?, ?> map && map.containsKey("nodePort"));
    }

    /** Lets the cluster choose the NodePorts of a Service. */
    public static void removeNodePorts(GenericKubernetesResource service) {
        service.<List<Map<String, Object>>>get("spec", "ports").forEach(port -> port.remove("nodePort"));
    }

    /** Annotates the pods of the deployments among the resources, so that they restart when the text changes. */
    public static void annotatePods(List<GenericKubernetesResource> resources, String settings) {
        Map<String, Object> pods = Map.of("metadata", Map.of("annotations", Map.of("kind-demo/settings", settings)));
        for (var resource : resources) if (resource.getKind().equals("Deployment"))
            merge(resource.getAdditionalProperties(), Map.of("spec", Map.of("template", pods)));
    }

    public static Optional<GenericKubernetesResource> find(List<GenericKubernetesResource> resources, String kind,
            String name) {
        return resources.stream().filter(r -> r.getKind().equals(kind) && r.getMetadata().getName().equals(name))
                .findFirst();
    }

    /** Merges a patch like a strategic merge: maps by key, and lists of named items by name; new items are added. */
    public @SuppressWarnings("unchecked") static void merge(Map<String, Object> target, Map<String, Object> patch) {
        patch.forEach((key, value) -> {
            Object old = target.get(key);
            if (old instanceof Map && value instanceof Map) {
                merge((Map<String, Object>) old, (Map<String, Object>) value);
            } else if (isNamedList(old) && isNamedList(value)) {
                var items = (List<Map<String, Object>>) old;
                for (var item : (List<Map<String, Object>>) value) items.stream()
                        .filter(o -> item.get("name").equals(o.get("name"))).findFirst()
                        .ifPresentOrElse(o -> merge(o, item), () -> items.add(item));
            } else {
                target.put(key, value);
            }
        });
    }

    private static boolean isNamedList(Object value) {
        return value instanceof List<?> items
                && items.stream().allMatch(item -> item instanceof Map<?, ?> map && map.get("name") != null);
    }

    /** The shell command that applies YAML to a cluster. */
    public static String toShell(String kubectl, String yaml) {
        return kubectl + " apply -f - " + DemoCommands.hereDocument("EOF", yaml);
    }

    /** The same with one variable that the shell expands, repeated while a webhook that has just started rejects it. */
    public static String retriedAsShell(String kubectl, String yaml, String variable) {
        String escaped = yaml.replaceAll("[\\\\$`]", "\\\\$0").replace("\\" + variable, variable);
        return "retry " + toShell(kubectl, escaped).replaceFirst("<<'(\\w+)'", "<<$1");
    }
}
