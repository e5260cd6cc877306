package lib.verify;

import module java.base;
import lib.run.*;

/** The report page: one file that needs nothing else, made of report.html and the findings as JSON. */
public final class Report {
    /** What is in every report: the element that its data is in. */
    private static final String MARKER = "<script type=\"application/json\" id=\"report\">";

    private Report() {}

    /** A {@link Problem} when the page could not be written there; worth asking before the mesh is looked at. */
    public static void check(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || Files.exists(file) && !Files.isRegularFile(file)) throw Problem.usage(file + " is not a file",
                "name a file with --report, such as report.html");
        if (Files.exists(file) && !ours(file)) throw Problem.usage(file + " exists and is not a report of this demo; it stays untouched",
                "name another file with --report, or move it away");
        if (!Files.isDirectory(folder)) throw Problem.usage("there is no folder %s for the report".formatted(folder),
                "mkdir -p '%s', or name another file with --report".formatted(folder));
        if (!Files.isWritable(folder) || Files.exists(file) && !Files.isWritable(file)) throw Problem.unmet(
                "the report %s cannot be written: permission denied".formatted(file), "name another file with --report");
        try {
            AppDirs.refuseIncomplete(file);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** Whether nothing is lost when a file is replaced: it is a report already, or empty. */
    private static boolean ours(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] head = in.readNBytes(1 << 16);
            return head.length == 0 || new String(head, StandardCharsets.UTF_8).contains(MARKER);
        } catch (IOException e) {
            return true; // what cannot be read is reported below
        }
    }

    /** Writes the page, in place of what was in the file. */
    public static void write(Path file, String json) {
        check(file);
        try (InputStream template = Report.class.getResourceAsStream("/report.html")) {
            // the data must not end its own element
            String page = new String(template.readAllBytes(), StandardCharsets.UTF_8).replace("${REPORT}", json.replace("<", "\\u003c"));
            AppDirs.overwrite(file, page.getBytes(StandardCharsets.UTF_8), "rw-rw-rw-");
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("the report %s cannot be written: %s".formatted(file, e), "name another file with --report");
    }
}
