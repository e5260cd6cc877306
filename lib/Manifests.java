package lib;

import module java.base;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;

/**
 * The YAML of manifests/: plain files, with placeholders such as ${NETWORK} that envsubst would fill too.
 * They are read from the caller's folder, or from the scripts' own.
 */
public final class Manifests {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Z_]+)}");
    private static final long LARGEST = 1 << 20;
    /** All manifests that exist, by their path; kept true by a unit test. */
    public static final List<String> ALL = List.of("kind/cluster.yaml", "metallb/pool.yaml", "metallb/probes.yaml",
            "istio/namespace.yaml", "istio/istio.yaml", "istio/cross-network-gateway.yaml",
            "apps/namespace.yaml", "apps/strict.yaml", "apps/helloworld.yaml", "apps/sleep.yaml", "apps/ingress.yaml", "apps/locality.yaml",
            "experiments/broken-app.yaml", "experiments/quick-ejection.yaml", "experiments/egress.yaml", "experiments/registry-only.yaml",
            Compose.FILE, "cert-manager/probes.yaml", "istio-csr/vault.yaml", "istio-csr/istiod.yaml", "istio-csr/istio-csr.yaml");

    private final Path folder;

    /** @param folder the caller's own copies, or null for those that came with the scripts */
    public Manifests(Path folder) { this.folder = folder; }

    /** A {@link Problem} that names the file when the caller's folder lacks one that the demo needs, or one cannot be meant. */
    public void check() {
        if (folder == null) return;
        for (String path : ALL) {
            String whole = PLACEHOLDER.matcher(read(path)).replaceAll("0"), hint = "compare it with the one that came with the scripts";
            List<GenericKubernetesResource> resources;
            try {
                resources = Documents.parse(whole);
            } catch (RuntimeException e) {
                throw Problem.usage("the manifest %s in %s is no YAML: %s".formatted(path, folder, Problem.root(e).getMessage()), hint);
            }
            if (!path.equals(Compose.FILE) && resources.stream().anyMatch(r -> r.getKind() == null || r.getApiVersion() == null))
                throw Problem.usage("the manifest %s in %s has a document without a kind or an apiVersion".formatted(path, folder), hint);
        }
    }

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
                if (changed.contains(path)) Files.move(file, aside(file));
                Files.writeString(file, own.read(path));
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
    static void patch(List<GenericKubernetesResource> resources, String patches) {
        for (GenericKubernetesResource patch : Documents.parse(patches))
            find(resources, patch.getKind(), patch.getMetadata().getName())
                    .ifPresent(r -> merge(r.getAdditionalProperties(), patch.getAdditionalProperties()));
    }

    static Optional<GenericKubernetesResource> find(List<GenericKubernetesResource> resources, String kind, String name) {
        return resources.stream().filter(r -> r.getKind().equals(kind) && r.getMetadata().getName().equals(name)).findFirst();
    }

    /** Merges a patch into an object of YAML as a strategic merge does: maps key by key, lists of named things by their names. */
    @SuppressWarnings("unchecked") static void merge(Map<String, Object> target, Map<String, Object> patch) {
        patch.forEach((key, value) -> {
            Object there = target.get(key);
            if (there instanceof Map && value instanceof Map) {
                merge((Map<String, Object>) there, (Map<String, Object>) value);
            } else if (there instanceof List && value instanceof List) {
                for (var item : (List<Map<String, Object>>) value) {
                    ((List<Map<String, Object>>) there).stream().filter(t -> item.get("name").equals(t.get("name")))
                            .forEach(t -> merge(t, item));
                }
            } else {
                target.put(key, value);
            }
        });
    }

    /** How a shell applies this file to a cluster: as it lies there when it has no placeholders, else with them filled. */
    public String byHand(String path, Map<String, String> values, String kubectl) {
        boolean plain = !PLACEHOLDER.matcher(read(path)).find();
        return plain ? kubectl + " -f " + Tool.quoted("" + (folder == null ? Path.of("manifests") : folder).resolve(path))
                : kubectl + " -f - <<EOF\n" + filled(path, values).strip() + "\nEOF";
    }
}
