package lib.report;

import module java.base;
import lib.run.*;

/** The report page: one file that needs no other files, made from report.html and the results as JSON. */
public final class Report {
    /** Every report contains this element, which holds the data. */
    private static final String MARKER = "<script type=\"application/json\" id=\"report\">";
    private static final String OTHER_FILE = "name another file with --report";

    private Report() {}

    /** A {@link Problem} if the page could not be written to this file, or would overwrite something else. */
    public static void check(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        boolean exists = Files.exists(file);
        if (folder == null || exists && !Files.isRegularFile(file))
            throw Problem.usage(file + " is not a file", "name a file with --report, such as report.html");
        if (!Files.isDirectory(folder)) throw Problem.usage("there is no folder %s for the report".formatted(folder),
                "mkdir -p '%s', or %s".formatted(folder, OTHER_FILE));
        if (!Files.isWritable(folder) || exists && !Files.isWritable(file))
            throw Problem.unmet("the report %s cannot be written: permission denied".formatted(file), OTHER_FILE);
        try {
            if (exists && !isReport(file)) throw Problem.usage(file + " exists and is not a report of this demo",
                    OTHER_FILE + ", or move it away");
            AppDirs.refuseIncomplete(file);
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    /** Whether the file may be replaced: it is a report, or empty. */
    private static boolean isReport(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] head = in.readNBytes(1 << 16);
            return head.length == 0 || new String(head, StandardCharsets.UTF_8).contains(MARKER);
        }
    }

    /** Writes the page in place of an earlier one. */
    public static void write(Path file, String json) {
        check(file);
        try (InputStream template = Report.class.getResourceAsStream("/report.html")) {
            String page = new String(template.readAllBytes(), StandardCharsets.UTF_8);
            // without "<" the data cannot end its element
            byte[] content = page.replace("${REPORT}", json.replace("<", "\\u003c")).getBytes(StandardCharsets.UTF_8);
            AppDirs.overwrite(file, content, "rw-rw-rw-");
        } catch (IOException e) {
            throw cannotWrite(file, e);
        }
    }

    private static Problem cannotWrite(Path file, IOException e) {
        return Problem.unmet("the report %s cannot be written: %s".formatted(file, e), OTHER_FILE);
    }
}
