///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 25+
//DESCRIPTION The tests: unit tests, with --e2e those on real clusters and in a real browser too, with --long the long proofs
//SOURCES ../Lib.java
//SOURCES AddressRangeTest.java
//SOURCES AssetsTest.java
//SOURCES BadInputTest.java
//SOURCES BreakageTest.java
//SOURCES BundleTest.java
//SOURCES CertificatesTest.java
//SOURCES ChecksTest.java
//SOURCES ClientConfigTest.java
//SOURCES CommandsTest.java
//SOURCES ComposeTest.java
//SOURCES ConsoleTest.java
//SOURCES ContextsTest.java
//SOURCES DemoTest.java
//SOURCES DiagnosticsTest.java
//SOURCES DockerTest.java
//SOURCES DownloadTest.java
//SOURCES DryRunMeshTest.java
//SOURCES DryRunTest.java
//SOURCES ExistingClustersTest.java
//SOURCES FailureTest.java
//SOURCES FakeApiServer.java
//SOURCES FetchTest.java
//SOURCES GeneratedInputTest.java
//SOURCES HelpTest.java
//SOURCES InotifyTest.java
//SOURCES InterruptionTest.java
//SOURCES IstioCsrMeshTest.java
//SOURCES JUnitOutputTest.java
//SOURCES KubeconfigTest.java
//SOURCES LabTest.java
//SOURCES LayersTest.java
//SOURCES ManifestsTest.java
//SOURCES Mirror.java
//SOURCES MissingResourcesTest.java
//SOURCES OptionsTest.java
//SOURCES OfflineTest.java
//SOURCES OwnDemo.java
//SOURCES ParsingTest.java
//SOURCES PinsTest.java
//SOURCES PlanTest.java
//SOURCES PortsTest.java
//SOURCES Probe.java
//SOURCES ReportTest.java
//SOURCES ProgramTest.java
//SOURCES ReadmeTest.java
//SOURCES RepairTest.java
//SOURCES SettingsTest.java
//SOURCES Shell.java
//SOURCES SideBySideTest.java
//SOURCES Soak.java
//SOURCES SoakTest.java
//SOURCES TeardownTest.java
//SOURCES Upstream.java
//SOURCES Terminal.java
//SOURCES UnreachableNetworkTest.java
//SOURCES UrlTest.java
//SOURCES VaultMeshTest.java
//SOURCES VaultTest.java
//DEPS org.junit.platform:junit-platform-console-standalone:6.1.3

package lib;

import module java.base;
import org.junit.platform.console.ConsoleLauncher;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** Runs the tests by JUnit's console launcher; other arguments go to it as they are, such as {@code --include-classname '.*PlanTest'}. */
public final class Tests {
    private Tests() {}

    public static void main(String[] arguments) {
        List<String> rest = new ArrayList<>(List.of(arguments));
        List<String> tags = new ArrayList<>(List.of("unit"));
        if (rest.remove("--e2e")) tags.addAll(List.of("e2e", "browser"));
        if (rest.remove("--long")) tags.add("long");
        String own = Path.of(URI.create(Tests.class.getProtectionDomain().getCodeSource().getLocation().toString())).toString();
        List<String> words = new ArrayList<>(List.of("execute", "--scan-classpath=" + own, "--fail-if-no-tests", "--disable-banner",
                "--details=tree"));
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
