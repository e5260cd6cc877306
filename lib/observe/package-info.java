/** What shows the mesh: one Prometheus and one Kiali for all clusters. */
package lib.observe;
