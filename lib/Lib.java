package lib;

// The hub: whoever has `//SOURCES lib/Lib.java` has the whole library. JBang drops globs when a script runs by URL,
// so every source and every manifest is listed by name; a unit test keeps the lists true.

//JAVA 25+

// short runs: little to gain from the optimizing compiler or from a parallel collector, and both would compete with the clusters
//RUNTIME_OPTIONS -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
// a proxy may want a password, also for HTTPS: the JDK would not give it
//RUNTIME_OPTIONS -Djdk.http.auth.tunneling.disabledSchemes=
// zstd's library is native
//RUNTIME_OPTIONS --enable-native-access=ALL-UNNAMED

//DEPS info.picocli:picocli:4.7.7
//DEPS io.fabric8:kubernetes-client:7.9.0
//DEPS io.fabric8:kubernetes-httpclient-jdk:7.9.0
//DEPS org.zeroturnaround:zt-exec:1.13.0
//DEPS com.fasterxml.jackson:jackson-bom:2.23.0@pom
//DEPS com.fasterxml.jackson.core:jackson-databind
//DEPS org.bouncycastle:bcpkix-jdk18on:1.87
//DEPS org.bouncycastle:bcprov-jdk18on:1.87
//DEPS com.github.luben:zstd-jni:1.5.7-28
//DEPS org.slf4j:slf4j-nop:2.0.20

// Layers: a source uses those of its own and of the ones above; a unit test keeps it so.

// basics: facts of the domain, and what the JDK lacks
//SOURCES Action.java
//SOURCES AddressRange.java
//SOURCES App.java
//SOURCES Await.java
//SOURCES Check.java
//SOURCES Cluster.java
//SOURCES Commands.java
//SOURCES Mesh.java
//SOURCES Platform.java
//SOURCES Problem.java
//SOURCES Proxies.java
//SOURCES Secrets.java
//SOURCES Version.java
//SOURCES Versions.java

// tools: outside programs, the API server, files; they know nothing of what the demo is
//SOURCES Assets.java
//SOURCES Certificates.java
//SOURCES ClientConfig.java
//SOURCES Compose.java
//SOURCES Console.java
//SOURCES CredentialPlugin.java
//SOURCES Definitions.java
//SOURCES Deployments.java
//SOURCES Docker.java
//SOURCES Documents.java
//SOURCES Download.java
//SOURCES Footprint.java
//SOURCES Home.java
//SOURCES Host.java
//SOURCES Kube.java
//SOURCES Kubeconfig.java
//SOURCES Manifests.java
//SOURCES Nodes.java
//SOURCES Plan.java
//SOURCES Pods.java
//SOURCES Program.java
//SOURCES Tool.java
//SOURCES VaultApi.java

// the demo: what it makes, and as the user wants it
//SOURCES Bundle.java
//SOURCES BundleMaker.java
//SOURCES Cacerts.java
//SOURCES CertManager.java
//SOURCES CertificateAuthority.java
//SOURCES Images.java
//SOURCES Inventory.java
//SOURCES Istio.java
//SOURCES IstioCsr.java
//SOURCES IstioInstall.java
//SOURCES IstioSettings.java
//SOURCES Istioctl.java
//SOURCES Kind.java
//SOURCES LocalAuthority.java
//SOURCES MetalLb.java
//SOURCES Remembered.java
//SOURCES RemoteSecrets.java
//SOURCES SampleApp.java
//SOURCES Settings.java
//SOURCES Vault.java

// the proof: what is looked at, tried, told
//SOURCES Checks.java
//SOURCES Client.java
//SOURCES Diagnostics.java
//SOURCES Experiments.java
//SOURCES Lab.java
//SOURCES MeshChecks.java
//SOURCES Outcome.java
//SOURCES PlatformChecks.java
//SOURCES Preflight.java
//SOURCES Report.java
//SOURCES Results.java
//SOURCES Script.java
//SOURCES Traffic.java
//SOURCES TrafficChecks.java
//SOURCES TrustChecks.java

//FILES completion.sh=completion.sh
//FILES report.html=report.html
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
//FILES manifests/vault/compose.yaml=../manifests/vault/compose.yaml

/** Where the library's parts are listed; there is nothing to call here. */
public final class Lib {
    private Lib() {}
}
