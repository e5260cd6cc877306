package lib.run;

import module java.base;

/** This machine: its free ports and its free disk space. */
public final class Machine {
    private Machine() {}

    /** Whether nobody listens on a port of 127.0.0.1. */
    public static boolean isFree(int port) { return isFree("127.0.0.1", port); }

    /** Whether nobody listens on a TCP port of an address of this machine. */
    public static boolean isFree(String address, int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(address, port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Reports the free space of a folder's disk; a {@link Problem} when it has fewer bytes than needed. */
    public static String requireSpace(Path folder, long needed) {
        try {
            Path existing = folder.toAbsolutePath();
            while (!Files.exists(existing)) existing = existing.getParent();
            long free = Files.getFileStore(existing).getUsableSpace();
            if (free < needed) throw Problem.unmet("the disk of %s is nearly full: %.1f GB free, the demo needs %.1f GB".formatted(folder,
                    free / 1e9, needed / 1e9), "free some space: docker system df, then docker system prune");
            return "%.0f GB free".formatted(free / 1e9);
        } catch (IOException e) {
            throw Problem.unmet("cannot read the disk of %s: %s".formatted(folder, e.getMessage()), "check the folder's mode");
        }
    }
}
