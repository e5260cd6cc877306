/** Prometheus and Kiali for all clusters: their installation, their access to each cluster, and questions to them. */
package lib.observe;
