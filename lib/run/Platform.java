package lib.run;

import module java.base;

/**
 * This machine, as upstream's releases name it.
 *
 * @param os   linux or darwin
 * @param arch amd64 or arm64
 */
public record Platform(String os, String arch) {
    /** A {@link Problem} where upstream has no programs for it. Windows is Linux here: the demo runs in WSL 2. */
    public static Platform current() { return of(System.getProperty("os.name"), System.getProperty("os.arch")); }

    public static Platform of(String osName, String osArch) {
        String os = osName.startsWith("Linux") ? "linux" : osName.startsWith("Mac") ? "darwin" : "";
        String arch = switch (osArch) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64", "arm64" -> "arm64";
            default -> "";
        };
        if (os.isEmpty() || arch.isEmpty()) throw Problem.unmet("nothing can be fetched for %s on %s".formatted(osName, osArch),
                "Linux and macOS on amd64 and arm64 are known; on Windows use WSL 2: https://learn.microsoft.com/windows/wsl/install");
        return new Platform(os, arch);
    }

    @Override public String toString() { return os + "-" + arch; }
}
