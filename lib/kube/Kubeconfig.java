package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.client.utils.Serialization;

/**
 * The user's kubeconfig: our contexts go in and out of it, everything else in it stays, the current context too.
 * kind would make each new cluster the current context, and fails when two of it write at once: so it writes to a file of
 * its own, and this merges. The files are found as kubectl and kind find them:
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
public record Kubeconfig(List<Path> files) {
    private static final List<String> LISTS = List.of("clusters", "contexts", "users");
    /** One change at a time within this process; other processes are kept off by the lock file. */
    private static final Object ONE_AT_A_TIME = new Object();
    /** What is relative to the folder of the file that it is in. */
    private static final Set<String> PATHS = Set.of("certificate-authority", "client-certificate", "client-key", "tokenFile");
    private static final String OWNER = "kind-demo-process-";

    /** The files of KUBECONFIG, or ~/.kube/config. */
    public static Kubeconfig ofUser() {
        String set = Objects.requireNonNullElse(System.getenv("KUBECONFIG"), "");
        List<Path> paths = Arrays.stream(set.split(File.pathSeparator)).filter(p -> !p.isBlank()).map(Path::of).toList();
        return new Kubeconfig(paths.isEmpty() ? List.of(AppDirs.userHome().resolve(".kube/config")) : paths);
    }

    /** The file that new contexts go into: the first that exists, else the last. */
    private Path target() { return files.stream().filter(Files::exists).findFirst().orElse(files.getLast()); }

    /** The file that is written to; a {@link Problem} when one cannot be read, or that one not be written. */
    public String check() {
        files.forEach(Kubeconfig::read);
        Path file = target().toAbsolutePath(), folder = file.getParent();
        while (!Files.exists(folder)) folder = folder.getParent();
        try {
            Path written = Files.exists(file) ? file : Files.isSymbolicLink(file)
                    ? file.resolveSibling(Files.readSymbolicLink(file)).getParent() : folder;
            if (!Files.isWritable(folder) || !Files.isWritable(written))
                throw Problem.unmet("the kubeconfig %s cannot be written".formatted(file), "check its owner and mode, and those of its "
                        + "folder, or set KUBECONFIG to another file");
            // while another program writes it a copy is as it should be
            if (!Files.exists(lock(file), LinkOption.NOFOLLOW_LINKS)) AppDirs.refuseIncomplete(file);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
        return file.toString();
    }

    /** Whether some file names the context. */
    public boolean has(String context) { return files.stream().anyMatch(f -> names(read(f), "contexts").contains(context)); }

    /**
     * An entry of one of the lists, from the first file that has it, as kubectl reads it: paths in it are absolute. A {@link Problem} when
     * there is none.
     */
    Map<String, Object> find(String list, String name) {
        String key = list.replaceFirst("s$", "");
        for (Path file : files) for (Object entry : entries(read(file), list)) {
            if (!name(entry).equals(name) || !(((Map<?, ?>) entry).get(key) instanceof Map<?, ?> found)) continue;
            Map<String, Object> copy = new LinkedHashMap<>();
            found.forEach((k, v) -> copy.put("" + k, PATHS.contains("" + k) && !text(found, "" + k).isEmpty() ? beside(file, v) : v));
            if (copy.get("exec") instanceof Map<?, ?> exec && text(exec, "command").contains("/")) {
                Map<Object, Object> plugin = new LinkedHashMap<>(exec);
                plugin.put("command", beside(file, exec.get("command")));
                copy.put("exec", plugin);
            }
            return copy;
        }
        throw Problem.failed("the kubeconfig has no %s %s".formatted(key, name.isEmpty() ? "where one is needed" : name),
                "kubectl config view");
    }

    private static String beside(Path file, Object path) {
        return file.toAbsolutePath().resolveSibling("" + path).normalize().toString();
    }

    /** A value as text; empty where there is none. */
    static String text(Map<?, ?> map, String key) { return Objects.toString(map.get(key), ""); }

    /** What KEY-data holds, else the file that KEY names, in base64; null where there is neither. */
    static String dataOf(Map<String, Object> map, String key) throws IOException {
        String data = text(map, key + "-data").replaceAll("\\s", ""), file = text(map, key);
        if (!data.isEmpty()) return data;
        return file.isEmpty() ? null : Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(file)));
    }

    /** Puts the contexts of {@code yaml} in, in place of those of the same name. */
    public void merge(String yaml) {
        Map<String, Object> added = parse(yaml, "kind's kubeconfig", "kind version");
        edit(target(), whole -> {
            whole.putIfAbsent("apiVersion", "v1");
            whole.putIfAbsent("kind", "Config");
            LISTS.forEach(list -> {
                Set<String> names = names(added, list);
                List<Object> entries = new ArrayList<>(entries(whole, list));
                entries.removeIf(e -> names.contains(name(e)));
                entries.addAll(entries(added, list));
                whole.put(list, entries);
            });
            whole.putIfAbsent("current-context", "");
        });
    }

    /** Takes the context, its cluster and its user out of every file. */
    public void remove(String context) {
        for (Path file : files) {
            if (LISTS.stream().noneMatch(list -> names(read(file), list).contains(context))) continue;
            edit(file, whole -> {
                LISTS.forEach(list -> whole.put(list, entries(whole, list).stream().filter(e -> !context.equals(name(e))).toList()));
                if (context.equals(whole.get("current-context"))) whole.put("current-context", "");
            });
        }
    }

    private static Map<String, Object> read(Path file) {
        Path copy = AppDirs.copyOf(file);
        String hint = Files.exists(copy) ? "an earlier run ended while it wrote it; to restore it: cp %s %s".formatted(DemoCommands.quoted("" + copy),
                DemoCommands.quoted("" + file)) : "correct it, or set KUBECONFIG to another file";
        try {
            return Files.exists(file) ? parse(Files.readString(file), file.toString(), hint) : new LinkedHashMap<>();
        } catch (IOException e) {
            throw Problem.unmet("cannot read the kubeconfig " + file + ": " + e.getMessage(),
                    "check its owner and mode, or set KUBECONFIG to another file");
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> parse(String yaml, String source, String hint) {
        try {
            // the library takes a text that begins with a brace for JSON, which YAML's own flow style is not
            String text = yaml.stripLeading().startsWith("{") ? YamlDocuments.YAML + yaml : yaml;
            // null is what a file with nothing but comments holds
            return Objects.requireNonNullElseGet(Serialization.unmarshal(text, LinkedHashMap.class), LinkedHashMap::new);
        } catch (RuntimeException | StackOverflowError e) { // the latter when an alias contains itself
            throw Problem.unmet(source + " is not a kubeconfig: " + String.valueOf(e.getMessage()).lines().findFirst().orElse(""), hint);
        }
    }

    /** Reads, changes and writes a file under the lock that kubectl and kind use too: a file beside it that must not exist. */
    private static void edit(Path named, Consumer<Map<String, Object>> change) {
        synchronized (ONE_AT_A_TIME) { editLocked(named, change); }
    }

    private static void editLocked(Path named, Consumer<Map<String, Object>> change) {
        try {
            Path file = named.toAbsolutePath(), lock = lock(file);
            Files.createDirectories(file.getParent());
            Await.until("the lock " + lock, Duration.ofSeconds(10), Duration.ofMillis(50), _ -> {}, () -> {
                try {
                    take(lock);
                    return "";
                } catch (FileAlreadyExistsException e) {
                    if (leftBehind(lock)) Files.deleteIfExists(lock);
                    return "another program holds it (if none runs: rm " + lock + ")";
                }
            });
            try {
                Map<String, Object> whole = read(file), before = read(file);
                change.accept(whole);
                if (!whole.equals(before)) AppDirs.overwrite(file, Serialization.asYaml(whole).getBytes(StandardCharsets.UTF_8),
                        "rw-------");
            } finally {
                Files.deleteIfExists(lock);
            }
        } catch (IOException e) {
            throw cannotWrite(named, e);
        }
    }

    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("cannot write the kubeconfig " + file + ": " + e.getMessage(),
                "check its owner and mode, or set KUBECONFIG to another file");
    }

    /** kubectl's and kind's: beside the name that they know the file by, be it a link or not. */
    private static Path lock(Path file) { return file.resolveSibling(file.getFileName() + ".lock"); }

    /** A link that names our process, made in one call: so a lock that a killed run left behind is known from one that is held. */
    private static void take(Path lock) throws IOException {
        try {
            Files.createSymbolicLink(lock, Path.of(OWNER + ProcessHandle.current().pid()));
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (UnsupportedOperationException | FileSystemException e) {
            Files.createFile(lock); // a system, or a user, without links
        }
    }

    /** Whether a process of ours made the lock and is gone, or its number is another's by now. */
    private static boolean leftBehind(Path lock) throws IOException {
        if (!Files.isSymbolicLink(lock)) return false;
        String owner = Files.readSymbolicLink(lock).toString();
        if (!owner.matches(OWNER + "\\d+")) return false;
        Instant made = Files.getLastModifiedTime(lock, LinkOption.NOFOLLOW_LINKS).toInstant();
        return ProcessHandle.of(Long.parseLong(owner.substring(OWNER.length()))).flatMap(p -> p.info().startInstant())
                .map(started -> started.isAfter(made.plusSeconds(1))).orElse(true);
    }

    private static List<?> entries(Map<String, Object> whole, String list) { return whole.get(list) instanceof List<?> l ? l : List.of(); }

    private static Set<String> names(Map<String, Object> whole, String list) {
        return entries(whole, list).stream().map(Kubeconfig::name).collect(Collectors.toSet());
    }

    private static String name(Object entry) { return entry instanceof Map<?, ?> m ? String.valueOf(m.get("name")) : ""; }
}
