package lib.run;

import module java.base;

/** Free ports and free disk space of this machine. */
public final class Machine {
    private Machine() {}

    /** Whether a TCP port of 127.0.0.1 is free. */
    public static boolean isFree(int port) { return isFree("127.0.0.1", port); }

    /** Whether a TCP port is free at an address of this machine. */
    public static boolean isFree(String address, int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(address, port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Describes the free space on a folder's disk; a {@link Problem} when fewer bytes are free than needed. */
    public static String requireSpace(Path folder, long needed) {
        try {
            Path existing = folder.toAbsolutePath();
            while (!Files.exists(existing)) existing = existing.getParent();
            long free = Files.getFileStore(existing).getUsableSpace();
            if (free >= needed) return "%.0f GB free".formatted(free / 1e9);
            throw Problem.unmet("the disk of %s is nearly full: %.1f GB free, the demo needs %.1f GB".formatted(folder,
                    free / 1e9, needed / 1e9), "free some space on it; what Docker uses: docker system df");
        } catch (IOException e) {
            throw Problem.unmet("cannot read the disk of %s: %s".formatted(folder, e.getMessage()),
                    "check the permissions of the folder");
        }
    }
}
