///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION Runs the unit tests; with --e2e also those on real clusters and in a browser, with --long the long ones
//SOURCES ../Lib.java
//SOURCES Docs.java
//SOURCES DocsTest.java
//SOURCES FakeApiServer.java
//SOURCES LayersTest.java
//SOURCES ManifestsTest.java
//SOURCES Mirror.java
//SOURCES OwnDemo.java
//SOURCES PinsTest.java
//SOURCES Requirements.java
//SOURCES Shell.java
//SOURCES Terminal.java
//SOURCES Upstream.java
//SOURCES UrlTest.java
//SOURCES ca/CertificatesTest.java
//SOURCES ca/IstioCsrMeshTest.java
//SOURCES ca/VaultMeshTest.java
//SOURCES ca/VaultTest.java
//SOURCES cli/AmbientMeshTest.java
//SOURCES cli/AmbientVariantsTest.java
//SOURCES cli/BadInputTest.java
//SOURCES cli/ContextsTest.java
//SOURCES cli/DemoCommandsTest.java
//SOURCES cli/DemoOptionsTest.java
//SOURCES cli/DemoTest.java
//SOURCES cli/DryRunMeshTest.java
//SOURCES cli/DryRunTest.java
//SOURCES cli/ExistingContextsTest.java
//SOURCES cli/FailureTest.java
//SOURCES cli/GeneratedInputTest.java
//SOURCES cli/HelpTest.java
//SOURCES cli/InterruptionTest.java
//SOURCES cli/OfflineTest.java
//SOURCES cli/Probe.java
//SOURCES cli/SideBySideTest.java
//SOURCES cli/TeardownTest.java
//SOURCES cli/UnreachableNetworkTest.java
//SOURCES docker/ComposeTest.java
//SOURCES docker/DockerTest.java
//SOURCES experiments/ExperimentContextTest.java
//SOURCES experiments/Soak.java
//SOURCES experiments/SoakTest.java
//SOURCES fetch/BinaryTest.java
//SOURCES fetch/BundleTest.java
//SOURCES fetch/DownloadsTest.java
//SOURCES fetch/FetchTest.java
//SOURCES fetch/HttpDownloadTest.java
//SOURCES istio/SettingsTest.java
//SOURCES kind/AddressRangeTest.java
//SOURCES kind/PortsTest.java
//SOURCES kind/RepairTest.java
//SOURCES kubeconfig/ClientConfigTest.java
//SOURCES kubeconfig/KubeconfigTest.java
//SOURCES observe/ObservabilityTest.java
//SOURCES observe/ObservedDemo.java
//SOURCES preflight/InotifyTest.java
//SOURCES report/Browser.java
//SOURCES report/DiagnosticsTest.java
//SOURCES report/JUnitOutputTest.java
//SOURCES report/ReportTest.java
//SOURCES run/ConsoleTest.java
//SOURCES run/ExternalCommandTest.java
//SOURCES run/PlanTest.java
//SOURCES verify/AmbientBreakageTest.java
//SOURCES verify/BreakageTest.java
//SOURCES verify/ChecksTest.java
//SOURCES verify/MissingResourcesTest.java
//SOURCES verify/ParsingTest.java
//DEPS org.junit.platform:junit-platform-console-standalone:6.1.3

package lib.test;

import module java.base;
import org.junit.platform.console.ConsoleLauncher;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs the tests with JUnit's console launcher, which also gets all other arguments, such as {@code --include-classname
 * '.*PlanTest'}.
 */
public final class Tests {
    private Tests() {}

    public static void main(String[] arguments) {
        List<String> rest = new ArrayList<>(List.of(arguments));
        List<String> tags = new ArrayList<>(List.of("unit"));
        if (rest.remove("--e2e")) tags.addAll(List.of("e2e", "browser"));
        if (rest.remove("--long")) tags.add("long");
        String own = Path.of(URI.create(Tests.class.getProtectionDomain().getCodeSource().getLocation().toString()))
                .toString();
        List<String> words = new ArrayList<>(List.of("execute", "--scan-classpath=" + own, "--fail-if-no-tests",
                "--disable-banner", "--details=tree"));
        tags.forEach(tag -> words.add("--include-tag=" + tag));
        words.addAll(rest);
        PrintWriter out = new PrintWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), true);
        var result = ConsoleLauncher.run(out, out, words.toArray(String[]::new));
        if (result.getValue().orElse(null) instanceof TestExecutionSummary s) {
            out.printf("%d passed, %d failed, %d skipped%n", s.getTestsSucceededCount(), s.getTestsFailedCount()
                    + s.getContainersFailedCount(), s.getTestsSkippedCount() + s.getTestsAbortedCount()
                    + s.getContainersAbortedCount());
        }
        System.exit(result.getExitCode());
    }
}
