package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerStatus;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.client.KubernetesClientException;

/** The pods of a namespace that are not ready, and what they say of themselves. */
public record Pods(Kube kube, String namespace) {
    private static final int LOG_LINES = 6, EVENTS = 2;
    /**
     * After this time an image that cannot be pulled is given up, as nodes get images loaded and none has to be pulled in the first
     * place, and so is a node that takes no pods.
     */
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Set<String> NOT_PULLED = Set.of("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull");
    /** How the kubelet tells that it waits a minute or more to start a container again: after the fourth crash in a row. */
    private static final Pattern CRASHED_OFTEN = Pattern.compile("back-off \\d+m.*");

    static boolean isReady(Pod pod) {
        return pod.getStatus().getConditions().stream().anyMatch(c -> c.getType().equals("Ready") && c.getStatus().equals("True"));
    }

    /**
     * Whether it has not ended for good, as an evicted pod or a finished Job's has, and is not being deleted: such a
     * pod is replaced, and its Deployment's count says whether one is missing.
     * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
     */
    public static boolean isLive(Pod pod) {
        return !"Succeeded".equals(pod.getStatus().getPhase()) && !"Failed".equals(pod.getStatus().getPhase())
                && pod.getMetadata().getDeletionTimestamp() == null;
    }

    /** Its containers, and those that run before them or, as a native sidecar does, beside them. */
    public static Stream<Container> containers(Pod pod) {
        return Stream.concat(pod.getSpec().getContainers().stream(), pod.getSpec().getInitContainers().stream());
    }

    /** The label that says what runs in such pods; empty when there is none. */
    public static String app(PodTemplateSpec template) {
        return Optional.ofNullable(template.getMetadata()).map(ObjectMeta::getLabels).map(l -> l.get("app")).orElse("");
    }

    /** The ready pods with the label {@code app}. */
    public List<Pod> ready(String app) {
        return kube.client().pods().inNamespace(namespace).withLabel("app", app).list().getItems().stream()
                .filter(pod -> isLive(pod) && isReady(pod)).toList();
    }

    /** One of them; a {@link Problem} when there is none. */
    public Pod anyReady(String app) {
        return ready(app).stream().findFirst().orElseThrow(() -> Problem.failed("%s: no pod of %s is ready in %s".formatted(
                kube.cluster(), app, namespace), "%s get pods -n %s".formatted(kube.kubectl(), namespace)));
    }

    private List<Pod> notReady() {
        return kube.client().pods().inNamespace(namespace).list().getItems().stream().filter(p -> isLive(p) && !isReady(p))
                .toList();
    }

    /** A line for each: its phase, and the reasons that its containers wait for. */
    public List<String> states() { return notReady().stream().map(Pods::state).toList(); }

    /** The same with the last events, and, of a container that ended, the last lines that it printed. */
    public String problems() {
        List<String> lines = new ArrayList<>();
        for (Pod pod : notReady()) {
            lines.add(state(pod));
            String name = pod.getMetadata().getName();
            kube.client().v1().events().inNamespace(namespace).withField("involvedObject.name", name).list().getItems().stream().filter(e ->
                    "Warning".equals(e.getType())).sorted(Comparator.comparing(Pods::time).reversed()).limit(EVENTS)
                            .forEach(e -> lines.add("  " + line(e)));
            for (ContainerStatus status : pod.getStatus().getContainerStatuses()) {
                if (status.getRestartCount() == 0) continue;
                lines.add("  last lines of %s, restarted %d times:".formatted(status.getName(), status.getRestartCount()));
                String log = kube.client().pods().resource(pod).inContainer(status.getName()).terminated()
                        .tailingLines(LOG_LINES + Redactor.SPAN).getLog();
                Redactor.lastLines(LOG_LINES, log).lines().forEach(l -> lines.add("    " + l));
            }
        }
        return String.join("\n", lines);
    }

    /** Whether waiting longer is no use for one of them; no when the API server does not tell. */
    public boolean cannotRecover() {
        try {
            List<Pod> late = notReady().stream().filter(pod -> age(pod).compareTo(PATIENCE) > 0).toList();
            if (!late.isEmpty() && Nodes.of(kube).takeNoPods()) return true;
            return late.stream().flatMap(pod -> pod.getStatus().getContainerStatuses().stream()).map(s -> s.getState().getWaiting())
                    .filter(Objects::nonNull).anyMatch(w -> CRASHED_OFTEN.matcher(Objects.toString(w.getMessage(), "")).matches()
                            || NOT_PULLED.contains(Objects.toString(w.getReason(), "")));
        } catch (KubernetesClientException e) {
            return false;
        }
    }

    private static Duration age(Pod pod) {
        return Duration.between(Instant.parse(pod.getMetadata().getCreationTimestamp()), Instant.now());
    }

    private static String state(Pod pod) {
        String reasons = pod.getStatus().getContainerStatuses().stream().map(s -> s.getState().getWaiting()).filter(Objects::nonNull)
                .map(w -> w.getReason() + (w.getMessage() == null ? "" : ": " + w.getMessage())).collect(Collectors.joining("; "));
        return "pod %s is %s %s".formatted(pod.getMetadata().getName(), pod.getStatus().getPhase(), reasons).strip();
    }

    /** When an event was seen last, as Kubernetes writes it; empty when it does not say. */
    public static String time(Event e) {
        return Stream.of(e.getLastTimestamp(), e.getFirstTimestamp(), e.getMetadata().getCreationTimestamp()).filter(Objects::nonNull)
                .findFirst().orElse("");
    }

    public static String line(Event e) { return "%s: %s".formatted(e.getReason(), String.valueOf(e.getMessage()).strip()); }
}
