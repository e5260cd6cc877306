package lib.fetch;

import module java.base;
import lib.run.*;

/**
 * A program of upstream's: the one on PATH where its version fits, else the pinned release, fetched once into the cache. That one is
 * the demo's alone: PATH stays as it is.
 */
public final class Binary {
    private static final Duration SHORT = Duration.ofSeconds(10);

    /**
     * What is requirement of it beforehand.
     *
     * @param name      as it is typed
     * @param version   the pin
     * @param release   the file that upstream publishes for a machine: the program, or a .tar.gz that has it
     * @param install   what to type when it is missing and cannot be fetched
     * @param ask       the words that make it tell its version
     * @param objection tells why one that says this does not fit; empty when it does
     */
    public record Requirement(String name, String version, Function<Platform, Release> release, String install, List<String> ask,
            UnaryOperator<String> objection) {
        /** Where the pinned release is kept. */
        Path installed(Path cache) { return cache.resolve("%s-%s".formatted(name, version)).resolve(name); }
    }

    private final Requirement requirement;
    private final Downloads downloads;
    private final Path installed;
    private final Console console;
    private String path, output, objection;

    public Binary(Requirement requirement, Downloads downloads, Path cache, Console console) {
        this.requirement = requirement;
        this.downloads = downloads;
        this.installed = requirement.installed(cache);
        this.console = console;
    }

    public String name() { return requirement.name; }

    /** Where the pinned release is kept. */
    Path installed() { return installed; }

    public String install() { return requirement.install; }

    /** What to run. Fetches it when no other fits; a {@link Problem} when that cannot be done. */
    public synchronized String path() {
        if (missing()) fetch(_ -> {});
        return path;
    }

    /** The version of what {@link #path} runs. */
    public Version version() {
        path();
        return Version.first(output);
    }

    /** Whether it must be fetched. */
    public synchronized boolean missing() {
        if (path != null) return false;
        String onPath = "", no;
        try {
            onPath = output(requirement.name);
            no = requirement.objection.apply(onPath);
        } catch (Problem p) {
            if (p.exitCode() != Problem.UNMET) throw p;
            no = p.getMessage();
        }
        if (no.isEmpty()) {
            path = requirement.name;
            output = onPath;
        } else if (Files.isExecutable(installed)) {
            take();
        }
        objection = no;
        return path == null;
    }

    /** Says which one is run, and makes nothing: one that is missing stays so. A {@link Problem} when it cannot be had. */
    public synchronized String look() {
        if (!missing()) return path.equals(requirement.name) ? "" + version() : "%s, in %s".formatted(version(), installed.getParent());
        try {
            return "%s is fetched from %s: %s".formatted(requirement.version, downloads.published(release()), objection);
        } catch (Problem p) {
            throw orInstall(p);
        }
    }

    private Problem orInstall(Problem p) {
        return Problem.unmet("%s; %s".formatted(objection, p.getMessage()), "%s; or %s".formatted(requirement.install, p.hint()));
    }

    /** The step that fetches it, when none that fits is there. */
    public Step download(Plan plan) { return missing() ? plan.step(name(), fetch()) : Step.NONE; }

    /** Fetches the pinned release, and runs it from now on. */
    private Action fetch() {
        Release release = release();
        Path folder = installed.getParent();
        String put = release.file().endsWith(".tar.gz") ? "| tar -x -z -C %s %s".formatted(DemoCommands.quoted("" + folder), name())
                : "> %1$s\nchmod +x %1$s".formatted(DemoCommands.quoted("" + installed));
        return new Action("""
                # KindDemo also checks it against %s
                mkdir -p %2$s
                curl -fsSL %3$s %4$s
                export PATH=%2$s:$PATH""".formatted(release.sums(), DemoCommands.quoted("" + folder), downloads.typed(release), put), this::fetch);
    }

    private synchronized void fetch(Consumer<String> progress) {
        try {
            pinned(progress);
        } catch (Problem p) {
            throw orInstall(p);
        }
        take();
    }

    /** The pinned release, whatever is on PATH; fetched when the cache has none. */
    public Path pinned(Consumer<String> progress) {
        return Files.isExecutable(installed) ? installed : downloads.fetch(release(), installed, progress, this::unpack);
    }

    private Release release() { return requirement.release.apply(Platform.current()); }

    private Path unpack(Path fetched) throws IOException {
        Path program = fetched;
        if (release().file().endsWith(".tar.gz")) {
            program = installed.resolveSibling(requirement.name + ".new");
            Files.deleteIfExists(program);
            Path folder = Files.createTempDirectory(installed.getParent(), "unpack");
            try (InputStream tar = new GZIPInputStream(Files.newInputStream(fetched))) {
                new ExternalCommand("tar", "install tar", console).from(SHORT.multipliedBy(6), tar, "-x", "-o", "-C", folder.toString(), requirement.name);
                Files.move(folder.resolve(requirement.name), program);
            } finally {
                Files.deleteIfExists(folder.resolve(requirement.name));
                Files.delete(folder);
            }
        }
        if (!program.toFile().setExecutable(true)) throw new IOException("cannot make %s executable".formatted(program));
        return program;
    }

    private void take() {
        output = output(installed.toString());
        if (!requirement.objection.apply(output).isEmpty())
            throw Problem.unmet("%s does not run here, or is another version: it says '%s'".formatted(installed, output.strip()),
                    "remove it, and run this again: rm " + installed);
        path = installed.toString();
    }

    /** What a program says of its version; a {@link Problem} when it does not start, or does not answer. */
    private String output(String program) {
        return new ExternalCommand(program, requirement.install, console).attempt(SHORT, requirement.ask.toArray(String[]::new)).out();
    }
}
