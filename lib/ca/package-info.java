/** Certificate authorities for workload certificates: local, Vault and istio-csr. */
package lib.ca;
