package lib.test;

import static org.junit.jupiter.api.Assertions.assertEquals;

import module java.base;

/** The commands in README and docs/. Tests run those in blocks marked `shell` on a real demo. */
public final class Docs {
    private Docs() {}

    /** README, CONTRIBUTING and the pages of docs/. */
    static List<Path> pages() throws IOException {
        try (Stream<Path> docs = Files.list(Shell.PROJECT.resolve("docs"))) {
            Stream<Path> pages = docs.filter(file -> file.toString().endsWith(".md"));
            return Stream.concat(Stream.of(Shell.PROJECT.resolve("README.md"),
                    Shell.PROJECT.resolve("CONTRIBUTING.md")), pages).sorted().toList();
        }
    }

    /** The lines in a page's fenced blocks of these languages. */
    static List<String> lines(Path page, String languages) throws IOException {
        List<String> lines = new ArrayList<>();
        boolean inside = false;
        for (String line : Files.readAllLines(page)) {
            if (line.startsWith("```")) inside = line.matches("```(%s)".formatted(languages));
            else if (inside) lines.add(line);
        }
        return lines;
    }

    /** Every command that readers run on a demo. */
    static List<String> commands() throws IOException {
        List<String> commands = new ArrayList<>();
        for (Path page : pages()) commands.addAll(lines(page, "shell"));
        return commands;
    }

    /** The command that consists of these words, or otherwise the only one that contains them. */
    public static String command(String words) {
        List<String> found;
        try {
            found = commands().stream().filter(line -> line.contains(words)).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (found.contains(words)) return words;
        assertEquals(1, found.size(), "commands in README and docs with '%s': %s".formatted(words, found));
        return found.getFirst();
    }
}
