package lib.docker;

import module java.base;
import lib.run.*;
import com.fasterxml.jackson.databind.JsonNode;

/**
 * The properties of the running Docker.
 *
 * @param security the names of its security options, such as seccomp, rootless, userns
 * @param limits   whether it can limit a container's memory, processes and CPU
 */
public record DockerInfo(String version, long memoryBytes, String rootDir, String cgroupVersion, Set<String> security,
        boolean limits) {
    private static final String START =
            "start Docker (Docker Desktop, or `sudo systemctl start docker`), then check with `docker info`";
    /** {@code docker info} takes seconds on some machines. If nothing listens, it fails at once. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** @throws Problem when Docker does not answer, or is Podman */
    static DockerInfo of(ExternalCommand docker) {
        try {
            return read(docker.attemptUnlogged(LIMIT, "info", "--format", "{{json .}}"));
        } catch (Problem p) {
            if (p.exitCode() == Problem.UNMET) throw p;
            throw Problem.unmet("Docker does not answer: `docker info` took over %d s".formatted(LIMIT.toSeconds()),
                    START);
        }
    }

    /** Fields: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System */
    static DockerInfo read(ExternalCommand.Result result) {
        JsonNode info = DockerCli.parse(result.out().isBlank() ? "{}" : result.out());
        String version = info.path("ServerVersion").asText(), rootDir = info.path("DockerRootDir").asText();
        // Podman's command prints other fields; Podman's socket reports its own folder and licence to docker
        if (info.has("host") || version.isEmpty() && result.err().contains("odman")
                || rootDir.endsWith("/containers/storage") || info.path("ProductLicense").asText().equals("Apache-2.0"))
            throw Problem.unmet("`docker` is Podman here, and the demo needs Docker",
                    "install Docker: https://docs.docker.com/get-docker/; check DOCKER_HOST and `docker context ls`");
        // some versions of the command exit with 0 even if Docker does not answer
        if (!result.ok() || version.isEmpty())
            throw Problem.unmet("Docker does not answer: "
                    + result.lastLines().lines().reduce((_, last) -> last).orElse("`docker info` failed"), START);
        Set<String> security = new TreeSet<>();
        for (JsonNode option : info.path("SecurityOptions")) // such as name=seccomp,profile=default
            security.add(option.asText().replaceFirst("(^|.*,)name=", "").replaceFirst(",.*", ""));
        boolean limits = !info.path("CgroupDriver").asText().equals("none")
                && Stream.of("MemoryLimit", "PidsLimit", "CPUShares").allMatch(field -> info.path(field).asBoolean());
        return new DockerInfo(version, info.path("MemTotal").asLong(), rootDir, info.path("CgroupVersion").asText(),
                security, limits);
    }
}
