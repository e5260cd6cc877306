package lib.preflight;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import lib.run.*;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class InotifyTest {
    private static final Path PROC = Path.of("/proc");

    /** Each watch service of the JDK opens an instance, which the kernel lists. */
    @Test void countsTheInstancesOfThisUser() throws IOException {
        assumeTrue(Files.isDirectory(PROC.resolve("self")), "this machine has no /proc");
        int user = (int) Files.getAttribute(PROC.resolve("self"), "unix:uid");
        List<WatchService> open = new ArrayList<>();
        try {
            int before = HostChecks.inotify(PROC, user);
            for (int i = 0; i < 5; i++) open.add(FileSystems.getDefault().newWatchService());
            int with = HostChecks.inotify(PROC, user);
            // other processes may start and end meanwhile
            assertTrue(with >= before + 3 && with >= 5, "%d before, %d with 5 more".formatted(before, with));
            assertEquals(0, HostChecks.inotify(PROC, user + 4711), "a user without processes");
        } finally {
            for (WatchService service : open) service.close();
        }
    }

    @Test void ignoresOtherFilesAndUnreadableProcesses(@TempDir Path proc) throws IOException {
        int user = (int) Files.getAttribute(proc, "unix:uid");
        Path fds = Files.createDirectories(proc.resolve("10/fd"));
        for (int i = 0; i < 3; i++) Files.createSymbolicLink(fds.resolve("" + i), Path.of("anon_inode:inotify"));
        Files.createSymbolicLink(fds.resolve("8"), Path.of("anon_inode:[eventpoll]"));
        Files.createFile(fds.resolve("9"));
        Files.createDirectories(proc.resolve("11"));
        Files.createSymbolicLink(Files.createDirectories(proc.resolve("sys/fd")).resolve("1"),
                Path.of("anon_inode:inotify"));
        assertEquals(3, HostChecks.inotify(proc, user));
        assertEquals(0, HostChecks.inotify(proc, user + 1));
    }

    @Test void warnsIfTheNewNodesExceedTheLimit() {
        assertEquals("30 inotify instances in use, 52 more needed, fs.inotify.max_user_instances is 128",
                HostChecks.inotify(30, 52, 128));
        Problem problem = assertThrows(Problem.class, () -> HostChecks.inotify(78, 52, 128));
        assertEquals("78 inotify instances in use, 52 more needed, fs.inotify.max_user_instances is 128",
                problem.getMessage());
        assertTrue(problem.hint().contains("fs.inotify.max_user_instances=512 "), problem.hint());
        assertTrue(assertThrows(Problem.class, () -> HostChecks.inotify(500, 52, 512)).hint()
                .contains("max_user_instances=1104 "));
    }
}
