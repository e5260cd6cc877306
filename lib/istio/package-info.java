/** istioctl, the Istio installation, remote secrets and the sample application. */
package lib.istio;
