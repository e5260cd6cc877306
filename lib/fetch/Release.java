package lib.fetch;

/**
 * A file that upstream publishes.
 *
 * @param file   its name in the cache and in the folder of --mirror
 * @param sha256 its pinned SHA-256 in hex; null when none is pinned
 * @param sums   the address of its published checksum: a file of sha256sum, or GitHub's description of a release; null
 *               with a pin
 */
public record Release(String file, String url, String sha256, String sums) {
    /** A file with a pinned checksum. */
    static Release pinned(String file, String url, String sha256) { return new Release(file, url, sha256, null); }

    /** A file of a release on GitHub. https://docs.github.com/en/rest/releases/releases#get-a-release-by-tag-name */
    static Release onGitHub(String file, String repository, String tag, String asset) {
        String url = "https://github.com/%s/releases/download/%s/%s".formatted(repository, tag, asset);
        return new Release(file, url, null, "https://api.github.com/repos/" + repository + "/releases/tags/" + tag);
    }
}
