package lib.cli;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import lib.docker.*;
import lib.kubeconfig.*;
import lib.run.*;
import lib.test.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Teardown reports what it could not remove, and keeps what another demo needs. The tests use containers with the
 * labels of nodes instead of real nodes.
 */
class TeardownTest {
    private final Map<String, String> own = new HashMap<>(Shell.ownFolders());
    private final Path folder = Path.of(own.get("XDG_STATE_HOME")), state = folder.resolve("kind-demo/td");

    @AfterEach void removeAll() {
        Shell.run("docker rm --force --volumes td1-control-plane other1-control-plane other-helper; "
                + "docker volume rm kind-demo-images-td-needed kind-demo-images-td-unused; "
                + "docker image rm kind-demo/node:td-needed kind-demo/node:td-unused");
    }

    private static void node(String cluster, String image) {
        Shell.succeeds(("docker run --detach --name %1$s-control-plane --label io.x-k8s.kind.cluster=%1$s"
                + " --label kind-demo=node --label io.x-k8s.kind.role=control-plane --entrypoint sleep %2$s 600")
                .formatted(cluster, image));
    }

    private static boolean exists(String what, String name) {
        return Shell.run("docker %s inspect %s".formatted(what, name)).exitCode() == 0;
    }

    /** Creates the demo td with one node, a context and a root key. */
    private void createDemo() throws IOException {
        node("td1", Shell.NODE_IMAGE);
        Files.createDirectories(state);
        Files.writeString(state.resolve("root-key.pem"), "key");
        Files.writeString(Path.of(own.get("KUBECONFIG")), """
                apiVersion: v1
                kind: Config
                contexts: [{name: kind-td1, context: {cluster: kind-td1, user: kind-td1}}]
                clusters: [{name: kind-td1, cluster: {server: "https://127.0.0.1:1"}}]
                users: [{name: kind-td1, user: {}}]
                """);
    }

    private boolean hasContext() { return new Kubeconfig(List.of(Path.of(own.get("KUBECONFIG")))).has("kind-td1"); }

    @Tag("e2e") @Test void reportsRemainingNodesAndKeepsTheState() throws IOException {
        createDemo();
        String kind = Shell.run("readlink -f $(command -v kind)").out().strip();
        Path stub = Files.createDirectories(folder.resolve("bin")).resolve("kind");
        Files.writeString(stub, "#!/bin/sh\n[ \"$1\" = version ] && exec '%s' version\nexit 0\n".formatted(kind));
        assertTrue(stub.toFile().setExecutable(true));
        var environment = new HashMap<>(own);
        environment.put("PATH", stub.getParent() + ":" + System.getenv("PATH"));
        Shell.Result teardown = Shell.run("jbang Teardown.java --name-prefix td", environment);
        assertEquals(Problem.FAILED, teardown.exitCode(), teardown.all());
        assertTrue(teardown.err().contains("td1: its nodes still exist: td1-control-plane"), teardown.all());
        assertTrue(teardown.err().contains("docker rm --force --volumes td1-control-plane"), teardown.all());
        assertFalse(teardown.out().contains("removed"), teardown.out());
        assertTrue(exists("container", "td1-control-plane") && Files.exists(state.resolve("root-key.pem"))
                && hasContext());
    }

    @Tag("e2e") @Test void ignoresAnotherProvider() throws IOException {
        createDemo();
        own.put("KIND_EXPERIMENTAL_PROVIDER", "podman");
        Shell.succeeds("jbang Teardown.java --name-prefix td", own);
        assertFalse(exists("container", "td1-control-plane") || Files.exists(state) || hasContext());
    }

    private void createAnotherDemo() {
        for (String key : List.of("td-needed", "td-unused"))
            Shell.succeeds(("docker tag %2$s kind-demo/node:%1$s;"
                    + " docker volume create --label kind-demo kind-demo-images-%1$s")
                    .formatted(key, Shell.NODE_IMAGE));
        node("other1", "kind-demo/node:td-needed");
        Shell.succeeds(("docker run --detach --name other-helper --label kind-demo=helper-other"
                + " --entrypoint sleep %s 600").formatted(Shell.NODE_IMAGE));
    }

    @Tag("e2e") @Test void purgeListsWhatAnotherDemoNeeds() {
        createAnotherDemo();
        String printed = Shell.succeeds("jbang Teardown.java --name-prefix td --purge --dry-run", own).out();
        String kept = printed.lines().filter(l -> l.startsWith("kept for clusters ") && l.contains("other1"))
                .findFirst().orElse("");
        String gone = printed.lines().filter(l -> l.startsWith("images and volumes ")).findFirst().orElse("");
        for (String name : List.of("kind-demo/node:td-", "kind-demo-images-td-")) {
            assertTrue(kept.contains(name + "needed") && !kept.contains(name + "unused"), printed);
            assertTrue(gone.contains(name + "unused") && !gone.contains(name + "needed"), printed);
        }
        Shell.succeeds("jbang Teardown.java --name-prefix td", own);
        assertTrue(exists("container", "other-helper"), "a helper container of another demo");
    }

    /** Tagged long because it removes the node images, and so slows down the next demo. */
    @Tag("long") @Test void purgeKeepsWhatAnotherDemoNeeds() throws IOException {
        createAnotherDemo();
        own.putAll(Shell.SAME_JBANG);
        own.put("XDG_CACHE_HOME", folder.resolve("cache").toString());
        Path fetched = Files.createDirectories(folder.resolve("cache/kind-demo")).resolve("fetched");
        Files.writeString(fetched, "");
        Shell.succeeds("jbang Teardown.java --name-prefix td --purge", own);
        assertTrue(exists("image", "kind-demo/node:td-needed") && exists("volume", "kind-demo-images-td-needed")
                && Files.exists(fetched));
        assertFalse(exists("image", "kind-demo/node:td-unused") || exists("volume", "kind-demo-images-td-unused"));
        Shell.succeeds("jbang Teardown.java --name-prefix other --purge", own);
        assertFalse(exists("image", "kind-demo/node:td-needed") || exists("volume", "kind-demo-images-td-needed")
                || exists("container", "other-helper") || Files.exists(fetched));
    }

    /** Sets variables that kind, docker, Compose and istioctl read. The network's name contains a hyphen. */
    @Tag("long") @Test void worksWithExportedVariablesOfOtherTools() {
        own.putAll(Map.of("KIND_EXPERIMENTAL_PROVIDER", "podman", "KIND_EXPERIMENTAL_DOCKER_NETWORK", "my-net",
                "DOCKER_DEFAULT_PLATFORM", "linux/s390x", "COMPOSE_FILE", "none.yaml", "COMPOSE_PROJECT_NAME", "none",
                "ISTIOCTL_ISTIONAMESPACE", "none", "ISTIOCONFIG", "/none.yaml"));
        try {
            Shell.succeeds("jbang KindDemo.java --name-prefix td --clusters 1 --ca vault", own);
            Shell.succeeds("jbang Verify.java --name-prefix td", own);
            assertEquals("my-net", Shell.run("docker inspect td1-control-plane --format "
                    + "'{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}'").out().strip());
            Shell.succeeds(Docker.addressAsShell("td1-control-plane")
                    .replace("\"%s\"".formatted(Docker.network()), "\"my-net\""));
            own.put("KIND_EXPERIMENTAL_DOCKER_NETWORK", "");
        } finally {
            Shell.run("jbang Teardown.java --name-prefix td; docker network rm my-net", own);
        }
        assertFalse(exists("container", "td1-control-plane"));
    }
}
