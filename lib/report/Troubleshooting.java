package lib.report;

import module java.base;
import lib.run.*;

/** docs/troubleshooting.md, which is part of the scripts: it has a section for each check. */
public final class Troubleshooting {
    /** A heading of one word is the ID of a check. */
    private static final Pattern SECTION = Pattern.compile("(?ms)^## (([a-z0-9-]+)$.*?)(?=^## |\\z)");

    private Troubleshooting() {}

    /** Prints the section about a check; a {@link Problem} if no check has that ID. */
    public static void print(String id, Console console) {
        Map<String, String> sections = new TreeMap<>();
        try (InputStream page = Troubleshooting.class.getResourceAsStream("/docs/troubleshooting.md")) {
            SECTION.matcher(new String(page.readAllBytes(), StandardCharsets.UTF_8)).results()
                    .forEach(section -> sections.put(section.group(2), section.group(1).strip()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!sections.containsKey(id)) throw Problem.usage("no check has the ID '%s'".formatted(id),
                "checks: " + String.join(", ", sections.keySet()));
        console.result(forTerminal(sections.get(id)));
    }

    /** Markdown without fences: commands are indented. */
    static String forTerminal(String markdown) {
        Pattern fences = Pattern.compile("(?ms)^```\\w*\n(.*?)\n```$");
        return fences.matcher(markdown).replaceAll(found ->
                Matcher.quoteReplacement(found.group(1).indent(4).stripTrailing()));
    }
}
