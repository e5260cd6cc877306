package lib.test;

import module java.base;
import lib.fetch.*;
import lib.run.*;

/** What upstream publishes, and machines that have none of it. */
public final class Upstream {
    private Upstream() {}

    /**
     * A mirror with the kind and the istioctl that are on PATH; the published istioctl is an archive of a script that
     * calls it.
     */
    public static Mirror ofThisMachine() throws IOException, NoSuchAlgorithmException {
        Mirror mirror = new Mirror();
        mirror.publish(Versions.kind(Platform.current()), Files.readAllBytes(onPath("kind")));
        Path folder = Files.createTempDirectory("upstream");
        Files.writeString(folder.resolve("istioctl"), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath("istioctl")))
                .toFile()
                .setExecutable(true);
        Shell.run("tar -czf '%1$s/archive' -C '%1$s' istioctl".formatted(folder));
        mirror.publish(Versions.istioctl(Versions.ISTIO, Platform.current()),
                Files.readAllBytes(folder.resolve("archive")));
        AppDirs.remove(folder);
        return mirror;
    }

    private static Path onPath(String program) {
        return Path.of(Shell.run("readlink -f $(command -v %s)".formatted(program)).out().strip());
    }

    /** A folder with the programs that a user has who has neither kind nor istioctl, and the PATH that leads there. */
    public static String pathWithout(Path folder) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        for (String program : List.of("jbang", "java", "docker", "kubectl"))
            Files.writeString(bin.resolve(program), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath(program))).toFile()
                    .setExecutable(true);
        return bin + ":/usr/bin:/bin:/usr/sbin:/sbin";
    }
}
