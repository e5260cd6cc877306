/** YAML: the demo's manifests, which users can replace, and the documents of a YAML text. */
package lib.manifests;
