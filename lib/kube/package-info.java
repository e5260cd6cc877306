/** One cluster's API server: client, apply, wait, kubeconfig, manifests, and the state of rollouts and pods. */
package lib.kube;
