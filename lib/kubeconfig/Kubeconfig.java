package lib.kubeconfig;

import module java.base;
import lib.manifests.*;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The user's kubeconfig. The demo adds and removes its contexts and keeps all else, including the current context. kind
 * would make each new cluster the current context, and fails when two of its processes write at once. So kind writes to
 * another file, which this class merges. kubectl and kind find the files in the same way:
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
public record Kubeconfig(List<Path> files) {
    private static final List<String> LISTS = List.of("clusters", "contexts", "users");
    /** Excludes other threads; the lock file excludes other processes. */
    private static final Object THREADS = new Object();
    /** Keeps other threads from reading a file while it is written. */
    private static final Object CONTENT = new Object();
    private static final String LOCK_OWNER = "kind-demo-process-";
    private static final String OTHER_FILE = "check its owner and mode, or set KUBECONFIG to another file";

    /** The files of KUBECONFIG, or ~/.kube/config. */
    public static Kubeconfig ofUser() {
        String variable = Objects.requireNonNullElse(System.getenv("KUBECONFIG"), "");
        List<Path> files = Arrays.stream(variable.split(File.pathSeparator)).filter(p -> !p.isBlank()).map(Path::of)
                .toList();
        return new Kubeconfig(files.isEmpty() ? List.of(AppDirs.userHome().resolve(".kube/config")) : files);
    }

    /** The file for new contexts: the first that exists, else the last. */
    private Path target() { return files.stream().filter(Files::exists).findFirst().orElse(files.getLast()); }

    /** The file for new contexts. Throws a Problem when it cannot be written, or any file cannot be read. */
    public String check() {
        files.forEach(Kubeconfig::read);
        Path file = target().toAbsolutePath(), folder = file.getParent();
        while (!Files.exists(folder)) folder = folder.getParent();
        try {
            Path written = folder;
            if (Files.exists(file)) written = file;
            else if (Files.isSymbolicLink(file))
                written = file.resolveSibling(Files.readSymbolicLink(file)).getParent();
            if (!Files.isWritable(folder) || !Files.isWritable(written))
                throw Problem.unmet("the kubeconfig %s cannot be written".formatted(file),
                        "check its owner and mode, and those of its folder, or set KUBECONFIG to another file");
            // a run that holds the lock is writing, and keeps a copy meanwhile
            if (!Files.exists(lockOf(file), LinkOption.NOFOLLOW_LINKS)) AppDirs.refuseIncomplete(file);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
        return file.toString();
    }

    public boolean has(String context) {
        return files.stream().anyMatch(file -> hasEntry(read(file), "contexts", context));
    }

    /**
     * Finds an entry of clusters, contexts or users in the first file that has it, as
     * {@code kubectl config view --flatten} prints it: with the content of files, and with absolute paths.
     *
     * @throws Problem when no file has the entry
     */
    ObjectNode find(String list, String name) throws IOException {
        String kind = list.replaceFirst("s$", "");
        for (Path file : files) {
            for (JsonNode entry : entries(read(file), list)) {
                if (name(entry).equals(name) && entry.get(kind) instanceof ObjectNode found)
                    return flatten(found, file);
            }
        }
        throw Problem.failed(name.isEmpty() ? "the context in the kubeconfig names no " + kind
                : "the kubeconfig has no %s %s".formatted(kind, name), "kubectl config view");
    }

    private static ObjectNode flatten(ObjectNode entry, Path file) throws IOException {
        for (String key : List.of("certificate-authority", "client-certificate", "client-key")) {
            String path = text(entry, key), data = text(entry, key + "-data").replaceAll("\\s", "");
            if (data.isEmpty() && !path.isEmpty())
                data = Base64.getEncoder().encodeToString(Files.readAllBytes(resolve(file, path)));
            entry.remove(List.of(key, key + "-data"));
            if (!data.isEmpty()) entry.put(key + "-data", data);
        }
        String tokenFile = text(entry, "tokenFile");
        entry.remove("tokenFile");
        if (!tokenFile.isEmpty()) entry.put("tokenFile", resolve(file, tokenFile).toString());
        if (entry.get("exec") instanceof ObjectNode exec && text(exec, "command").contains("/"))
            exec.put("command", resolve(file, text(exec, "command")).toString());
        return entry;
    }

    private static Path resolve(Path file, String path) {
        return file.toAbsolutePath().resolveSibling(path).normalize();
    }

    /** A field as text; empty if it is absent or null. */
    static String text(JsonNode node, String key) { return node.path(key).asText(""); }

    /** Adds the contexts of another kubeconfig, with their clusters and users. Replaces those of the same name. */
    public void merge(String yaml) {
        ObjectNode added = parse(yaml, "kind's kubeconfig", "kind version");
        edit(target(), config -> {
            config.putIfAbsent("apiVersion", TextNode.valueOf("v1"));
            config.putIfAbsent("kind", TextNode.valueOf("Config"));
            for (String list : LISTS) {
                ArrayNode kept = without(config, list, entry -> hasEntry(added, list, name(entry)));
                config.set(list, kept.addAll(entries(added, list)));
            }
            config.putIfAbsent("current-context", TextNode.valueOf(""));
        });
    }

    /** Removes the context from every file, with its cluster and its user of the same name. */
    public void remove(String context) {
        for (Path file : files) {
            ObjectNode before = read(file);
            if (LISTS.stream().noneMatch(list -> hasEntry(before, list, context))) continue;
            edit(file, config -> {
                for (String list : LISTS) config.set(list, without(config, list, entry -> name(entry).equals(context)));
                if (context.equals(text(config, "current-context"))) config.put("current-context", "");
            });
        }
    }

    private static ObjectNode read(Path file) {
        Path copy = AppDirs.copyOf(file);
        String hint = Files.exists(copy) ? "an earlier run ended while it wrote the file; to restore it: cp %s %s"
                .formatted(DemoCommands.quoted("" + copy), DemoCommands.quoted("" + file))
                : "correct it, or set KUBECONFIG to another file";
        try {
            String yaml;
            synchronized (CONTENT) {
                yaml = Files.exists(file) ? Files.readString(file) : "";
            }
            return parse(yaml, file.toString(), hint);
        } catch (IOException e) {
            throw Problem.unmet("cannot read the kubeconfig %s: %s".formatted(file, e.getMessage()), OTHER_FILE);
        }
    }

    private static ObjectNode parse(String yaml, String source, String hint) {
        String message;
        try {
            // fabric8 would read YAML's flow style, which begins with a brace, as JSON
            String text = yaml.stripLeading().startsWith("{") ? YamlDocuments.YAML + yaml : yaml;
            JsonNode content = Serialization.unmarshal(text, JsonNode.class);
            if (content == null || content.isNull()) return JsonNodeFactory.instance.objectNode(); // only comments
            if (content instanceof ObjectNode config) return config;
            message = "it is not a map";
        } catch (RuntimeException | StackOverflowError e) { // the latter when an alias contains itself
            message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        }
        throw Problem.unmet("%s is not a kubeconfig: %s".formatted(source, message), hint);
    }

    /** Changes a file under the lock that kubectl and kind also use. A file that stays equal is not written. */
    private static void edit(Path path, Consumer<ObjectNode> change) {
        Path file = path.toAbsolutePath(), lock = lockOf(file);
        synchronized (THREADS) {
            try {
                Files.createDirectories(file.getParent());
                awaitLock(lock);
                try {
                    ObjectNode before = read(file), config = before.deepCopy();
                    change.accept(config);
                    byte[] yaml = Serialization.asYaml(config).getBytes(StandardCharsets.UTF_8);
                    synchronized (CONTENT) {
                        if (!config.equals(before)) AppDirs.overwrite(file, yaml, "rw-------");
                    }
                } finally {
                    Files.deleteIfExists(lock);
                }
            } catch (IOException e) {
                throw cannotWrite(path, e);
            }
        }
    }

    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("cannot write the kubeconfig %s: %s".formatted(file, e.getMessage()), OTHER_FILE);
    }

    /** The lock file of kubectl and kind: it is beside the configured path, even if that is a link. */
    private static Path lockOf(Path file) { return file.resolveSibling(file.getFileName() + ".lock"); }

    private static void awaitLock(Path lock) throws IOException {
        Await.until("the lock " + lock, Duration.ofSeconds(10), Duration.ofMillis(50), _ -> {}, () -> {
            try {
                createLock(lock);
                return "";
            } catch (FileAlreadyExistsException e) {
                if (isAbandoned(lock)) Files.deleteIfExists(lock);
                return "another program holds it (if none runs: rm " + lock + ")";
            }
        });
    }

    /** Creates the lock as a link that names this process, so that another run recognizes the lock of a killed run. */
    private static void createLock(Path lock) throws IOException {
        try {
            Files.createSymbolicLink(lock, Path.of(LOCK_OWNER + ProcessHandle.current().pid()));
        } catch (UnsupportedOperationException | FileSystemException e) {
            Files.createFile(lock); // no links here; fails like the link if the lock exists
        }
    }

    /** Whether a run of the demo created the lock and has ended; its process ID may belong to a newer process. */
    private static boolean isAbandoned(Path lock) throws IOException {
        if (!Files.isSymbolicLink(lock)) return false;
        String owner = Files.readSymbolicLink(lock).toString();
        if (!owner.matches(LOCK_OWNER + "\\d+")) return false;
        Instant created = Files.getLastModifiedTime(lock, LinkOption.NOFOLLOW_LINKS).toInstant();
        return ProcessHandle.of(Long.parseLong(owner.substring(LOCK_OWNER.length())))
                .flatMap(process -> process.info().startInstant())
                .map(started -> started.isAfter(created.plusSeconds(1))).orElse(true);
    }

    private static ArrayNode entries(ObjectNode config, String list) {
        return config.get(list) instanceof ArrayNode entries ? entries : config.arrayNode();
    }

    private static boolean hasEntry(ObjectNode config, String list, String name) {
        return entries(config, list).valueStream().anyMatch(entry -> name(entry).equals(name));
    }

    private static ArrayNode without(ObjectNode config, String list, Predicate<JsonNode> unwanted) {
        return entries(config, list).deepCopy().removeIf(unwanted);
    }

    private static String name(JsonNode entry) { return text(entry, "name"); }
}
