/** One cluster's API server: client, apply, wait, CRDs, and the state of rollouts and pods. */
package lib.kube;
