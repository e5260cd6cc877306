package lib.docker;

import static lib.docker.DockerCli.*;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/** Docker's images. */
public final class DockerImages {
    /** The message about a missing image: its name, and docker's reason. */
    public static final String NOT_PULLED = "image %s not found locally, and cannot be pulled: %s";
    /** How long a registry may take to answer the docker command, and until Docker begins to pull an image. */
    private static final Duration ANSWER = Duration.ofSeconds(10), PULL_STARTS = Duration.ofSeconds(30);

    private final ExternalCommand docker;

    DockerImages(ExternalCommand docker) { this.docker = docker; }

    /** The IDs of those images that Docker has, by name. */
    public Map<String, String> present(Collection<String> images) {
        Map<String, String> ids = new TreeMap<>();
        if (images.isEmpty()) return ids;
        ExternalCommand.Result result = docker.attempt(SHORT, words(images, "image", "inspect"));
        if (result.ok()) {
            Iterator<JsonNode> found = parse(result.out()).iterator();
            images.forEach(image -> ids.put(image, found.next().path("Id").asText()));
        } else if (images.size() > 1) {
            images.forEach(image -> ids.putAll(present(List.of(image))));
        }
        return ids;
    }

    /**
     * The message of docker why a missing image cannot be pulled; empty if it can. First the docker command asks the
     * registry. If that fails, Docker begins to pull the image: only Docker knows its mirrors, proxies and insecure
     * registries.
     */
    public String whyNotPullable(String image) {
        if (isPublished(image)) return "";
        var printed = new ByteArrayOutputStream() {
            @Override public void write(byte[] bytes, int from, int count) {
                super.write(bytes, from, count);
                // Docker has found the image; the rest of the pull is not needed
                if (toString(StandardCharsets.UTF_8).contains("Pulling")) throw new CancellationException();
            }
        };
        try {
            docker.into(PULL_STARTS, printed, "pull", image);
            return "";
        } catch (CancellationException e) {
            return "";
        } catch (IOException | Problem e) {
            String last = e.getMessage().lines().reduce((_, line) -> line).orElse("");
            boolean timedOut = last.endsWith(":"); // docker printed no message
            return timedOut ? "`docker pull` did not begin within %d s".formatted(PULL_STARTS.toSeconds()) : last;
        }
    }

    private boolean isPublished(String image) {
        try {
            return docker.attempt(ANSWER, "manifest", "inspect", image).ok();
        } catch (Problem p) {
            return false; // no answer in time: Docker may use another route to the registry
        }
    }

    public void pull(String image) { docker.run(LONG, "pull", "--quiet", image); }

    public void tag(String image, String name) { docker.run(SHORT, "tag", image, name); }

    /** Writes images as one archive, in which they share layers. */
    public void save(Collection<String> images, OutputStream out) throws IOException {
        docker.into(LONG, out, words(images, "save"));
    }

    /** Loads the images of such an archive. */
    public void load(InputStream archive) throws IOException { docker.from(LONG, archive, "load"); }

    /** Streams such an archive into a command that runs in a container. */
    public void copy(Collection<String> images, String container, String... command) {
        docker.pipe(LONG, words(images, "save"), words(List.of(command), "exec", "--interactive", container));
    }

    /** Creates a labelled image from a container's files, which starts like the image {@code base}. */
    public void commit(String container, String base, String image) {
        JsonNode config = parse(docker.run(SHORT, "image", "inspect", base)).get(0).path("Config");
        // null if it is empty, and absent since Docker 29
        String command = config.path("Cmd").isArray() ? config.path("Cmd").toString() : "[]";
        docker.run(LONG, "commit", "--change", "ENTRYPOINT " + config.path("Entrypoint"), "--change", "CMD " + command,
                "--change", "LABEL %s=node %s=%s".formatted(LABEL, BASE_LABEL, base), container, image);
    }

    /** The images of a repository, as repository:tag. */
    public List<String> of(String repository) {
        return docker.run(SHORT, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).lines().toList();
    }

    /** Removes images. Throws a Problem when a container uses one. */
    public void remove(List<String> names) { if (!names.isEmpty()) docker.run(LONG, words(names, "image", "rm")); }
}
