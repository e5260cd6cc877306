package lib;

import module java.base;

/** What must not be seen by whoever reads what the demo writes. */
final class Secrets {
    /** Keys and tokens, as PEM, kubeconfigs, Vault, JSON web tokens and bearer headers have them. */
    private static final Pattern SECRET = Pattern.compile("-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\\z)"
            + "|(?i:client-key-data|token|password)\"?: *\"?[\\w./+=-]{8,}"
            + "|\\bhvs\\.[\\w-]{8,}|eyJ[\\w-]{8,}\\.[\\w-]+\\.[\\w-]+|(?i:bearer) [\\w./+=-]{8,}",
            Pattern.DOTALL);

    private Secrets() {}

    /** The text without them. */
    static String leftOut(String text) { return SECRET.matcher(text).replaceAll("(left out)"); }
}
