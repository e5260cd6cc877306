package lib.kubeconfig;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class KubeconfigTest {
    private static final String MINE = """
            apiVersion: v1
            kind: Config
            current-context: work
            preferences: {colors: true}
            clusters:
            - name: work
              cluster: {server: "https://10.0.0.1", certificate-authority-data: QUJD}
            contexts:
            - name: work
              context: {cluster: work, user: work, namespace: "0123"}
            users:
            - name: work
              user: {token: "yes"}
            """;
    private static final String ADDED = """
            apiVersion: v1
            kind: Config
            current-context: kind-so1
            clusters: [{name: kind-so1, cluster: {server: "https://127.0.0.1:1"}}]
            contexts: [{name: kind-so1, context: {cluster: kind-so1, user: kind-so1}}]
            users: [{name: kind-so1, user: {client-key-data: S0VZ}}]
            """;
    @TempDir Path folder;

    private static Map<?, ?> read(Path file) throws IOException {
        return io.fabric8.kubernetes.client.utils.Serialization.unmarshal(Files.readString(file), Map.class);
    }

    @Test void addsAndRemovesContextsAndKeepsTheRest() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), MINE);
        Map<?, ?> before = read(file);
        Kubeconfig kubeconfig = new Kubeconfig(List.of(file));
        kubeconfig.merge(ADDED);
        kubeconfig.merge(ADDED);
        assertTrue(kubeconfig.has("kind-so1"));
        assertEquals(2, ((List<?>) read(file).get("contexts")).size());
        assertEquals("work", read(file).get("current-context"));
        kubeconfig.remove("kind-so1");
        assertEquals(before, read(file));
    }

    /** One step adds a cluster while other steps connect to theirs. */
    @Test void readsNoHalfWrittenFile() throws Exception {
        Kubeconfig kubeconfig = new Kubeconfig(List.of(Files.writeString(folder.resolve("config"), MINE)));
        kubeconfig.merge(ADDED);
        String other = ADDED.replace("kind-so1", "kind-so2");
        Thread writer = Thread.startVirtualThread(() -> {
            for (int i = 0; i < 100; i++) {
                kubeconfig.merge(other);
                kubeconfig.remove("kind-so2");
            }
        });
        while (writer.isAlive()) assertTrue(kubeconfig.has("kind-so1"));
        writer.join();
    }

    @Test void doesNotWriteUnchangedFiles() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), "# mine\n" + MINE);
        new Kubeconfig(List.of(file)).remove("kind-so1");
        assertEquals("# mine\n" + MINE, Files.readString(file));
    }

    @Test void createsPrivateFileWithoutCurrentContext() throws IOException {
        Path file = folder.resolve("new/config");
        new Kubeconfig(List.of(file)).merge(ADDED);
        assertEquals("", read(file).get("current-context"));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test void writesFirstExistingFileThroughLink() throws IOException {
        Path real = Files.writeString(folder.resolve("real"), MINE);
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);
        Kubeconfig kubeconfig = new Kubeconfig(List.of(folder.resolve("absent"), link, folder.resolve("other")));
        kubeconfig.merge(ADDED);
        assertTrue(Files.isSymbolicLink(link));
        assertEquals(2, ((List<?>) read(real).get("users")).size());
        assertFalse(Files.exists(folder.resolve("absent")));
    }

    @Test void rejectsAndKeepsInvalidFile() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), "{{{ no yaml");
        assertThrows(Problem.class, () -> new Kubeconfig(List.of(file)).merge(ADDED));
        assertEquals("{{{ no yaml", Files.readString(file));
    }

    /** The lock of a killed run, and the lock of kubectl and kind while they write. */
    @Test void replacesLockOfKilledRunAndWaitsForOthers() throws Exception {
        Path file = Files.writeString(folder.resolve("config"), MINE), lock = folder.resolve("config.lock");
        Process dead = new ProcessBuilder("true").start();
        dead.waitFor();
        Files.createSymbolicLink(lock, Path.of("kind-demo-process-" + dead.pid()));
        new Kubeconfig(List.of(file)).merge(ADDED);
        assertFalse(Files.exists(lock, LinkOption.NOFOLLOW_LINKS));

        Files.createFile(lock);
        CompletableFuture<Void> removed = CompletableFuture.runAsync(
                () -> new Kubeconfig(List.of(file)).remove("kind-so1"));
        assertThrows(TimeoutException.class, () -> removed.get(300, TimeUnit.MILLISECONDS));
        assertTrue(new Kubeconfig(List.of(file)).has("kind-so1"));
        Files.delete(lock);
        removed.get(5, TimeUnit.SECONDS);
        assertFalse(new Kubeconfig(List.of(file)).has("kind-so1"));
    }

    @Test void keepsOwnerModeAndInode() throws IOException {
        Requirements.root();
        Path file = Files.writeString(folder.resolve("config"), MINE);
        Shell.succeeds("chown 1000:1000 '%1$s' && chmod 640 '%1$s'".formatted(file));
        String before = Shell.succeeds("stat -c '%i %u:%g %a' " + file).out();
        Kubeconfig kubeconfig = new Kubeconfig(List.of(file));
        kubeconfig.merge(ADDED);
        assertTrue(kubeconfig.has("kind-so1"));
        kubeconfig.remove("kind-so1");
        assertEquals(before, Shell.succeeds("stat -c '%i %u:%g %a' " + file).out());
        assertArrayEquals(new String[] {"config"}, folder.toFile().list(), "no lock and no copy");
    }

    @Test void writesMountedFile() throws IOException {
        Path host = Files.writeString(folder.resolve("host"), MINE);
        Path file = Files.createFile(Files.createDirectory(folder.resolve("in")).resolve("config"));
        int mounted = Shell.run("mount --bind '%s' '%s'".formatted(host, file)).exitCode();
        assumeTrue(mounted == 0, "needs permission to mount");
        try {
            new Kubeconfig(List.of(file)).merge(ADDED);
            assertEquals(2, ((List<?>) read(host).get("contexts")).size());
            assertArrayEquals(new String[] {"config"}, file.getParent().toFile().list());
        } finally {
            Shell.run("umount '%s'".formatted(file));
        }
    }

    @Test void createsTargetOfDanglingLink() throws IOException {
        Path real = folder.resolve("real"), link = Files.createSymbolicLink(folder.resolve("link"), Path.of("real"));
        Kubeconfig kubeconfig = new Kubeconfig(List.of(link));
        kubeconfig.check();
        kubeconfig.merge(ADDED);
        assertTrue(Files.isSymbolicLink(link));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(real)));
        Path nowhere = Files.createSymbolicLink(folder.resolve("nowhere"), Path.of("absent/config"));
        assertThrows(Problem.class, () -> new Kubeconfig(List.of(nowhere)).check());
    }

    /** kubectl creates its lock next to the link, not next to its target. */
    @Test void usesLockOfKubectl() throws Exception {
        Requirements.programs("kubectl");
        Path real = Files.writeString(Files.createDirectory(folder.resolve("elsewhere")).resolve("real"), MINE);
        Path link = Files.createSymbolicLink(folder.resolve("config"), real);
        Path lock = Files.createFile(folder.resolve("config.lock"));
        CompletableFuture<Void> merged = CompletableFuture.runAsync(() -> new Kubeconfig(List.of(link)).merge(ADDED));
        assertThrows(TimeoutException.class, () -> merged.get(300, TimeUnit.MILLISECONDS));
        String command = "kubectl config set-context other --cluster work";
        assertNotEquals(0, Shell.run(command, Map.of("KUBECONFIG", link.toString())).exitCode());
        Files.delete(lock);
        merged.get(5, TimeUnit.SECONDS);
        Shell.succeeds(command, Map.of("KUBECONFIG", link.toString()));
        assertEquals(3, ((List<?>) read(real).get("contexts")).size());
    }

    /** A run that was killed while it wrote leaves half a file and a copy. */
    @Test void doesNotOverwriteTruncatedFile() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), MINE.substring(0, 30));
        Path copy = folder.resolve("config.kind-demo-copy");
        Files.writeString(copy, MINE);
        Kubeconfig kubeconfig = new Kubeconfig(List.of(file));
        for (Runnable use : List.<Runnable>of(kubeconfig::check, () -> kubeconfig.merge(ADDED))) {
            Problem problem = assertThrows(Problem.class, use::run);
            assertTrue(problem.hint().contains("cp %s %s".formatted(copy, file)), problem.hint());
        }
        assertEquals(MINE, Files.readString(copy));
        Files.writeString(file, MINE.substring(0, MINE.indexOf("contexts:"))); // valid YAML
        assertThrows(Problem.class, () -> kubeconfig.merge(ADDED));
        assertEquals(MINE, Files.readString(copy));
        Files.writeString(file, MINE);
        kubeconfig.merge(ADDED); // the run ended before it wrote anything
        assertFalse(Files.exists(copy));
    }

    @Test void keepsPrivateCopyWhileWriting() throws Exception {
        Path file = Files.writeString(folder.resolve("config"), MINE), copy = folder.resolve("config.kind-demo-copy");
        // the new content does not fit into this file system
        Path small = Files.createDirectory(folder.resolve("small"));
        int mounted = Shell.run("mount -t tmpfs -o size=8k tmpfs '%s'".formatted(small)).exitCode();
        assumeTrue(mounted == 0, "needs permission to mount");
        try {
            Path full = small.resolve("config"), kept = small.resolve("config.kind-demo-copy");
            Files.writeString(full, MINE);
            IOException failed = assertThrows(IOException.class,
                    () -> AppDirs.overwrite(full, new byte[100_000], "rw-------"));
            assertTrue(failed.getMessage().contains(kept.toString()), failed.getMessage());
            assertEquals(MINE, Files.readString(kept));
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(kept)));
        } finally {
            Shell.run("umount '%s'".formatted(small));
        }
        AppDirs.overwrite(file, "new".getBytes(StandardCharsets.US_ASCII), "rw-------");
        assertEquals("new", Files.readString(file));
        assertFalse(Files.exists(copy));
    }

    @Test void acceptsValidFilesAndRejectsOthers() throws IOException {
        Path file = folder.resolve("config");
        for (String valid : List.of("", "# nothing yet\n", "---\n", "--- # nothing\n...\n", "{}", "null",
                "contexts:\nusers: null\n", "contexts: [null]",
                "\ufeffapiVersion: v1\n", "{\"contexts\": []}", "{contexts: [], users: [] } # flow style")) {
            Files.writeString(file, valid);
            Kubeconfig kubeconfig = new Kubeconfig(List.of(file));
            kubeconfig.check();
            assertFalse(kubeconfig.has("kind-so1"), valid);
            kubeconfig.remove("kind-so1");
            kubeconfig.merge(ADDED);
            assertTrue(kubeconfig.has("kind-so1"), valid);
        }
        for (String other : List.of("just words", "[1, 2]", "a: b: c", "5", "key: 'open", "<html>"))
            assertThrows(Problem.class, new Kubeconfig(List.of(Files.writeString(file, other)))::check, other);
    }
}
