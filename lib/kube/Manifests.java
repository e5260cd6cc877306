package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * The YAML of manifests/: plain files, with placeholders such as ${NETWORK} that envsubst would fill too.
 * They are read from the caller's folder, or from the scripts' own.
 */
public final class Manifests {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Z_]+)}");
    private static final long LARGEST = 1 << 20;
    private static final String KIND = "kind/cluster.yaml";
    /** What Docker Compose reads to start Vault. */
    public static final String VAULT = "vault/compose.yaml";
    /** All manifests that exist, by their path; kept true by a unit test. */
    public static final List<String> ALL = List.of(KIND, "metallb/pool.yaml", "metallb/probes.yaml",
            "istio/namespace.yaml", "istio/istio.yaml", "istio/cross-network-gateway.yaml",
            "apps/namespace.yaml", "apps/strict.yaml", "apps/helloworld.yaml", "apps/sleep.yaml", "apps/ingress.yaml", "apps/locality.yaml",
            "experiments/broken-app.yaml", "experiments/quick-ejection.yaml", "experiments/egress.yaml", "experiments/registry-only.yaml",
            VAULT, "cert-manager/probes.yaml", "istio-csr/vault.yaml", "istio-csr/istiod.yaml", "istio-csr/istio-csr.yaml");

    private final Path folder;

    /** @param folder the caller's own copies, or null for those that came with the scripts */
    public Manifests(Path folder) { this.folder = folder; }

    /** Whether they are the user's own copy. */
    public boolean areCustom() { return folder != null; }

    /** A {@link Problem} that names the file when the caller's folder lacks one that the demo needs, or one cannot be meant. */
    public void check() {
        if (folder == null) return;
        for (String path : ALL) {
            String whole = PLACEHOLDER.matcher(read(path)).replaceAll("0"), hint = "compare it with the one that came with the scripts";
            List<GenericKubernetesResource> resources;
            try {
                resources = path.equals(KIND) ? Stream.ofNullable(YamlDocuments.parseOne(whole)).toList() : YamlDocuments.parse(whole);
            } catch (RuntimeException e) {
                throw Problem.usage("the manifest %s in %s is invalid YAML, or no Kubernetes resource: %s".formatted(path, folder,
                        Problem.rootCause(e).getMessage()), hint);
            }
            String lacks = path.equals(VAULT) ? "" : resources.stream().map(r -> lacks(path, r)).filter(l -> !l.isEmpty())
                    .findFirst().orElse(resources.isEmpty() ? "no document" : "");
            if (!lacks.isEmpty()) throw Problem.usage("the manifest %s in %s has %s".formatted(path, folder, lacks), hint);
        }
    }

    /** What a document must have before anything is made from it, and has not; empty when it has all. */
    private static String lacks(String path, GenericKubernetesResource resource) {
        if (isBlank(resource.getKind()) || isBlank(resource.getApiVersion())) return "a document without a kind or an apiVersion";
        if (path.equals(KIND)) return resource.getAdditionalProperties().get("nodes") instanceof List<?> nodes && !nodes.isEmpty()
                && nodes.stream().allMatch(Map.class::isInstance) ? "" : "no list of nodes";
        return resource.getMetadata() == null || isBlank(resource.getMetadata().getName())
                ? "a %s without a metadata.name".formatted(resource.getKind()) : "";
    }

    private static boolean isBlank(String text) { return text == null || text.isBlank(); }

    /**
     * Writes every manifest that came with the scripts into a folder.
     *
     * @param force whether files that differ are replaced; each is kept beside the new one as NAME.bak, NAME.bak2, …
     * @throws Problem when there are such files and they may not be, or the folder cannot be written; then nothing was
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
                throw Problem.usage("in %s there are other files, which stay as they are: %s".formatted(target,
                    String.join(", ", changed)), "choose another folder, or replace them with --force, which keeps each as NAME.bak");
            for (String path : ALL) {
                Path file = target.resolve(path);
                Files.createDirectories(file.getParent());
                if (changed.contains(path)) Files.copy(file, aside(file));
                AppDirs.overwrite(file, own.read(path).getBytes(StandardCharsets.UTF_8), "rw-rw-rw-");
            }
        } catch (IOException e) {
            throw Problem.usage("cannot write the manifests: %s: %s".formatted(e.getClass().getSimpleName(), e.getMessage()),
                    "choose another folder");
        }
    }

    /** A free name for what a file had before. */
    private static Path aside(Path file) {
        Path free = file.resolveSibling(file.getFileName() + ".bak");
        for (int i = 2; Files.exists(free, LinkOption.NOFOLLOW_LINKS); i++) free = file.resolveSibling(file.getFileName() + ".bak" + i);
        return free;
    }

    /** The file as it is. */
    public String read(String path) {
        if (folder != null) {
            try {
                Path file = folder.resolve(path);
                if (Files.size(file) > LARGEST) throw Problem.usage("the manifest %s is larger than %d MB".formatted(file, LARGEST >> 20),
                        "compare it with the one that came with the scripts");
                return Files.readString(file);
            } catch (IOException e) {
                throw Problem.usage("the manifest %s is not in %s, or cannot be read".formatted(path, folder),
                        "copy manifests/ whole, change what you want in the copy, and name it with --manifests");
            }
        }
        try (InputStream in = Manifests.class.getResourceAsStream("/manifests/" + path)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The file with its placeholders filled. Values are names, numbers and addresses, never YAML. */
    public String filled(String path, Map<String, String> values) {
        return PLACEHOLDER.matcher(read(path)).replaceAll(found -> {
            String value = values.get(found.group(1));
            if (value == null) throw Problem.usage("%s has the placeholder ${%s}, which nothing fills".formatted(path, found.group(1)),
                    "known there: " + String.join(", ", new TreeSet<>(values.keySet())));
            return Matcher.quoteReplacement(value);
        });
    }

    /** The images that a text of YAML asks for; "auto" is Istio's word for the one that the injector fills in. */
    public static Set<String> images(String yaml) {
        return Pattern.compile("(?m)^[\\s{-]*image:\\s*[\"']?([^\\s\"',}]+)").matcher(yaml).results().map(m -> m.group(1))
                .filter(i -> !i.equals("auto")).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Merges each document of a patch into the resource of its kind and name, where there is one. */
    public static void patch(List<GenericKubernetesResource> resources, String patches) {
        for (GenericKubernetesResource patch : YamlDocuments.parse(patches))
            find(resources, patch.getKind(), patch.getMetadata().getName())
                    .ifPresent(r -> merge(r.getAdditionalProperties(), patch.getAdditionalProperties()));
    }

    public static Optional<GenericKubernetesResource> find(List<GenericKubernetesResource> resources, String kind, String name) {
        return resources.stream().filter(r -> r.getKind().equals(kind) && r.getMetadata().getName().equals(name)).findFirst();
    }

    /** Merges a patch into an object of YAML as a strategic merge does: maps key by key, lists of named things by their names. */
    public @SuppressWarnings("unchecked") static void merge(Map<String, Object> target, Map<String, Object> patch) {
        patch.forEach((key, value) -> {
            Object there = target.get(key);
            if (there instanceof Map && value instanceof Map) {
                merge((Map<String, Object>) there, (Map<String, Object>) value);
            } else if (there instanceof List<?> old && value instanceof List<?> items
                    && Stream.concat(old.stream(), items.stream()).allMatch(i -> i instanceof Map<?, ?> map && map.get("name") != null)) {
                for (var item : (List<Map<String, Object>>) value) {
                    ((List<Map<String, Object>>) there).stream().filter(t -> item.get("name").equals(t.get("name")))
                            .forEach(t -> merge(t, item));
                }
            } else {
                target.put(key, value);
            }
        });
    }

    /** How a shell applies YAML to a cluster. */
    public static String toShell(String kubectl, String yaml) { return kubectl + " apply -f - " + ExternalCommand.hereDocument("EOF", yaml); }

    /** The same with a variable of the shell in it; repeated while a webhook that has just started refuses it. */
    public static String retriedAsShell(String kubectl, String yaml, String variable) {
        String escaped = yaml.replaceAll("[\\\\$`]", "\\\\$0").replace("\\" + variable, variable);
        return "retry " + toShell(kubectl, escaped).replaceFirst("<<'(\\w+)'", "<<$1");
    }
}
