package lib.run;

import module java.base;

/**
 * The demo's own commands as its user types them. Each names this demo, so that no hint acts on another one; nothing
 * else writes such a command.
 *
 * @param demo    the options that name the demo, each after a space; empty for the default demo
 * @param offline the option without which KindDemo downloads, after a space; empty when it may
 */
public record DemoCommands(String demo, String offline) {
    public String kindDemo(String... options) {
        return Stream.concat(Stream.of("jbang KindDemo.java" + demo + offline), Arrays.stream(options))
                .collect(Collectors.joining(" "));
    }

    public String verify() { return "jbang Verify.java" + demo; }

    /** Prints what a check means and how to repair what it found. */
    public String explain(String check) { return "jbang Verify.java --explain " + check; }

    public String teardown() { return "jbang Teardown.java" + demo; }

    /** Removes the demo and makes it again: for what a running one cannot change. */
    public String fromScratch(String... options) { return "%s, then %s".formatted(teardown(), kindDemo(options)); }

    /** Makes a bundle, where there is a connection. */
    public String bundle(String file) { return new DemoCommands(demo, "").kindDemo("--bundle", quoted(file)); }

    /** Uses a bundle, where there is none: JBang must not ask its servers either. */
    public String fromBundle(String file) {
        return new DemoCommands(demo, " --offline " + quoted(file)).kindDemo().replaceFirst("^jbang ", "jbang --offline ");
    }

    /** A word as a shell takes it: with anything but plain characters it is quoted; zsh looks for the program behind a leading "=". */
    public static String quoted(String word) {
        return word.matches("[\\w@%+:,./-][\\w@%+=:,./-]*") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
