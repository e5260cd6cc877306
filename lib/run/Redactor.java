package lib.run;

import module java.base;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

/** Removes secrets from diagnostics: logs and Kubernetes resources. The scripts' own log does not pass through it. */
public final class Redactor {
    private static final String LEFT_OUT = "(left out)";

    /** The fields of Kubernetes resources whose content belongs to the user: only the names of keys are kept. */
    private static final Set<String> CONTENTS = Set.of("annotations", "args", "binaryData", "command", "data",
            "options", "stringData", "volumeAttributes");

    /** Secrets with a known format. */
    private static final Pattern FORMATS = Pattern.compile(String.join("|",
            "-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\\z)",
            // in base64: PEM except certificates, a kubeconfig, JSON such as a web token or Docker's configuration
            "LS0tLS1CRUdJTi(?!BDRVJU)[\\w+/=-]+", "YXBpVmVyc2lvbj[\\w+/=-]+", "eyJ[\\w+/=-]{8,}(\\.[\\w=-]+)*",
            "(?<![\\w+/=-])[\\w+/=-]{150,}", "(?i:\\b(?:bearer|basic)) [\\w./+=~-]{8,}",
            // user and password of a URL
            "(?<=://)[^\\s/@\"'<>]+@", "[\\w.-]{1,60}:[^\\s@/:]{1,200}@(?=tcp\\(|unix\\()",
            "(?<=\\s)(?:-u|--user)[ =]\\S+:\\S+",
            "\\bhv[sbr]\\.[\\w-]{8,}", "\\bs\\.[A-Za-z0-9]{24}\\b", // Vault
            "\\b(?:AKIA|ASIA)[A-Z0-9]{12,}", "\\bAIza[\\w-]{30,}", "\\bya29\\.[\\w-]+", // AWS, Google
            "\\bgh[a-z]_\\w{16,}", "\\bgithub_pat_\\w{16,}", "\\bgl[a-z]{2,5}-[\\w-]{16,}", // GitHub, GitLab
            "\\bxox[a-z]-[\\w-]{8,}", "\\bxapp-[\\w-]{8,}", "hooks\\.slack\\.com/\\S+", // Slack
            "\\b[sr]k[-_][\\w-]{20,}", "\\b(?:npm|hf|dckr_pat|dop_v1)_[\\w-]{16,}", "\\bpypi-[\\w-]{16,}",
            "AGE-SECRET-KEY-\\w+", "(?<![\\w.-])[a-z0-9]{6}\\.[a-z0-9]{16}(?![\\w.-])"), // kubeadm's bootstrap token
            Pattern.DOTALL);

    private static final String KEY =
            "(?:pass(?:word|wd|phrase|code)?|pwd|(?<!remote )secret|token|credentials?|cookie|signature|\\bsig|\\bauth"
            + "|(?:account|api|access|auth|client|encryption|master|private|secret|shared|signing|ssh|unseal)[_-]?key"
            + "|client-key-data)(?:[_-]?(?:base|base64|b64|data|id|value))?\\d*";
    /** To the closing quote, to the end of the line, or one word: too much is better than too little. */
    private static final String VALUE =
            "(?!\\(left out\\))(?:(\\\\*[\"']).*?\\2|\\\\*[\"'][^\\n]*|[|>][+-]?[ \\t]*\\R[^\\n]+|\\S+)";
    /** Values with the key of a secret: KEY=VALUE, "KEY": "VALUE", --KEY VALUE, name: KEY, value: VALUE. */
    private static final List<Pattern> KEYED = List.of(
            Pattern.compile("(?i)(\\b(?:proxy-)?authorization\\\\*[\"']?[ \\t]*[:=][ \\t]*)(?!\\(left out\\))[^\\n]+"),
            Pattern.compile("(?i)(" + KEY + "\\\\*[\"']?[ \\t]*[:=][ \\t]*)" + VALUE),
            Pattern.compile("(?i)(--[\\w-]{0,40}?" + KEY + "\\\\*[\"']?,?[ \\t]+)" + VALUE),
            Pattern.compile("(?i)(\\bname\\\\*\"?[ \\t]*[:=][ \\t]*\\\\*\"?[\\w.-]{0,60}" + KEY
                    + "\\\\*\"?,?\\s*\\\\*\"?value\\\\*\"?[ \\t]*[:=][ \\t]*)" + VALUE));

    /** The lines that a secret may span: so many more are read than shown, as a truncated one is not recognised. */
    public static final int SPAN = 100;

    private Redactor() {}

    /** The last lines of a log, redacted; the log should have {@link #SPAN} more lines. */
    public static String lastLines(int count, String log) {
        List<String> lines = redact(log).lines().toList();
        return String.join("\n", lines.subList(Math.max(0, lines.size() - count), lines.size()));
    }

    /** Replaces everything that looks like a secret. */
    public static String redact(String text) {
        String redacted = FORMATS.matcher(text).replaceAll(LEFT_OUT);
        for (Pattern keyed : KEYED) redacted = keyed.matcher(redacted).replaceAll("$1" + LEFT_OUT);
        return redacted;
    }

    /**
     * Removes from a Kubernetes resource or a list of them all content that may contain a secret: values of environment
     * variables and headers, arguments, commands, annotations, the data of Secrets and ConfigMaps.
     */
    public static JsonNode redact(JsonNode resource) {
        if (resource instanceof ArrayNode list) list.forEach(Redactor::redact);
        if (!(resource instanceof ObjectNode object)) return resource;
        if (object.has("name") && object.has("value")) object.put("value", LEFT_OUT);
        object.remove("managedFields");
        for (var field : object.properties()) {
            JsonNode value = field.getValue();
            field.setValue(CONTENTS.contains(field.getKey()) ? emptied(value) : redact(value));
        }
        return object;
    }

    /** The same structure without the content. */
    private static JsonNode emptied(JsonNode node) {
        if (!(node instanceof ObjectNode object)) return TextNode.valueOf(LEFT_OUT);
        object.properties().forEach(field -> field.setValue(emptied(field.getValue())));
        return object;
    }
}
