package lib.verify;

import module java.base;
import lib.run.*;

/** docs/troubleshooting.md, which comes with the scripts: a section for each check. */
public final class Troubleshooting {
    private static final String PAGE = "/docs/troubleshooting.md";

    private Troubleshooting() {}

    /** Prints the section about a check and returns the exit code; a {@link Problem} when no check has that ID. */
    public static int print(String id, Console console) {
        Map<String, String> sections = sections();
        if (!sections.containsKey(id)) throw Problem.usage("no check has the ID '%s'".formatted(id),
                "checks: " + String.join(", ", sections.keySet()));
        console.result(sections.get(id));
        return 0;
    }

    /** The sections of checks, by their IDs: headings of one word. */
    static Map<String, String> sections() {
        try (InputStream page = Troubleshooting.class.getResourceAsStream(PAGE)) {
            Map<String, String> sections = new TreeMap<>();
            for (String section : new String(page.readAllBytes(), StandardCharsets.UTF_8).split("(?m)^## ")) {
                String heading = section.lines().findFirst().orElse("").strip();
                if (heading.matches("[a-z0-9-]+")) sections.put(heading, section.strip());
            }
            return sections;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
