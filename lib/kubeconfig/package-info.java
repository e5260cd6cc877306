/** Kubeconfig files: contexts, the settings of a client, credential plugins. */
package lib.kubeconfig;
