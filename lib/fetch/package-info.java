/** Pinned versions, downloads, the kind and istioctl binaries, and the offline bundle. */
package lib.fetch;
