package lib.run;

import module java.base;

/**
 * An operating system and architecture, by the names in the files of releases.
 *
 * @param os   linux or darwin
 * @param arch amd64 or arm64
 */
public record Platform(String os, String arch) {
    /** This machine; a {@link Problem} when there are no releases for it. */
    public static Platform current() { return of(System.getProperty("os.name"), System.getProperty("os.arch")); }

    public static Platform of(String osName, String osArch) {
        String os = osName.startsWith("Linux") ? "linux" : osName.startsWith("Mac") ? "darwin" : "";
        String arch = switch (osArch) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64", "arm64" -> "arm64";
            default -> "";
        };
        if (os.isEmpty() || arch.isEmpty())
            throw Problem.unmet("there are no downloads for " + osName + " on " + osArch, "use Linux or macOS on amd64 "
                    + "or arm64; on Windows use WSL 2: https://learn.microsoft.com/windows/wsl/install");
        return new Platform(os, arch);
    }

    @Override public String toString() { return os + "-" + arch; }
}
