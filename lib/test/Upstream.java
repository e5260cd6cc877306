package lib.test;

import module java.base;
import lib.fetch.*;
import lib.run.*;

/** A mirror with the releases of kind and istioctl, and a PATH without them. */
public final class Upstream {
    private Upstream() {}

    /**
     * A mirror that publishes kind and istioctl from this machine's PATH. The archive of istioctl contains a script
     * that calls the program on PATH.
     */
    public static Mirror ofThisMachine() throws IOException, NoSuchAlgorithmException {
        Mirror mirror = new Mirror();
        mirror.publish(Versions.kind(Platform.current()), Files.readAllBytes(onPath("kind")));
        Path folder = Files.createTempDirectory("upstream");
        Files.writeString(folder.resolve("istioctl"), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath("istioctl")))
                .toFile().setExecutable(true);
        Shell.run("tar -czf '%1$s/archive' -C '%1$s' istioctl".formatted(folder));
        mirror.publish(Versions.istioctl(Versions.ISTIO, Platform.current()),
                Files.readAllBytes(folder.resolve("archive")));
        AppDirs.remove(folder);
        return mirror;
    }

    private static Path onPath(String program) {
        return Path.of(Shell.run("readlink -f $(command -v %s)".formatted(program)).out().strip());
    }

    /** A PATH for a user who has neither kind nor istioctl. Its first folder contains the other programs. */
    public static String pathWithout(Path folder) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        for (String program : List.of("jbang", "java", "docker", "kubectl"))
            Files.writeString(bin.resolve(program), "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(onPath(program))).toFile()
                    .setExecutable(true);
        return bin + ":/usr/bin:/bin:/usr/sbin:/sbin";
    }
}
