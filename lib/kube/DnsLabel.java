package lib.kube;

import module java.base;

/** Converts names to parts of Kubernetes names and labels. */
public final class DnsLabel {
    /** A label's 63 characters, less the longest prefix. */
    private static final int LONGEST = 50;

    private DnsLabel() {}

    /**
     * Lower-case letters, digits and hyphens, at most 50 characters. A name that had to be changed gets a hash, so that
     * two names never become one. A name that already ends like a hash gets one too.
     * https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
     */
    public static String of(String name) {
        boolean fits = name.equals(lowerCase(name)) && name.length() <= LONGEST && !name.matches("(.*-)?[0-9a-f]{8}");
        return fits ? name : hashed(name);
    }

    /** The same, always with a hash. */
    public static String hashed(String name) {
        // cloud providers put the cluster's own name last
        String plain = lowerCase(name);
        String end = plain.substring(Math.max(0, plain.length() - LONGEST + 9)).replaceFirst("^-", "");
        return end.isEmpty() ? hash(name) : end + "-" + hash(name);
    }

    private static String lowerCase(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
    }

    /** Eight hex digits. */
    public static String hash(String name) {
        return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString().substring(0, 8);
    }
}
