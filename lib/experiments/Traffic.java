package lib.experiments;

import module java.base;
import module java.net.http;
import lib.kube.*;
import lib.report.*;
import lib.run.*;
import lib.sample.*;
import lib.verify.*;
import lib.report.ExperimentResult.Event;
import lib.report.ExperimentResult.Reply;
import io.fabric8.kubernetes.client.dsl.ExecWatch;

/**
 * Requests at a steady rate and their replies. A request does not wait for the reply to the one before. The requests
 * end after a while, even if this program is killed.
 */
public final class Traffic implements AutoCloseable {
    /** A reply as it was received: the cluster of its pod may become known later. */
    private record Received(int number, double at, double seconds, int code, String body) {}

    /** Little load for a laptop, and enough to see a gap of a tenth of a second. */
    static final int PER_SECOND = 10;
    static final int MOST = 180 * PER_SECOND;
    /** In seconds. A busy machine needs less for a reply: a late reply does not count as lost. */
    private static final double TIMEOUT = 5;
    /** Runs in the client's container. It ends with its input, and so with this program. */
    private static final String LOOP = """
            exec 3<&0; (cat <&3 >/dev/null; kill $$) &
            while [ $((i += 1)) -le "$1" ]; do
              (printf '%s\\n' "$(curl --silent --max-time "$2" --write-out "\\n%{http_code} %{time_total} $i" "$4")") &
              sleep "$3"
            done""";
    /** The last line for each request, from curl's --write-out: its status, its duration and its number. */
    private static final Pattern END = Pattern.compile("(\\d{3}) (\\d+\\.\\d+) (\\d+)");

    private final String title;
    private final Consumer<String> listener;
    private final Supplier<Map<String, String>> clusterOfPod;
    private final Map<String, String> known = new ConcurrentHashMap<>();
    private final AtomicBoolean updating = new AtomicBoolean();
    private final List<Received> received = new CopyOnWriteArrayList<>();
    private final List<Event> events = new CopyOnWriteArrayList<>();
    private final long start = System.nanoTime();
    private AutoCloseable source = () -> {};

    private Traffic(String title, Consumer<String> listener, Supplier<Map<String, String>> clusterOfPod) {
        this.title = title;
        this.listener = listener;
        this.clusterOfPod = clusterOfPod;
        listener.accept(title);
        known.putAll(clusterOfPod.get());
    }

    /**
     * Starts requests from a cluster's client, through the mesh.
     *
     * @param listener     gets the events, and before each the number of replies
     * @param clusterOfPod the cluster of each running pod, by the pod's name
     * @param most         how many requests are sent at most
     */
    static Traffic fromClient(ClientPod client, Consumer<String> listener, Supplier<Map<String, String>> clusterOfPod,
            int most) {
        Traffic traffic = new Traffic("requests from the client in %s, %d per second"
                .formatted(client.kube().cluster(), PER_SECOND), listener, clusterOfPod);
        SampleTarget app = client.app();
        String pod = new Pods(client.kube(), app.namespace()).anyReady(app.client()).getMetadata().getName();
        ExecWatch loop = client.kube().client().pods().inNamespace(app.namespace()).withName(pod)
                .inContainer(app.client()).redirectingInput().redirectingOutput()
                .exec("sh", "-c", LOOP, "traffic", "" + most, "" + TIMEOUT, "" + 1.0 / PER_SECOND, client.url());
        traffic.source = loop;
        Thread.ofVirtual().start(() -> {
            try {
                traffic.read(loop.getOutput());
            } catch (UncheckedIOException e) {
                // the connection is lost: the replies so far count
            }
        });
        return traffic;
    }

    private void read(InputStream output) {
        StringBuilder body = new StringBuilder();
        new BufferedReader(new InputStreamReader(output, StandardCharsets.UTF_8)).lines().forEach(line -> {
            Matcher end = END.matcher(line);
            if (end.matches()) {
                add(Integer.parseInt(end.group(3)), Double.parseDouble(end.group(2)), Integer.parseInt(end.group(1)),
                        body.toString());
                body.setLength(0);
            } else {
                body.append(line);
            }
        });
    }

    /** Starts requests from this machine, without an HTTP proxy. */
    static Traffic fromHost(URI uri, Consumer<String> listener, Supplier<Map<String, String>> clusterOfPod) {
        Traffic traffic = new Traffic("requests from this machine to %s, %d per second".formatted(uri, PER_SECOND),
                listener, clusterOfPod);
        HttpClient http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();
        HttpRequest request = HttpRequest.newBuilder(uri).timeout(Duration.ofMillis((long) (TIMEOUT * 1000))).build();
        ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(Thread.ofVirtual().factory());
        var sent = new AtomicInteger();
        clock.scheduleAtFixedRate(() -> {
            int number = sent.incrementAndGet();
            if (number > MOST) return;
            long start = System.nanoTime();
            http.sendAsync(request, HttpResponse.BodyHandlers.ofString()).whenComplete((reply, failure) -> {
                double seconds = (System.nanoTime() - start) / 1e9;
                if (failure == null) traffic.add(number, seconds, reply.statusCode(), reply.body());
                else if (!clock.isShutdown()) traffic.add(number, seconds, 0, ""); // close() ends requests, too
            });
        }, 0, 1000 / PER_SECOND, TimeUnit.MILLISECONDS);
        traffic.source = () -> {
            clock.shutdownNow();
            http.shutdownNow();
        };
        return traffic;
    }

    private void add(int number, double seconds, int code, String body) {
        received.add(new Received(number, Math.max(0, now() - seconds), seconds, code, body));
        if (code == 200 && TrafficChecks.cluster(body, known).equals("unknown")) updatePods();
    }

    /** Adds the pods that were started since, in the background. */
    private void updatePods() {
        if (!updating.compareAndSet(false, true)) return;
        Thread.ofVirtual().start(() -> {
            try {
                known.putAll(clusterOfPod.get());
            } catch (RuntimeException e) {
                // a cluster does not answer now: the next reply tries again
            } finally {
                updating.set(false);
            }
        });
    }

    /** Seconds since the start. */
    double now() { return (System.nanoTime() - start) / 1e9; }

    /** To a hundredth of a second. */
    static double round(double seconds) { return Math.round(seconds * 100) / 100.0; }

    /** Records a change that is made now; returns the time. */
    double event(String text) {
        Event event = new Event(now(), text);
        listener.accept("answered: " + count(replies(events.isEmpty() ? 0 : events.getLast().at(), event.at())));
        listener.accept(text);
        events.add(event);
        return event.at();
    }

    List<Reply> replies() { return replies(0, Double.MAX_VALUE); }

    /** The replies to requests that were sent in this period. */
    List<Reply> replies(double from, double to) {
        return received.stream().filter(r -> r.at >= from && r.at < to).map(this::reply)
                .sorted(Comparator.comparingDouble(Reply::at)).toList();
    }

    private Reply reply(Received r) {
        return new Reply(r.at, r.seconds, r.code, r.code == 200 ? TrafficChecks.cluster(r.body, known) : "");
    }

    /** How many of these requests each cluster answered, and how many were lost. */
    static Map<String, Integer> count(List<Reply> replies) {
        Map<String, Integer> counts = new TreeMap<>();
        replies.forEach(reply -> counts.merge(reply.lost() ? "lost" : reply.cluster(), 1, Integer::sum));
        return counts;
    }

    void awaitAnswersFrom(Set<String> clusters, double since, int many) throws IOException {
        awaitAnswersFrom(clusters, since, many, Duration.ofSeconds(60));
    }

    /** How many requests have no reply yet, though a later one has: they may hang until their timeout. */
    private long open() {
        Set<Integer> numbers = received.stream().map(Received::number).collect(Collectors.toSet());
        int last = numbers.stream().mapToInt(number -> number).max().orElse(0);
        // older ones have timed out: curl could not run
        int first = Math.max(1, last - (int) (2 * TIMEOUT * PER_SECOND));
        return IntStream.rangeClosed(first, last).filter(number -> !numbers.contains(number)).count();
    }

    /**
     * Waits until all these clusters and no others answer the last {@code many} requests after {@code since}, and no
     * earlier request is open: what was lost can then be counted.
     */
    void awaitAnswersFrom(Set<String> clusters, double since, int many, Duration limit) throws IOException {
        Await.until("answers from " + new TreeSet<>(clusters), limit, Duration.ofMillis(100), _ -> {}, () -> {
            List<Reply> after = replies(since, Double.MAX_VALUE);
            List<Reply> last = after.subList(Math.max(0, after.size() - many), after.size());
            boolean met = last.size() == many && count(last).keySet().equals(clusters) && open() == 0;
            return met ? "" : "%d answers: %s; %d without a reply yet".formatted(last.size(), count(last), open());
        });
    }

    ExperimentResult.Requests result() { return new ExperimentResult.Requests(title, replies(), List.copyOf(events)); }

    @Override public void close() {
        try {
            source.close();
        } catch (Exception e) {
            // the connection may be lost already: the replies so far count
        }
    }
}
