package lib.fetch;

import module java.base;
import lib.run.*;

/**
 * A program of upstream's, such as kind: the one on PATH if its version fits, else the pinned release, which is
 * downloaded once into the cache. PATH stays unchanged.
 */
public final class Binary {
    private static final Duration SHORT = Duration.ofSeconds(10), UNPACKED = Duration.ofMinutes(1);

    /**
     * What the demo requires.
     *
     * @param version     the pinned version
     * @param release     the published file for a platform: the program, or a .tar.gz that contains it
     * @param install     how the user installs it
     * @param versionArgs the arguments that make it print its version
     * @param objection   why a program that prints this does not fit; empty when it fits
     */
    public record Requirement(String name, String version, Function<Platform, Release> release, String install,
            List<String> versionArgs, UnaryOperator<String> objection) {
        /** Where the pinned release is installed. */
        Path installed(Path cache) { return cache.resolve("%s-%s".formatted(name, version)).resolve(name); }
    }

    private final Requirement requirement;
    private final Downloads downloads;
    private final Path installed;
    private final Console console;
    /** The program to run and what it printed as its version; null until one that fits is found. */
    private String path, printed;
    /** Why the program on PATH does not fit. */
    private String objection;

    public Binary(Requirement requirement, Downloads downloads, Path cache, Console console) {
        this.requirement = requirement;
        this.downloads = downloads;
        this.installed = requirement.installed(cache);
        this.console = console;
    }

    public String name() { return requirement.name; }

    public String install() { return requirement.install; }

    /** Where the pinned release is installed. */
    Path installed() { return installed; }

    /** The program to run. Downloads the pinned release if no other fits; a {@link Problem} when that fails. */
    public synchronized String path() {
        if (missing()) download(_ -> {});
        return path;
    }

    /** The version of the program to run. */
    public Version version() {
        path();
        return Version.first(printed);
    }

    /** Whether it must be downloaded. */
    public synchronized boolean missing() {
        if (path != null) return false;
        try {
            objection = use(requirement.name);
        } catch (Problem p) {
            if (p.exitCode() != Problem.UNMET) throw p;
            objection = p.getMessage();
        }
        if (path == null && Files.isExecutable(installed)) useInstalled();
        return path == null;
    }

    /** Uses this program if it fits, else returns why not; a {@link Problem} when it does not start or answer. */
    private String use(String program) {
        String output = new ExternalCommand(program, requirement.install, console)
                .attempt(SHORT, requirement.versionArgs.toArray(String[]::new)).out();
        String reason = requirement.objection.apply(output);
        if (reason.isEmpty()) path = program;
        printed = output;
        return reason;
    }

    private void useInstalled() {
        if (use("" + installed).isEmpty()) return;
        throw Problem.unmet("%s does not run here, or has another version: it printed '%s'".formatted(installed,
                printed.strip()), "remove it, then run again: rm " + DemoCommands.quoted("" + installed));
    }

    /** Reports which program is used or would be downloaded; a {@link Problem} when there is none. No downloads. */
    public synchronized String describe() {
        if (!missing()) {
            String version = "" + version();
            return path.equals(requirement.name) ? version : version + ", in " + installed.getParent();
        }
        try {
            return "%s will be downloaded from %s: %s".formatted(requirement.version, downloads.server(release()),
                    objection);
        } catch (Problem p) {
            throw orInstall(p);
        }
    }

    private Problem orInstall(Problem p) {
        return Problem.unmet(objection + "; " + p.getMessage(), requirement.install + "; or " + p.hint());
    }

    /** Adds the step that downloads it, if it must be downloaded. */
    public Step download(Plan plan) {
        return missing() ? plan.step(name(), new Action(downloadAsShell(), this::download)) : Step.NONE;
    }

    private String downloadAsShell() {
        String folder = DemoCommands.quoted("" + installed.getParent()), file = DemoCommands.quoted("" + installed);
        String save = isArchive() ? "| tar -x -z -C " + folder + " " + name() : "> %1$s\nchmod +x %1$s".formatted(file);
        return """
                # KindDemo also verifies its checksum: %s
                mkdir -p %s
                curl -fsSL %s %s
                export PATH=%2$s:$PATH""".formatted(release().sums(), folder, downloads.quotedUrl(release()), save);
    }

    private synchronized void download(Consumer<String> progress) {
        try {
            pinned(progress);
        } catch (Problem p) {
            throw orInstall(p);
        }
        useInstalled();
    }

    /** The pinned release, whatever is on PATH; downloads it if it is not in the cache. */
    public Path pinned(Consumer<String> progress) {
        if (Files.isExecutable(installed)) return installed;
        return downloads.fetch(release(), installed, progress, this::unpack);
    }

    private Release release() { return requirement.release.apply(Platform.current()); }

    private boolean isArchive() { return release().file().endsWith(".tar.gz"); }

    private void unpack(Path download, Path program) throws IOException {
        if (isArchive()) {
            var tar = new ExternalCommand("tar", "install tar", console);
            try (OutputStream out = Files.newOutputStream(program)) {
                tar.into(UNPACKED, out, "-x", "-z", "-O", "-f", "" + download, name());
            }
        } else {
            Files.move(download, program);
        }
        if (!program.toFile().setExecutable(true)) throw new IOException("cannot make it executable: " + program);
    }
}
