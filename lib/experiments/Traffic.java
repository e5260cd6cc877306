package lib.experiments;

import module java.base;
import module java.net.http;
import lib.istio.*;
import lib.kube.*;
import lib.run.*;
import lib.verify.*;
import lib.verify.ExperimentResult.Event;
import lib.verify.ExperimentResult.Reply;
import io.fabric8.kubernetes.client.dsl.ExecWatch;

/**
 * Requests at a steady rate, each sent whether or not those before it were answered, and what became of each. They end by
 * themselves after a while, also when this program is killed.
 */
public final class Traffic implements AutoCloseable {
    /** A reply as it came: where its instance runs may be known only later. */
    private record Received(double at, double seconds, int code, String body) {}

    /** A rate that a laptop does not feel, and fine enough to see a gap of a tenth of a second. */
    static final int PER_SECOND = 10;
    private static final int MOST = 180 * PER_SECOND;
    /** Far more than an answer takes on a machine that has much to do: a late answer is not a lost one. */
    private static final double PATIENCE = 5;
    /** In the client's container: ends when its input does, which is when whoever reads its output is gone. */
    private static final String LOOP = """
            exec 3<&0; (cat <&3 >/dev/null; kill $$) &
            while [ $((i += 1)) -le "$1" ]; do
              (printf '%s\\n' "$(curl --silent --max-time "$2" --write-out '\\n%{http_code} %{time_total}' "$4")") & sleep "$3"
            done""";
    private static final Pattern END = Pattern.compile("(\\d{3}) (\\d+\\.\\d+)");

    private final String title;
    private final Consumer<String> listener;
    private final Supplier<Map<String, String>> clusterOfInstance;
    private final Map<String, String> known = new ConcurrentHashMap<>();
    private final AtomicBoolean learning = new AtomicBoolean();
    private final List<Received> received = new CopyOnWriteArrayList<>();
    private final List<Event> events = new CopyOnWriteArrayList<>();
    private final long start = System.nanoTime();
    private AutoCloseable source = () -> {};

    private Traffic(String title, Consumer<String> listener, Supplier<Map<String, String>> clusterOfInstance) {
        this.title = title;
        this.listener = listener;
        listener.accept(title);
        this.clusterOfInstance = clusterOfInstance;
        known.putAll(clusterOfInstance.get());
    }

    /** Requests of a cluster's client, through the mesh. */
    static Traffic fromClient(ClientPod client, Consumer<String> listener, Supplier<Map<String, String>> clusterOfInstance) {
        return fromClient(client, listener, clusterOfInstance, MOST);
    }

    /**
     * Requests of a cluster's client, through the mesh.
     *
     * @param listener              told what is done meanwhile, and who answered before
     * @param clusterOfInstance the name of each instance that runs now, and its cluster
     * @param most              how many are sent at most, so that they end by themselves
     */
    static Traffic fromClient(ClientPod client, Consumer<String> listener, Supplier<Map<String, String>> clusterOfInstance, int most) {
        var traffic = new Traffic("requests of the client in %s, %d a second".formatted(client.kube().cluster(), PER_SECOND), listener,
                clusterOfInstance);
        SampleTarget app = client.app();
        String pod = new Pods(client.kube(), app.namespace()).anyReady(app.client()).getMetadata().getName();
        ExecWatch loop = client.kube().client().pods().inNamespace(app.namespace()).withName(pod).inContainer(app.client())
                .redirectingInput().redirectingOutput()
                .exec("sh", "-c", LOOP, "traffic", "" + most, "" + PATIENCE, "" + 1.0 / PER_SECOND, client.url());
        traffic.source = loop;
        Thread.ofVirtual().start(() -> {
            try {
                traffic.read(loop.getOutput());
            } catch (UncheckedIOException e) {
                // the connection is gone: the requests that were answered count
            }
        });
        return traffic;
    }

    private void read(InputStream output) {
        StringBuilder body = new StringBuilder();
        new BufferedReader(new InputStreamReader(output, StandardCharsets.UTF_8)).lines().forEach(line -> {
            Matcher end = END.matcher(line);
            if (end.matches()) {
                answered(Double.parseDouble(end.group(2)), Integer.parseInt(end.group(1)), body.toString());
                body.setLength(0);
            } else {
                body.append(line);
            }
        });
    }

    /** Requests from this machine, which no proxy of its own is asked for. */
    static Traffic fromHost(URI uri, Consumer<String> listener, Supplier<Map<String, String>> clusterOfInstance) {
        var traffic = new Traffic("requests from this machine to %s, %d a second".formatted(uri, PER_SECOND), listener, clusterOfInstance);
        HttpClient http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();
        HttpRequest request = HttpRequest.newBuilder(uri).timeout(Duration.ofMillis((long) (PATIENCE * 1000))).build();
        ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(Thread.ofVirtual().factory());
        var sent = new AtomicInteger();
        clock.scheduleAtFixedRate(() -> {
            if (sent.incrementAndGet() > MOST) return;
            long start = System.nanoTime();
            http.sendAsync(request, HttpResponse.BodyHandlers.ofString()).whenComplete((answer, failure) -> traffic.answered(
                    (System.nanoTime() - start) / 1e9, failure != null ? 0 : answer.statusCode(), failure != null ? "" : answer.body()));
        }, 0, 1000 / PER_SECOND, TimeUnit.MILLISECONDS);
        traffic.source = () -> {
            clock.shutdownNow();
            http.shutdownNow();
        };
        return traffic;
    }

    private void answered(double seconds, int code, String body) {
        received.add(new Received(Math.max(0, now() - seconds), seconds, code, body));
        if (code == 200 && TrafficChecks.whichCluster(body, known).equals("unknown")) learn();
    }

    /** Asks for the instances that were started since, beside the replies that come in meanwhile. */
    private void learn() {
        if (!learning.compareAndSet(false, true)) return;
        Thread.ofVirtual().start(() -> {
            try {
                known.putAll(clusterOfInstance.get());
            } catch (RuntimeException e) {
                // a cluster that does not answer just now is asked again with the next reply
            } finally {
                learning.set(false);
            }
        });
    }

    /** Seconds since the first request. */
    double now() { return (System.nanoTime() - start) / 1e9; }

    /** Notes what is done at this moment; returns when that is. */
    double event(String text) {
        Event event = new Event(now(), text);
        listener.accept("answered: " + count(replies(events.isEmpty() ? 0 : events.getLast().at(), event.at())));
        listener.accept(text);
        events.add(event);
        return event.at();
    }

    List<Reply> replies() { return replies(0, Double.MAX_VALUE); }

    /** Those that were sent from one moment until another. */
    List<Reply> replies(double from, double to) {
        return received.stream().filter(h -> h.at >= from && h.at < to)
                .map(h -> new Reply(h.at, h.seconds, h.code, h.code == 200 ? TrafficChecks.whichCluster(h.body, known) : ""))
                .sorted(Comparator.comparingDouble(Reply::at)).toList();
    }

    /** How many requests each cluster answered among these, and how many were lost. */
    static Map<String, Integer> count(List<Reply> replies) {
        Map<String, Integer> counts = new TreeMap<>();
        replies.forEach(r -> counts.merge(r.lost() ? "lost" : r.cluster(), 1, Integer::sum));
        return counts;
    }

    /** Waits until the last {@code many} requests that were sent after {@code since} are as they should be. */
    void await(String what, double since, int many, Predicate<List<Reply>> right) throws IOException {
        Await.until(what, Duration.ofSeconds(60), Duration.ofMillis(100), _ -> {}, () -> {
            List<Reply> after = replies(since, Double.MAX_VALUE), last = after.subList(Math.max(0, after.size() - many), after.size());
            return last.size() == many && right.test(last) ? "" : "%d answers: %s".formatted(last.size(), count(last));
        });
    }

    /** Waits until so many more are answered, by these clusters alone and by each of them. */
    void awaitAnswersFrom(Set<String> clusters, double since, int many) throws IOException {
        await("answers from " + new TreeSet<>(clusters), since, many, last -> count(last).keySet().equals(clusters));
    }

    ExperimentResult.Requests result() { return new ExperimentResult.Requests(title, replies(), List.copyOf(events)); }

    @Override public void close() {
        try {
            source.close();
        } catch (Exception e) {
            // the connection may be gone already; what was seen counts
        }
    }
}
