package lib;

import module java.base;

/** Runs commands as a user would, for the tests. */
final class Shell {
    record Result(int exitCode, String out, String err, Duration took) {
        String all() { return out + err; }
    }

    /** The folder of the scripts: the one that the tests are started in. */
    static final Path PROJECT = Path.of("").toAbsolutePath();

    private Shell() {}

    static Result run(String command) { return run(command, Map.of()); }

    /** Runs bash with the command, and with these variables set beside those of the tests; ends it after ten minutes. */
    static Result run(String command, Map<String, String> environment) {
        try {
            ProcessBuilder builder = new ProcessBuilder("bash", "-c", command).directory(PROJECT.toFile());
            builder.environment().putAll(environment);
            Path out = Files.createTempFile("out", ""), err = Files.createTempFile("err", "");
            Instant start = Instant.now();
            Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).redirectInput(new File("/dev/null")).start();
            if (!process.waitFor(10, TimeUnit.MINUTES)) process.destroyForcibly();
            Result result = new Result(process.waitFor(), Files.readString(out), Files.readString(err),
                    Duration.between(start, Instant.now()));
            Files.delete(out);
            Files.delete(err);
            return result;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
