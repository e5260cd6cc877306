package lib.kube;

import module java.base;
import lib.run.*;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerStateWaiting;
import io.fabric8.kubernetes.api.model.ContainerStatus;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.readiness.Readiness;

/** The pods of a namespace, and why they are not ready. */
public record Pods(Kube kube, String namespace) {
    private static final int LOG_LINES = 6, EVENTS = 2;
    /** How long a pod may fail to pull its image, or stay on a node that accepts no pods, before a wait ends. */
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    /** The label that differs between the revisions of a Deployment. */
    private static final String REVISION = "pod-template-hash";
    private static final Set<String> NOT_PULLED =
            Set.of("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull");
    /** The kubelet waits minutes from the fourth crash in a row. */
    private static final Pattern CRASHED_OFTEN = Pattern.compile("back-off \\d+m.*");

    /**
     * Whether a pod has not ended for good, as an evicted pod or a finished Job's has, and is not being deleted. Such a
     * pod is replaced, and the count of its Deployment shows whether one is missing.
     * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
     */
    public static boolean isLive(Pod pod) {
        return !"Succeeded".equals(pod.getStatus().getPhase()) && !"Failed".equals(pod.getStatus().getPhase())
                && pod.getMetadata().getDeletionTimestamp() == null;
    }

    /** Whether a pod is ready and stays: a pod that is being deleted may still be ready. */
    public static boolean isReady(Pod pod) { return isLive(pod) && Readiness.isPodReady(pod); }

    /** The containers and init containers, which include native sidecars. */
    public static Stream<Container> containers(Pod pod) {
        return Stream.concat(pod.getSpec().getContainers().stream(), pod.getSpec().getInitContainers().stream());
    }

    /** The label {@code app} of a pod template, or an empty text. */
    public static String app(PodTemplateSpec template) {
        return Optional.ofNullable(template.getMetadata()).map(ObjectMeta::getLabels).map(l -> l.get("app")).orElse("");
    }

    /** The ready pods with the label {@code app}. */
    public List<Pod> ready(String app) {
        return kube.client().pods().inNamespace(namespace).withLabel("app", app).list().getItems().stream()
                .filter(Pods::isReady).toList();
    }

    /** A ready pod with the label {@code app}. Throws a Problem when there is none. */
    public Pod anyReady(String app) {
        return ready(app).stream().findFirst().orElseThrow(() -> Problem.failed(
                "%s: no pod of %s is ready in %s".formatted(kube.cluster(), app, namespace),
                "%s get pods -n %s".formatted(kube.kubectl(), namespace)));
    }

    private List<Pod> notReady() {
        return kube.client().pods().inNamespace(namespace).list().getItems().stream()
                .filter(pod -> isLive(pod) && !Readiness.isPodReady(pod)).toList();
    }

    /** A line for each pod that is not ready: its phase, and why its containers wait. */
    public List<String> states() { return notReady().stream().map(Pods::state).toList(); }

    /** The same with the latest warnings, and the last log lines of containers that ended. */
    public String problems() {
        List<String> lines = new ArrayList<>();
        for (Pod pod : notReady()) {
            lines.add(state(pod));
            warnings(pod).forEach(event -> lines.add("  " + line(event)));
            for (ContainerStatus status : statuses(pod).toList()) {
                int restarts = status.getRestartCount();
                if (restarts == 0) continue;
                lines.add("  last lines of %s, restarted %d times:".formatted(status.getName(), restarts));
                lastLog(pod, status.getName()).lines().forEach(line -> lines.add("    " + line));
            }
        }
        return String.join("\n", lines);
    }

    /** The last lines of a container that ended, or why they cannot be read: its node may not answer. */
    private String lastLog(Pod pod, String container) {
        try {
            return Redactor.lastLines(LOG_LINES, kube.client().pods().resource(pod).inContainer(container).terminated()
                    .tailingLines(LOG_LINES + Redactor.SPAN).getLog());
        } catch (KubernetesClientException e) {
            return "not readable: " + Kube.reason(e);
        }
    }

    private Stream<Event> warnings(Pod pod) {
        return kube.client().v1().events().inNamespace(namespace)
                .withField("involvedObject.name", pod.getMetadata().getName()).list().getItems().stream()
                .filter(event -> "Warning".equals(event.getType()))
                .sorted(Comparator.comparing(Pods::time).reversed()).limit(EVENTS);
    }

    /**
     * Whether waiting longer is useless for one of the pods; false if the API server does not answer. A pod of an older
     * revision counts no longer: a rollout that repairs it is on its way.
     */
    public boolean cannotRecover() {
        try {
            List<Pod> all = notReady();
            List<Pod> late = all.stream().filter(pod -> age(pod).compareTo(PATIENCE) > 0 && !isReplaced(pod, all))
                    .toList();
            if (!late.isEmpty() && Nodes.of(kube).rejectPods()) return true;
            return late.stream().flatMap(Pods::waiting)
                    .anyMatch(w -> CRASHED_OFTEN.matcher(Objects.toString(w.getMessage(), "")).matches()
                            || NOT_PULLED.contains(Objects.toString(w.getReason(), "")));
        } catch (KubernetesClientException e) {
            return false;
        }
    }

    /** Whether one of the pods is younger and of another revision of the same Deployment. */
    static boolean isReplaced(Pod pod, List<Pod> all) {
        return all.stream().anyMatch(other -> Objects.equals(label(pod, "app"), label(other, "app"))
                && !Objects.equals(label(pod, REVISION), label(other, REVISION))
                && age(other).compareTo(age(pod)) < 0);
    }

    private static String label(Pod pod, String name) {
        return Objects.requireNonNullElse(pod.getMetadata().getLabels(), Map.<String, String>of()).get(name);
    }

    /** The statuses of the containers and init containers: an image that cannot be pulled may be the sidecar's. */
    private static Stream<ContainerStatus> statuses(Pod pod) {
        return Stream.concat(pod.getStatus().getInitContainerStatuses().stream(),
                pod.getStatus().getContainerStatuses().stream());
    }

    private static Stream<ContainerStateWaiting> waiting(Pod pod) {
        return statuses(pod).map(s -> s.getState().getWaiting()).filter(Objects::nonNull);
    }

    private static Duration age(Pod pod) {
        return Duration.between(Instant.parse(pod.getMetadata().getCreationTimestamp()), Instant.now());
    }

    private static String state(Pod pod) {
        String reasons = waiting(pod).map(w -> w.getReason() + (w.getMessage() == null ? "" : ": " + w.getMessage()))
                .collect(Collectors.joining("; "));
        return "pod %s is %s %s".formatted(pod.getMetadata().getName(), pod.getStatus().getPhase(), reasons).strip();
    }

    /** When an event was last seen, as Kubernetes writes it, or an empty text. */
    public static String time(Event e) {
        return Stream.of(e.getLastTimestamp(), e.getFirstTimestamp(), e.getMetadata().getCreationTimestamp())
                .filter(Objects::nonNull).findFirst().orElse("");
    }

    public static String line(Event e) {
        return "%s: %s".formatted(e.getReason(), String.valueOf(e.getMessage()).strip());
    }
}
