package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.manifests.*;
import lib.test.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The output of KindDemo --dry-run is one shell command that needs no other file. {@link DryRunMeshTest} creates a mesh
 * with it.
 */
@Tag("unit")
class DryRunTest {
    /**
     * Replaces the programs that the commands call. It records each call with its input, and prints what the next
     * commands need.
     */
    private static final String STUB = """
            #!/bin/sh
            name=$(basename "$0")
            { printf '%s' "$name"; printf ' [%s]' "$@"; echo; cat; } >> "$CALLS/$name"
            case "$name $*" in
              'docker network inspect'*) echo 172.18.0.0/16;;
              docker\\ inspect*) echo 172.18.0.2;;
              kind\\ get\\ nodes*) echo node;;
              *proxy-config*) for i in 1 2 3 4 5 6 7 8; do echo helloworld :15443; done;;
              vault*) printf 'Unseal Key 1: x\\nInitial Root Token: y\\n';;
              *) echo anything;;
            esac
            """;
    @TempDir Path folder;

    /** The output of --dry-run in a folder without manifests. */
    private String printed(String options) {
        return Shell.succeeds("cd '%s' && jbang '%s/KindDemo.java' --dry-run %s".formatted(folder, Shell.PROJECT,
                options)).out();
    }

    /** The start of a command: changes to an empty folder, and puts the stubs first on PATH. */
    private String withStubs() throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        Files.createDirectories(folder.resolve("calls"));
        Files.createDirectories(folder.resolve("empty"));
        for (String program : List.of("docker", "kind", "kubectl", "istioctl", "vault", "curl", "tar", "chmod"))
            assertTrue(Files.writeString(bin.resolve(program), STUB).toFile().setExecutable(true));
        return "cd '%1$s/empty' && export CALLS='%1$s/calls' PATH='%1$s/bin':$PATH HOME='%1$s/empty' && ".formatted(
                folder);
    }

    private String calls(String program) throws IOException {
        Path calls = folder.resolve("calls").resolve(program);
        return Files.exists(calls) ? Files.readString(calls) : "";
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "--clusters 1", "--clusters 3 --workers 2", "--ca vault", "--ca istio-csr",
            "--contexts east,west", "--observe",
            "--istio-set meshConfig.enableTracing=true --istio-set 'a=b \"c\" $d'"})
    void needsNoOtherFile(String options) throws IOException {
        Requirements.programs("openssl");
        Path script = Files.writeString(folder.resolve("demo.sh"), printed(options));
        Shell.Result run = Shell.succeeds(withStubs() + "bash " + script);
        String kubectl = calls("kubectl"), istioctl = calls("istioctl");
        Manifests manifests = new Manifests(null);
        for (String path : List.of("apps/helloworld.yaml", "apps/sleep.yaml", "istio/cross-network-gateway.yaml"))
            assertTrue(kubectl.contains("[apply] [-f] [-]\n" + manifests.read(path)),
                    path + " is not applied unchanged:\n" + kubectl);
        assertFalse(kubectl.contains("EOF") || kubectl.contains("${"), kubectl);
        for (String file : Pattern.compile("\\[-f] \\[([^]]+)]").matcher(kubectl + istioctl).results()
                .map(m -> m.group(1)).toList())
            assertTrue(file.equals("-") || file.startsWith("https://")
                    || Files.exists(folder.resolve("empty/kind-demo-files/" + file)), file + " does not exist");
        if (options.contains("--istio-set")) assertTrue(istioctl.contains("[--set] [a=b \"c\" $d]"), istioctl);
        if (options.contains("--contexts"))
            assertFalse(Files.readString(folder.resolve("empty/kind-demo-files/istio-east.yaml")).contains("nodePort"));
        assertTrue(run.err().lines().noneMatch(line -> line.contains("demo.sh") || line.contains("line ")), run.err());
    }

    @Test void opensslCreatesValidCertificatesAndPrivateFiles() throws IOException {
        Requirements.programs("openssl");
        Path script = Files.writeString(folder.resolve("demo.sh"), printed(""));
        Shell.succeeds(withStubs()
                + "bash %s && cd kind-demo-files && openssl verify -x509_strict -CAfile root-cert.pem so1-cert.pem "
                .formatted(script) + "so2-cert.pem && [ -z \"$(find . -type f -perm /077)\" ]");
    }

    /** Pastes the output into interactive shells. zsh accepts no comments. A failed command must not end the shell. */
    @ParameterizedTest @ValueSource(strings = {"zsh -i", "bash -i"})
    void aFailureDoesNotEndTheShell(String shell) throws IOException {
        Requirements.programs(shell.split(" ")[0]);
        String stubs = withStubs();
        Files.writeString(folder.resolve("bin/kind"), "#!/bin/sh\necho no kind today >&2\nexit 7\n");
        Path typed = Files.writeString(folder.resolve("typed"), printed("") + "\necho survived: $?\nexit\n");
        Shell.Result run = Shell.run(stubs + "ZDOTDIR=$PWD %s < %s".formatted(shell, typed));
        assertTrue(run.out().contains("survived: 7"), run.all());
        assertTrue(run.err().contains("no kind today"), run.all());
        assertFalse(run.err().contains("not found") || run.err().contains("error"), run.err());
        assertEquals("", calls("kubectl"), "no command may run after a failure");
    }
}
