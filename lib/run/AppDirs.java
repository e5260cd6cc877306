package lib.run;

import module java.base;

/**
 * The folders of the demo on the host.
 *
 * @param cache downloaded files
 * @param state the files of one demo, such as its root certificate and its log
 */
public record AppDirs(Path cache, Path state) {
    /** The lock of this process. */
    private static FileLock held;

    /**
     * The folders by the XDG base directory specification, https://specifications.freedesktop.org/basedir-spec/; the
     * default for the cache on macOS is the system's own, which the system may empty.
     */
    public static AppDirs of(String namePrefix) {
        String caches = System.getProperty("os.name").startsWith("Mac") ? "Library/Caches" : ".cache";
        return new AppDirs(base("XDG_CACHE_HOME", caches).resolve("kind-demo"),
                base("XDG_STATE_HOME", ".local/state").resolve("kind-demo").resolve(namePrefix));
    }

    private static Path base(String variable, String fallback) {
        String set = System.getenv(variable);
        return set != null && Path.of(set).isAbsolute() ? Path.of(set) : userHome().resolve(fallback);
    }

    /** The user's home by HOME, as for kubectl, kind and docker; the JDK reads only the system's list of users. */
    public static Path userHome() {
        String home = System.getenv("HOME");
        return Path.of(home == null || home.isBlank() ? System.getProperty("user.home") : home);
    }

    public Path log(String command) { return state.resolve(command + ".log"); }

    /** Creates the folders; only the user can read the state. A {@link Problem} when they cannot be created. */
    public AppDirs create() {
        try {
            Files.createDirectories(cache);
            Files.createDirectories(state);
            if (hasModes(state)) Files.setPosixFilePermissions(state, PosixFilePermissions.fromString("rwx------"));
            return this;
        } catch (IOException e) {
            throw Problem.unmet("cannot create the folder " + e.getMessage(),
                    "make its parent writable, or set XDG_CACHE_HOME and XDG_STATE_HOME");
        }
    }

    private static boolean hasModes(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    /**
     * Locks this demo while this process lives; the operating system releases the lock however the process ends.
     *
     * @param command the name of this command, for the message of another run
     * @throws Problem when another run has the lock
     */
    public synchronized void lock(String command) {
        if (held != null) return;
        Path file = create().state.resolve("lock");
        try {
            var channel = FileChannel.open(file, Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ,
                    StandardOpenOption.WRITE));
            // far behind the text: some systems do not allow others to read what is locked
            held = channel.tryLock(1 << 20, 1, false);
            if (held == null) throw Problem.unmet("another run is working on this demo: " + Files.readString(file),
                    "wait for its end; for a second demo use another --name-prefix");
            String owner = "%s, process %d".formatted(command, ProcessHandle.current().pid());
            channel.truncate(0).write(StandardCharsets.UTF_8.encode(owner));
        } catch (IOException e) {
            throw Problem.unmet("cannot lock " + e.getMessage(),
                    "make its folder writable, or set XDG_STATE_HOME to another folder");
        }
    }

    /** Writes a file that only its owner can read. It is replaced only when the new content is complete. */
    public static void writePrivate(Path file, byte[] content) throws IOException {
        Path draft = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(draft);
        write(draft, content, "rw-------", StandardOpenOption.CREATE_NEW);
        Files.move(draft, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Where {@link #overwrite} keeps the previous content of a file until it is done. */
    public static Path copyOf(Path file) { return file.resolveSibling(file.getFileName() + ".kind-demo-copy"); }

    /**
     * Overwrites a file of the user's in place, also through a link: it keeps its owner and mode. Meanwhile the
     * previous content is in {@link #copyOf}, which only its owner can read: if the run is killed, one of the two is
     * complete.
     *
     * @param mode the mode of a new file, such as rw-------
     */
    public static void overwrite(Path file, byte[] content, String mode) throws IOException {
        refuseIncomplete(file);
        byte[] before = Files.exists(file) ? Files.readAllBytes(file) : null;
        Path copy = copyOf(file);
        try {
            if (before != null) write(copy, before, "rw-------", StandardOpenOption.CREATE_NEW);
            write(file, content, mode, StandardOpenOption.CREATE);
        } catch (IOException e) {
            if (before != null && !Arrays.equals(before, Files.readAllBytes(file)))
                throw new IOException("%s; its previous content is in %s".formatted(e.getMessage(), copy), e);
            Files.deleteIfExists(copy);
            throw e;
        }
        Files.deleteIfExists(copy);
    }

    /** A {@link Problem} when an earlier run was killed while it wrote the file: only the user knows what is right. */
    public static void refuseIncomplete(Path file) throws IOException {
        Path copy = copyOf(file);
        if (!Files.exists(copy) || Files.exists(file) && Files.mismatch(copy, file) < 0) {
            Files.deleteIfExists(copy);
            return;
        }
        throw Problem.unmet("an earlier run ended while it wrote %s; the old content is in %s".formatted(file, copy),
                "compare the two, then: cp %1$s %2$s && rm %1$s; or only: rm %1$s".formatted(
                        DemoCommands.quoted("" + copy), DemoCommands.quoted("" + file)));
    }

    private static void write(Path file, byte[] content, String mode, StandardOpenOption create) throws IOException {
        FileAttribute<?>[] modes = {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))};
        var options = Set.of(create, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        try (FileChannel out = FileChannel.open(file, options, hasModes(file) ? modes : new FileAttribute<?>[0])) {
            for (ByteBuffer left = ByteBuffer.wrap(content); left.hasRemaining();) out.write(left);
            out.force(true);
        }
    }

    /** Removes the state of the demo; with {@code all} the cache too, which other demos share. */
    public Action delete(boolean all) {
        List<Path> folders = all ? List.of(state, cache) : List.of(state);
        String names = folders.stream().map(f -> " " + DemoCommands.quoted("" + f)).collect(Collectors.joining());
        return new Action("rm -rf" + names, _ -> {
            for (Path folder : folders) remove(folder);
        });
    }

    /** Removes a folder with its content, if it exists. */
    public static void remove(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
        }
    }
}
