package lib.fetch;

/**
 * A file that upstream publishes.
 *
 * @param file   the name that it has in --assets and in the cache
 * @param sha256 its SHA-256 in hex, or null where that is not pinned
 * @param sums   the address of what tells it then: a file such as sha256sum writes, or GitHub's description of a release
 */
public record Release(String file, String url, String sha256, String sums) {
    /** One that is pinned. */
    public Release(String file, String url, String sha256) { this(file, url, sha256, null); }

    /** A file of a release on GitHub. https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name */
    static Release ofRelease(String file, String repository, String tag, String published) {
        return new Release(file, "https://github.com/%s/releases/download/%s/%s".formatted(repository, tag, published), null,
                "https://api.github.com/repos/%s/releases/tags/%s".formatted(repository, tag));
    }
}
