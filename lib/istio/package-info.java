/** istioctl, the Istio installation and remote secrets. */
package lib.istio;
