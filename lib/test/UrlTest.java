package lib.test;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import module java.base;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.SimpleFileServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the scripts from a server, as users without a clone do. JBang trusts servers on loopback. */
@Tag("e2e")
class UrlTest {
    @TempDir static Path folder;
    private static HttpServer server;
    private static String url;

    @BeforeAll static void serve() {
        server = SimpleFileServer.createFileServer(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                Shell.PROJECT, SimpleFileServer.OutputLevel.NONE);
        server.start();
        url = "http://127.0.0.1:%d/".formatted(server.getAddress().getPort());
    }

    @AfterAll static void stop() { server.stop(0); }

    /** Runs JBang with a new cache and a new configuration, in a folder without the scripts. */
    private static Shell.Result jbang(String arguments) {
        return Shell.run("cd '%s' && jbang %s".formatted(folder, arguments),
                Map.of("JBANG_DIR", folder.resolve("jbang").toString(),
                        "JBANG_CACHE_DIR", folder.resolve("cache").toString(),
                        "JAVA_HOME", System.getProperty("java.home")));
    }

    @Test void aScriptLoadsItsLibraryAndManifests() {
        Shell.Result plan = jbang(url + "KindDemo.java --dry-run");
        assertEquals(0, plan.exitCode(), plan.all());
        assertTrue(plan.out().contains("kind create cluster --name so2")
                && plan.out().contains("clusterName: istio-so2"), plan.all());
        Shell.Result export = jbang(url + "KindDemo.java --export-manifests mine");
        assertEquals(0, export.exitCode(), export.all());
        assertEquals("", Shell.run("diff -r manifests '%s'".formatted(folder.resolve("mine"))).all());
    }

    @Test void theCatalogNamesTheScripts() throws IOException {
        // with gson 2.10 every catalog is empty: https://github.com/google/gson/issues/1028
        // JBang's own releases contain a newer gson
        Files.writeString(folder.resolve("one.json"),
                "{\"aliases\": {\"one\": {\"script-ref\": \"%sVerify.java\"}}}".formatted(url));
        assumeTrue(jbang("alias list --file one.json").out().contains("one"), "this JBang cannot read any catalog");
        String listed = jbang("alias list %sjbang-catalog.json".formatted(url)).out();
        for (String script : List.of("KindDemo", "Verify", "Teardown"))
            assertTrue(listed.contains(url + script + ".java"), listed);
        Shell.Result version = jbang("verify@%s --version".formatted(url));
        assertTrue(version.out().startsWith("kind-demo "), version.all());
    }
}
