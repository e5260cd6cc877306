/** istioctl, the installation of Istio with its data plane, the Gateway API, ztunnel and remote secrets. */
package lib.istio;
