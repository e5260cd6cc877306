package lib;

// The hub: whoever has `//SOURCES lib/Lib.java` has the whole library. JBang drops globs when a script runs by URL,
// so every source and every manifest is listed by name; a unit test keeps the lists true.

//JAVA 25+

// short runs: little to gain from the optimizing compiler or from a parallel collector, and both would compete with the
//  clusters
//RUNTIME_OPTIONS -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
// a proxy may want a password, also for HTTPS: the JDK would not give it
//RUNTIME_OPTIONS -Djdk.http.auth.tunneling.disabledSchemes=

//DEPS info.picocli:picocli:4.7.7
//DEPS io.fabric8:kubernetes-client:7.9.0
//DEPS io.fabric8:kubernetes-httpclient-jdk:7.9.0
//DEPS org.zeroturnaround:zt-exec:1.13.0
//DEPS com.fasterxml.jackson:jackson-bom:2.23.0@pom
//DEPS com.fasterxml.jackson.core:jackson-databind
//DEPS org.bouncycastle:bcpkix-jdk18on:1.87
//DEPS org.bouncycastle:bcprov-jdk18on:1.87
//DEPS org.slf4j:slf4j-nop:2.0.20

// Each folder is a package. A package uses those listed above it; a unit test checks it.

//SOURCES run/Action.java
//SOURCES run/AppDirs.java
//SOURCES run/Await.java
//SOURCES run/ChildProcesses.java
//SOURCES run/CommandEnvironment.java
//SOURCES run/Console.java
//SOURCES run/DemoCommands.java
//SOURCES run/ExternalCommand.java
//SOURCES run/Machine.java
//SOURCES run/Plan.java
//SOURCES run/Platform.java
//SOURCES run/Problem.java
//SOURCES run/Redactor.java
//SOURCES run/Status.java
//SOURCES run/Step.java
//SOURCES run/package-info.java

//SOURCES fetch/Binary.java
//SOURCES fetch/Bundle.java
//SOURCES fetch/DownloadSource.java
//SOURCES fetch/Downloads.java
//SOURCES fetch/HttpDownload.java
//SOURCES fetch/HttpProxies.java
//SOURCES fetch/Release.java
//SOURCES fetch/Version.java
//SOURCES fetch/Versions.java
//SOURCES fetch/package-info.java

//SOURCES manifests/Manifests.java
//SOURCES manifests/YamlDocuments.java
//SOURCES manifests/package-info.java

//SOURCES kubeconfig/ClientConfig.java
//SOURCES kubeconfig/CredentialPlugin.java
//SOURCES kubeconfig/Kubeconfig.java
//SOURCES kubeconfig/package-info.java

//SOURCES kube/Addresses.java
//SOURCES kube/ApiServer.java
//SOURCES kube/Cluster.java
//SOURCES kube/Crds.java
//SOURCES kube/Deployments.java
//SOURCES kube/DnsLabel.java
//SOURCES kube/Kube.java
//SOURCES kube/ManagedResources.java
//SOURCES kube/Mesh.java
//SOURCES kube/Nodes.java
//SOURCES kube/Pods.java
//SOURCES kube/package-info.java

//SOURCES docker/Compose.java
//SOURCES docker/Docker.java
//SOURCES docker/DockerCli.java
//SOURCES docker/DockerImages.java
//SOURCES docker/DockerInfo.java
//SOURCES docker/package-info.java

//SOURCES ca/Cacerts.java
//SOURCES ca/CertificateAuthority.java
//SOURCES ca/Certificates.java
//SOURCES ca/IstioCsr.java
//SOURCES ca/LocalAuthority.java
//SOURCES ca/Vault.java
//SOURCES ca/VaultApi.java
//SOURCES ca/VaultPki.java
//SOURCES ca/package-info.java

//SOURCES kind/AddressRange.java
//SOURCES kind/ExistingClusters.java
//SOURCES kind/HostPort.java
//SOURCES kind/Images.java
//SOURCES kind/Kind.java
//SOURCES kind/KindChecks.java
//SOURCES kind/MetalLb.java
//SOURCES kind/NodeImage.java
//SOURCES kind/NodeSettings.java
//SOURCES kind/package-info.java

//SOURCES istio/DataPlane.java
//SOURCES istio/GatewayApi.java
//SOURCES istio/InstalledIstio.java
//SOURCES istio/IstioInstaller.java
//SOURCES istio/IstioManifest.java
//SOURCES istio/IstioSettings.java
//SOURCES istio/Istioctl.java
//SOURCES istio/RemoteSecrets.java
//SOURCES istio/Ztunnel.java
//SOURCES istio/package-info.java

//SOURCES sample/ClientPod.java
//SOURCES sample/Locality.java
//SOURCES sample/SampleApp.java
//SOURCES sample/SampleTarget.java
//SOURCES sample/package-info.java

//SOURCES observe/ClusterAccess.java
//SOURCES observe/Kiali.java
//SOURCES observe/KialiInstaller.java
//SOURCES observe/Observability.java
//SOURCES observe/Prometheus.java
//SOURCES observe/PrometheusInstaller.java
//SOURCES observe/Workload.java
//SOURCES observe/package-info.java

//SOURCES report/Check.java
//SOURCES report/CheckResult.java
//SOURCES report/Diagnostics.java
//SOURCES report/ExperimentResult.java
//SOURCES report/Report.java
//SOURCES report/Results.java
//SOURCES report/Severity.java
//SOURCES report/Troubleshooting.java
//SOURCES report/package-info.java

//SOURCES preflight/HostChecks.java
//SOURCES preflight/Preflight.java
//SOURCES preflight/package-info.java

//SOURCES verify/AmbientChecks.java
//SOURCES verify/Checks.java
//SOURCES verify/ClusterChecks.java
//SOURCES verify/MeshChecks.java
//SOURCES verify/ObservabilityChecks.java
//SOURCES verify/TrafficChecks.java
//SOURCES verify/TrustChecks.java
//SOURCES verify/package-info.java

//SOURCES experiments/AmbientScenarios.java
//SOURCES experiments/Changes.java
//SOURCES experiments/ExperimentContext.java
//SOURCES experiments/Experiments.java
//SOURCES experiments/MeshMetrics.java
//SOURCES experiments/Scenarios.java
//SOURCES experiments/Traffic.java
//SOURCES experiments/package-info.java

//SOURCES cli/BundleMaker.java
//SOURCES cli/DemoClusters.java
//SOURCES cli/DemoCommand.java
//SOURCES cli/DemoContext.java
//SOURCES cli/DemoOptions.java
//SOURCES cli/DemoState.java
//SOURCES cli/package-info.java

//FILES completion.sh=cli/completion.sh
//FILES docs/troubleshooting.md=../docs/troubleshooting.md
//FILES report.html=report/report.html
//FILES manifests/ambient/gateways.yaml=../manifests/ambient/gateways.yaml
//FILES manifests/ambient/ingress.yaml=../manifests/ambient/ingress.yaml
//FILES manifests/ambient/istio.yaml=../manifests/ambient/istio.yaml
//FILES manifests/ambient/locality.yaml=../manifests/ambient/locality.yaml
//FILES manifests/ambient/namespace.yaml=../manifests/ambient/namespace.yaml
//FILES manifests/ambient/use-waypoint.yaml=../manifests/ambient/use-waypoint.yaml
//FILES manifests/ambient/waypoint-locality.yaml=../manifests/ambient/waypoint-locality.yaml
//FILES manifests/ambient/waypoint.yaml=../manifests/ambient/waypoint.yaml
//FILES manifests/apps/helloworld.yaml=../manifests/apps/helloworld.yaml
//FILES manifests/apps/ingress.yaml=../manifests/apps/ingress.yaml
//FILES manifests/apps/locality.yaml=../manifests/apps/locality.yaml
//FILES manifests/apps/namespace.yaml=../manifests/apps/namespace.yaml
//FILES manifests/apps/sleep.yaml=../manifests/apps/sleep.yaml
//FILES manifests/apps/strict.yaml=../manifests/apps/strict.yaml
//FILES manifests/cert-manager/probes.yaml=../manifests/cert-manager/probes.yaml
//FILES manifests/experiments/broken-app.yaml=../manifests/experiments/broken-app.yaml
//FILES manifests/experiments/egress.yaml=../manifests/experiments/egress.yaml
//FILES manifests/experiments/quick-ejection.yaml=../manifests/experiments/quick-ejection.yaml
//FILES manifests/experiments/registry-only.yaml=../manifests/experiments/registry-only.yaml
//FILES manifests/istio-csr/istio-csr.yaml=../manifests/istio-csr/istio-csr.yaml
//FILES manifests/istio-csr/istiod.yaml=../manifests/istio-csr/istiod.yaml
//FILES manifests/istio-csr/vault.yaml=../manifests/istio-csr/vault.yaml
//FILES manifests/istio/cross-network-gateway.yaml=../manifests/istio/cross-network-gateway.yaml
//FILES manifests/istio/istio.yaml=../manifests/istio/istio.yaml
//FILES manifests/istio/namespace.yaml=../manifests/istio/namespace.yaml
//FILES manifests/kind/cluster.yaml=../manifests/kind/cluster.yaml
//FILES manifests/metallb/pool.yaml=../manifests/metallb/pool.yaml
//FILES manifests/metallb/probes.yaml=../manifests/metallb/probes.yaml
//FILES manifests/observability/access.yaml=../manifests/observability/access.yaml
//FILES manifests/observability/kiali.yaml=../manifests/observability/kiali.yaml
//FILES manifests/observability/kubeconfig.yaml=../manifests/observability/kubeconfig.yaml
//FILES manifests/observability/prometheus.yaml=../manifests/observability/prometheus.yaml
//FILES manifests/observability/scrape.yaml=../manifests/observability/scrape.yaml
//FILES manifests/observability/traffic.yaml=../manifests/observability/traffic.yaml
//FILES manifests/vault/compose.yaml=../manifests/vault/compose.yaml

/** Where the library's parts are listed; there is nothing to call here. */
public final class Lib {
    private Lib() {}
}
