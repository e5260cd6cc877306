package lib.test;

import module java.base;
import lib.run.*;

/** Runs a command in a real terminal, and works out what the screen shows. */
public final class Terminal {
    private static final Pattern CONTROL = Pattern.compile("\033\\[([0-9;]*)([A-Za-z])|[\r\n]");

    /** The exit code of a command, its output, and the lines on the screen at the end. */
    public record Result(int exitCode, String written, List<String> screen) {}

    private Terminal() {}

    /** Runs the command in a terminal with this number of columns. Expects every status line to fit into one line. */
    public static Result run(String command, int columns, Map<String, String> environment) {
        String inside = "stty cols %d rows 24; unset CI; exec %s".formatted(columns, command);
        Shell.Result ended =
                Shell.run("script --quiet --return --command %s /dev/null".formatted(DemoCommands.quoted(inside)),
                environment);
        return new Result(ended.exitCode(), ended.out(), screen(ended.out(), columns));
    }

    /** The lines on the screen after this output, without colors. A line wider than the screen counts as one line. */
    private static List<String> screen(String written, int columns) {
        List<StringBuilder> rows = new ArrayList<>(List.of(new StringBuilder()));
        int row = 0, column = 0, from = 0;
        for (Matcher control = CONTROL.matcher(written); from <= written.length();) {
            boolean more = control.find(from);
            String text = written.substring(from, more ? control.start() : written.length());
            StringBuilder line = rows.get(row);
            line.setLength(Math.max(line.length(), column));
            line.replace(column, Math.min(line.length(), column + text.length()), text);
            column += text.length();
            if (line.toString().startsWith("… ") && line.length() >= columns)
                throw new AssertionError("too long for %d columns: %s".formatted(columns, line));
            if (!more) break;
            from = control.end();
            switch (control.group().charAt(control.group().length() - 1)) {
                case '\r' -> column = 0;
                case '\n' -> {
                    row++;
                    if (row == rows.size()) rows.add(new StringBuilder());
                }
                case 'H' -> row = column = 0;
                case 'A' -> row -= Integer.parseInt(control.group(1));
                case 'K' -> line.setLength(Math.min(line.length(), column));
                case 'J' -> {
                    line.setLength(Math.min(line.length(), column));
                    rows.subList(row + 1, rows.size()).clear();
                }
                case 'm' -> {}
                default -> throw new AssertionError("unknown control sequence: " + control.group().substring(1));
            }
        }
        return rows.stream().map(StringBuilder::toString).toList();
    }
}
