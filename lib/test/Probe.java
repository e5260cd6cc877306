package lib.test;

import module java.base;
import lib.cli.*;
import lib.kube.*;
import picocli.CommandLine;

/** A script that does nothing: what the options that the scripts share make of a command line. */
@CommandLine.Command(name = "Probe")
public final class Probe extends DemoCommand {
    public Mesh mesh;

    @Override protected int run() {
        mesh = settings.mesh();
        return 0;
    }

    /** The exit code that a script with these arguments ends with; what it prints is thrown away. */
    public int exitCode(String... arguments) {
        return DemoCommand.commandLine(this).setErr(new PrintWriter(Writer.nullWriter())).setOut(new PrintWriter(Writer.nullWriter()))
                .execute(arguments);
    }

    /** The settings of a script with these arguments. */
    public static DemoOptions settings(String... arguments) {
        Probe probe = new Probe();
        if (probe.exitCode(arguments) != 0) throw new AssertionError("refused: " + List.of(arguments));
        return probe.settings;
    }
}
