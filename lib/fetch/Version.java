package lib.fetch;

import module java.base;

/** A version of three numbers; a suffix such as -rc.1 is ignored. */
public record Version(int major, int minor, int patch) implements Comparable<Version> {
    private static final Pattern NUMBERS = Pattern.compile("(\\d+)\\.(\\d+)\\.(\\d+)");

    /** The first version in a text; 0.0.0 when there is none. */
    public static Version first(String text) {
        Matcher m = NUMBERS.matcher(text);
        if (!m.find()) return new Version(0, 0, 0);
        return new Version(Integer.parseInt(m.group(1)), Integer.parseInt(m.group(2)), Integer.parseInt(m.group(3)));
    }

    /** Whether this version is the other one or older, by at most this number of minor versions. */
    public boolean behind(Version other, int minors) {
        return major == other.major && minor <= other.minor && minor >= other.minor - minors;
    }

    public boolean sameMinor(Version other) { return major == other.major && minor == other.minor; }

    @Override public int compareTo(Version other) {
        return Comparator.comparingInt(Version::major).thenComparingInt(Version::minor).thenComparingInt(Version::patch)
                .compare(this, other);
    }

    @Override public String toString() { return major + "." + minor + "." + patch; }
}
