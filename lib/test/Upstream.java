package lib;

import module java.base;

/** Upstream's servers as a mirror on loopback: it publishes the kind and the istioctl that this machine has. */
final class Upstream implements AutoCloseable {
    private final Mirror mirror = new Mirror();

    /** @param istioctl the program that the published istioctl runs: the archive has only a script that calls it */
    Upstream(Path kind, Path istioctl) throws IOException, NoSuchAlgorithmException {
        mirror.publish(Versions.kind(Platform.current()), Files.readAllBytes(kind));
        Path folder = Files.createTempDirectory("upstream");
        Files.writeString(folder.resolve("istioctl"), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(istioctl)).toFile().setExecutable(true);
        Shell.run("tar -czf '%1$s/archive' -C '%1$s' istioctl".formatted(folder));
        mirror.publish(Versions.istioctl(Versions.ISTIO, Platform.current()), Files.readAllBytes(folder.resolve("archive")));
        Home.remove(folder);
    }

    /** The programs on PATH. */
    static Upstream ofThisMachine() throws IOException, NoSuchAlgorithmException {
        return new Upstream(onPath("kind"), onPath("istioctl"));
    }

    private static Path onPath(String program) {
        return Path.of(Shell.run("readlink -f $(command -v %s)".formatted(program)).out().strip());
    }

    String address() { return mirror.address().toString(); }

    List<String> asked() { return mirror.asked; }

    /** A folder with the programs that a user has who has neither kind nor istioctl, and the PATH that leads there. */
    static String pathWithout(Path folder) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        for (String program : List.of("jbang", "java", "docker", "kubectl"))
            Files.writeString(bin.resolve(program), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath(program))).toFile()
                    .setExecutable(true);
        return bin + ":/usr/bin:/bin:/usr/sbin:/sbin";
    }

    @Override public void close() { mirror.close(); }
}
