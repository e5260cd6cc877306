package lib.fetch;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** Which program is used: the one on PATH or the published release. */
@Tag("unit")
class BinaryTest {
    @TempDir Path cache;
    private Mirror mirror;

    @BeforeEach void serve() throws IOException { mirror = new Mirror(); }

    @AfterEach void stop() { mirror.close(); }

    /** Publishes a script that prints this version, as a plain file or in an archive. */
    private void publish(String file, String name, String says) throws Exception {
        Path script = Files.writeString(cache.resolve(name), "#!/bin/sh\necho %s\n".formatted(says));
        if (file.endsWith(".tar.gz"))
            Shell.run("cd '%s' && tar -czf archive %2$s && mv archive %2$s".formatted(cache, name));
        mirror.publish(release(file), Files.readAllBytes(script));
        Files.delete(script);
    }

    private Binary program(String name, String version, String file) {
        Console console = new Console(false);
        return new Binary(new Binary.Requirement(name, version, _ -> release(file), "install it", List.of("--version"),
                said -> Version.first(said).compareTo(Version.first(version)) >= 0 ? ""
                        : name + " is too old: it says " + said.strip()),
                new Downloads(Optional.empty(), cache, Optional.of(mirror.address()), false, console), cache, console);
    }

    private static Release release(String file) {
        String url = "https://example.org/" + file;
        return new Release(file, url, null, url + ".sha256");
    }

    @Test void prefersASuitableProgramOnPath() {
        Binary bash = program("bash", "3.0.0", "bash");
        assertFalse(bash.missing());
        assertEquals("bash", bash.path());
        assertEquals(List.of(), mirror.requested);
    }

    @ParameterizedTest @CsvSource({"no-such-program,no-such-program", "no-such-program,no-such-program.tar.gz",
            "bash,bash-99"})
    void downloadsTheReleaseOnce(String name, String file) throws Exception {
        publish(file, name, "99.1.0");
        Binary program = program(name, "99.0.0", file);
        String described = program.describe();
        String why = name.equals("bash") ? " is too old: it says GNU bash" : " was not found";
        assertTrue(described.startsWith("99.0.0 will be downloaded from 127.0.0.1: " + name + why), described);
        assertEquals(List.of("/example.org/" + file + ".sha256"), mirror.requested, "describe() downloads nothing");
        assertTrue(program.missing());
        String path = cache.resolve(name + "-99.0.0/" + name).toString();
        assertEquals(path, program.path());
        assertEquals("99.1.0", "" + program.version());
        assertEquals("99.1.0\n", new ExternalCommand(program::path, "", new Console(false)).run(Duration.ofSeconds(5),
                "anything"));
        int before = mirror.requested.size();
        Binary later = program(name, "99.0.0", file);
        assertEquals("99.1.0, in " + Path.of(path).getParent(), later.describe());
        assertEquals(path, later.path());
        assertEquals(before, mirror.requested.size());
        try (Stream<Path> left = Files.walk(cache)) {
            assertEquals(List.of(Path.of(path)),
                    left.filter(f -> Files.isRegularFile(f) && !f.toString().endsWith(".lock")).toList());
        }
    }

    @Test void reportsAReleaseThatDoesNotRun() throws Exception {
        publish("no-such-program", "no-such-program", "0.0.1");
        Problem problem = assertThrows(Problem.class, () -> program("no-such-program", "99.0.0", "no-such-program")
                .path());
        assertTrue(problem.getMessage().contains("does not run here") && problem.hint().contains("rm "),
                problem.getMessage());
    }

    @Test void reportsAMissingProgramAndTheDownloadError() {
        mirror.close();
        Binary program = program("no-such-program", "99.0.0", "no-such-program");
        for (var use : List.<org.junit.jupiter.api.function.Executable>of(program::describe, program::path)) {
            Problem problem = assertThrows(Problem.class, use);
            assertTrue(problem.getMessage().startsWith("no-such-program was not found on PATH; cannot download "),
                    problem.getMessage());
            assertTrue(problem.hint().startsWith("install it; or ") && problem.hint().contains("--mirror"),
                    problem.hint());
            assertEquals(Problem.UNMET, problem.exitCode());
        }
    }

    private void reported(String words, ExternalCommand tool, String... arguments) {
        Duration limit = Duration.ofSeconds(5);
        for (var use : List.<org.junit.jupiter.api.function.Executable>of(() -> tool.attempt(limit, arguments),
                () -> tool.pipe(limit, arguments, arguments), () -> tool.from(limit, InputStream.nullInputStream(),
                arguments))) {
            Problem problem = assertThrows(Problem.class, use);
            assertEquals(words, problem.getMessage());
            assertTrue(problem.hint().endsWith("install it"), problem.hint());
            assertEquals(Problem.UNMET, problem.exitCode());
        }
    }

    @Test void reportsWhyAProgramDoesNotStart() throws IOException {
        Console console = new Console(false);
        reported("no-such-program was not found on PATH", new ExternalCommand("no-such-program", "install it",
                console));
        Path script = Files.writeString(cache.resolve("script"), "#!/no/such/interpreter\n");
        reported(script + " cannot be run: Permission denied", new ExternalCommand("" + script, "install it", console));
        script.toFile().setExecutable(true);
        reported(script + " cannot be run: No such file or directory", new ExternalCommand("" + script, "install it",
                console));
        String bash = Shell.run("command -v bash").out().strip();
        reported(bash + " cannot be run: Argument list too long", new ExternalCommand("bash", "install it", console),
                "x".repeat(3_000_000));
    }

    @ParameterizedTest @CsvSource({"Linux,amd64,linux-amd64", "Linux,aarch64,linux-arm64",
            "Mac OS X,x86_64,darwin-amd64", "Mac OS X,aarch64,darwin-arm64"})
    void urlsOfReleases(String os, String arch, String platform) {
        assertEquals("https://github.com/kubernetes-sigs/kind/releases/download/v%s/kind-%s".formatted(Versions.KIND,
                platform), Versions.kind(Platform.of(os, arch)).url());
        String istioctl = "https://github.com/istio/istio/releases/download/%1$s/istioctl-%1$s-%2$s.tar.gz";
        assertEquals(istioctl.formatted(Versions.ISTIO, platform.replace("darwin", "osx")),
                Versions.istioctl(Versions.ISTIO, Platform.of(os, arch)).url());
    }

    @Test void refusesOtherPlatforms() {
        assertTrue(assertThrows(Problem.class, () -> Platform.of("Windows 11", "amd64")).hint().contains("WSL 2"));
        assertThrows(Problem.class, () -> Platform.of("Linux", "riscv64"));
    }
}
