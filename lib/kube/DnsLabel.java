package lib.kube;

import module java.base;

/** Names as parts of Kubernetes names and labels. */
public final class DnsLabel {
    /** The longest one: a label's 63 characters, less what goes before it. */
    private static final int LONGEST = 50;

    private DnsLabel() {}

    /**
     * A context's name as part of names and labels: lower-case letters, digits and hyphens, at most 50 characters. A name
     * that has to be changed for that gets a hash, so that two never become one; one that ends like a hash gets one too.
     * https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
     */
    public static String of(String name) {
        String plain = lowerCase(name);
        boolean fits = plain.equals(name) && plain.length() <= LONGEST && !plain.matches("(.*-)?[0-9a-f]{8}");
        return fits ? plain : hashed(name);
    }

    /** The same with a hash in any case. */
    public static String hashed(String name) {
        // the end of a cloud's name says most
        String plain = lowerCase(name);
        String end = plain.substring(Math.max(0, plain.length() - LONGEST + 9)).replaceFirst("^-", "");
        return end.isEmpty() ? hash(name) : end + "-" + hash(name);
    }

    private static String lowerCase(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
    }

    /** Eight hex digits that tell names apart. */
    public static String hash(String name) {
        return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString().substring(0, 8);
    }
}
