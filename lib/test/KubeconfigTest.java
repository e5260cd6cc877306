package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
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

    @Test void contextsComeAndGoAndTheRestStays() throws IOException {
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

    @Test void aFileThatNothingChangesInIsNotWritten() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), "# mine\n" + MINE);
        new Kubeconfig(List.of(file)).remove("kind-so1");
        assertEquals("# mine\n" + MINE, Files.readString(file));
    }

    @Test void aNewFileIsPrivateAndHasNoCurrentContext() throws IOException {
        Path file = folder.resolve("new/config");
        new Kubeconfig(List.of(file)).merge(ADDED);
        assertEquals("", read(file).get("current-context"));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test void theFirstFileThatExistsIsWrittenAndALinkStaysALink() throws IOException {
        Path real = Files.writeString(folder.resolve("real"), MINE), link = Files.createSymbolicLink(folder.resolve("link"), real);
        Kubeconfig kubeconfig = new Kubeconfig(List.of(folder.resolve("absent"), link, folder.resolve("other")));
        kubeconfig.merge(ADDED);
        assertTrue(Files.isSymbolicLink(link));
        assertEquals(2, ((List<?>) read(real).get("users")).size());
        assertFalse(Files.exists(folder.resolve("absent")));
    }

    @Test void aBrokenFileIsRefusedAndLeftAlone() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), "{{{ no yaml");
        assertThrows(Problem.class, () -> new Kubeconfig(List.of(file)).merge(ADDED));
        assertEquals("{{{ no yaml", Files.readString(file));
    }

    /** What a killed run leaves, and what kubectl and kind hold while they write. */
    @Test void aLockOfADeadRunIsTakenOverAndAForeignOneWaitedFor() throws Exception {
        Path file = Files.writeString(folder.resolve("config"), MINE), lock = folder.resolve("config.lock");
        Process dead = new ProcessBuilder("true").start();
        dead.waitFor();
        Files.createSymbolicLink(lock, Path.of("kind-demo-process-" + dead.pid()));
        new Kubeconfig(List.of(file)).merge(ADDED);
        assertFalse(Files.exists(lock, LinkOption.NOFOLLOW_LINKS));

        Files.createFile(lock);
        CompletableFuture<Void> removed = CompletableFuture.runAsync(() -> new Kubeconfig(List.of(file)).remove("kind-so1"));
        assertThrows(TimeoutException.class, () -> removed.get(300, TimeUnit.MILLISECONDS));
        assertTrue(new Kubeconfig(List.of(file)).has("kind-so1"));
        Files.delete(lock);
        removed.get(5, TimeUnit.SECONDS);
        assertFalse(new Kubeconfig(List.of(file)).has("kind-so1"));
    }
}
