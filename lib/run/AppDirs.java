package lib.run;

import module java.base;

/**
 * The folders that the demo keeps on the host.
 *
 * @param cache what can be made again: upstream's files
 * @param state what belongs to one demo, by its name prefix or its contexts: root of trust, log
 */
public record AppDirs(Path cache, Path state) {
    /**
     * The folders by the XDG base directory specification, https://specifications.freedesktop.org/basedir-spec/; on macOS the cache is
     * where that system has its own, and may clear it.
     */
    public static AppDirs of(String namePrefix) {
        String caches = System.getProperty("os.name").startsWith("Mac") ? "Library/Caches" : ".cache";
        return new AppDirs(base("XDG_CACHE_HOME", caches).resolve("kind-demo"), base("XDG_STATE_HOME", ".local/state").resolve("kind-demo")
                .resolve(namePrefix));
    }

    private static Path base(String variable, String fallback) {
        String set = System.getenv(variable);
        return set != null && Path.of(set).isAbsolute() ? Path.of(set) : ofUser().resolve(fallback);
    }

    /** The user's home: as HOME has it, which kubectl, kind and docker go by too; the JDK asks the system's list of users alone. */
    public static Path ofUser() {
        return Path.of(Optional.ofNullable(System.getenv("HOME")).filter(home -> !home.isBlank()).orElse(System.getProperty("user.home")));
    }

    /** This process's lock, while it lives. */
    private static FileLock held;

    public Path log(String command) { return state.resolve(command + ".log"); }

    /** Makes the folders, the state for the user alone. A {@link Problem} when that cannot be. */
    public AppDirs create() {
        try {
            Files.createDirectories(cache);
            Files.createDirectories(state);
            if (state.getFileSystem().supportedFileAttributeViews().contains("posix")) Files.setPosixFilePermissions(state,
                    PosixFilePermissions.fromString("rwx------"));
            return this;
        } catch (IOException e) {
            throw Problem.unmet("cannot make the folder " + e.getMessage(),
                    "make its parent writable, or set XDG_CACHE_HOME and XDG_STATE_HOME");
        }
    }

    /**
     * Keeps other runs off this demo while this process lives: the operating system gives the lock back, however the process ends.
     *
     * @param command who we are, for the other run's message
     * @throws Problem when another run has it
     */
    public synchronized void lock(String command) {
        if (held != null) return;
        Path file = create().state.resolve("lock");
        try {
            var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            // far behind what is written: some systems let nobody read what is locked
            held = channel.tryLock(1 << 20, 1, false);
            if (held == null) throw Problem.unmet("another run is at work on this demo: " + Files.readString(file),
                    "wait for it to end; for another demo beside it use another --name-prefix");
            channel.truncate(0).write(ByteBuffer.wrap("%s, process %d".formatted(command, ProcessHandle.current().pid())
                    .getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw Problem.unmet("cannot lock " + e.getMessage(), "make its folder writable, or set XDG_STATE_HOME to one that is");
        }
    }

    /** Writes a file that only its owner may read; in place only when it is whole. */
    public static void writePrivate(Path file, byte[] content) throws IOException {
        Path draft = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(draft);
        write(draft, content, "rw-------", StandardOpenOption.CREATE_NEW);
        Files.move(draft, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Where {@link #overwrite} keeps what was in a file. */
    public static Path copyOf(Path file) { return file.resolveSibling(file.getFileName() + ".kind-demo-copy"); }

    /**
     * Writes a file of the user's in place, through links: it stays the same file, with its owner and mode. Meanwhile a copy beside
     * it, which only its owner may read, has what was in it: a run that is ended halfway leaves one of the two whole.
     *
     * @param mode of a file that is new, such as rw-------
     */
    public static void overwrite(Path file, byte[] content, String mode) throws IOException {
        refuseCut(file);
        byte[] before = Files.exists(file) ? Files.readAllBytes(file) : null;
        Path copy = copyOf(file);
        try {
            if (before != null) write(copy, before, "rw-------", StandardOpenOption.CREATE_NEW);
            write(file, content, mode, StandardOpenOption.CREATE);
        } catch (IOException e) {
            if (before != null && !Arrays.equals(before, Files.readAllBytes(file)))
                throw new IOException("%s; what was in it is in %s".formatted(e.getMessage(), copy), e);
            Files.deleteIfExists(copy);
            throw e;
        }
        Files.deleteIfExists(copy);
    }

    /** A {@link Problem} when an earlier run was ended while it wrote the file: which of the two is right only the user knows. */
    public static void refuseCut(Path file) throws IOException {
        Path copy = copyOf(file);
        if (!Files.exists(copy) || Files.exists(file) && Files.mismatch(copy, file) < 0) {
            Files.deleteIfExists(copy);
            return;
        }
        throw Problem.unmet("an earlier run ended while it wrote %s; %s has what was in it before".formatted(file, copy),
                "compare the two, then: cp %1$s %2$s && rm %1$s; or only: rm %1$s".formatted(DemoCommands.quoted("" + copy), DemoCommands.quoted("" + file)));
    }

    private static void write(Path file, byte[] content, String mode, StandardOpenOption create) throws IOException {
        boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = posix
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))}
                : new FileAttribute<?>[0];
        try (FileChannel out = FileChannel.open(file, Set.of(create, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING),
                attributes)) {
            for (ByteBuffer left = ByteBuffer.wrap(content); left.hasRemaining();) out.write(left);
            out.force(true);
        }
    }

    /** Removes the demo's state; with {@code all} the cache too, which could serve the next one. */
    public Action delete(boolean all) {
        List<Path> folders = all ? List.of(state, cache) : List.of(state);
        return new Action("rm -rf " + String.join(" ", folders.stream().map(f -> DemoCommands.quoted("" + f)).toList()), _ -> {
            for (Path folder : folders) remove(folder);
        });
    }

    /** Removes a folder and all that is in it; nothing when there is none. */
    public static void remove(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
        }
    }
}
