package lib.run;

import module java.base;

/**
 * The demo's own commands, for hints. Each has the options that select this demo. No other class writes such a command.
 *
 * @param demo    the options that select the demo, each after a space; empty for the default demo
 * @param offline the option --offline after a space; empty without it
 */
public record DemoCommands(String demo, String offline) {
    public String kindDemo(String... options) {
        String command = "jbang KindDemo.java" + demo + offline;
        return options.length == 0 ? command : command + " " + String.join(" ", options);
    }

    public String verify() { return "jbang Verify.java" + demo; }

    /** Explains a check and what to do when it fails. */
    public String explain(String check) { return "jbang Verify.java --explain " + check; }

    public String teardown() { return "jbang Teardown.java" + demo; }

    /** Removes the demo and creates it again. */
    public String fromScratch(String... options) { return "%s, then %s".formatted(teardown(), kindDemo(options)); }

    /** Creates a bundle, on a machine with a connection. */
    public String bundle(String file) { return new DemoCommands(demo, "").kindDemo("--bundle", quoted(file)); }

    /** Uses a bundle, on a machine without a connection: JBang must not download either. */
    public String fromBundle(String file) {
        return "jbang --offline KindDemo.java" + demo + " --offline " + quoted(file);
    }

    /** Quotes a word for a shell, unless it has only plain characters. zsh expands a leading "=". */
    public static String quoted(String word) {
        return word.matches("[\\w@%+:,./-][\\w@%+=:,./-]*") ? word : "'" + word.replace("'", "'\\''") + "'";
    }

    /**
     * A shell's here document: nothing in the text is expanded. Its last line is {@code end}, made longer if the text
     * has that line.
     */
    public static String hereDocument(String end, String text) {
        String last = end;
        while (text.lines().anyMatch(last::equals)) last += "_";
        return "<<'%s'\n%s\n%1$s".formatted(last, text.stripTrailing());
    }
}
