package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Each package of lib/ uses only packages that lib/Lib.java lists before it, and no classes depend on one another in a
 * circle.
 */
@Tag("unit")
class LayersTest {
    private static final Path LIB = Shell.PROJECT.resolve("lib");

    /** The other classes that each class uses: their names in its source, outside of comments and strings. */
    private static Map<String, Set<String>> uses(Map<String, String> sources) {
        Map<String, String> paths = new TreeMap<>();
        sources.keySet().forEach(path -> paths.put(path.replaceFirst(".*/", ""), path));
        Map<String, Set<String>> uses = new TreeMap<>();
        sources.forEach((path, source) -> {
            String code = source.replaceAll("(?s)/\\*.*?\\*/|\"\"\".*?\"\"\"", "")
                    .replaceAll("\"(\\\\.|[^\"\\\\])*\"|//.*", "");
            Set<String> used = Pattern.compile("(?<![.\\w])[A-Z]\\w*").matcher(code).results()
                    .map(m -> paths.get(m.group()))
                    .filter(Objects::nonNull).filter(other -> !other.equals(path))
                    .collect(Collectors.toCollection(TreeSet::new));
            uses.put(path, used);
        });
        return uses;
    }

    /** The sources that lib/Lib.java lists, without their endings, such as kube/Cluster. */
    private static List<String> listed() throws IOException {
        return Files.readAllLines(LIB.resolve("Lib.java")).stream().filter(line -> line.startsWith("//SOURCES "))
                .map(line -> line.substring("//SOURCES ".length()).replace(".java", ""))
                .filter(s -> !s.endsWith("package-info")).toList();
    }

    private static Map<String, String> sources() throws IOException {
        Map<String, String> sources = new TreeMap<>();
        for (String path : listed()) sources.put(path, Files.readString(LIB.resolve(path + ".java")));
        return sources;
    }

    private static String folder(String path) { return path.replaceFirst("/.*", ""); }

    private static List<String> upward(Map<String, String> sources) throws IOException {
        List<String> order = listed().stream().map(LayersTest::folder).distinct().toList();
        List<String> upward = new ArrayList<>();
        uses(sources).forEach((path, used) -> used.stream()
                .filter(other -> order.indexOf(folder(other)) > order.indexOf(folder(path)))
                .forEach(other -> upward.add("%s uses %s".formatted(path, other))));
        return upward;
    }

    /** Each circle of classes, as the shortest path from a class back to itself. */
    private static Set<String> circles(Map<String, String> sources) {
        Map<String, Set<String>> uses = uses(sources);
        Set<String> circles = new TreeSet<>();
        for (String start : uses.keySet()) {
            Map<String, String> from = new HashMap<>();
            Deque<String> open = new ArrayDeque<>(List.of(start));
            while (!open.isEmpty() && !from.containsKey(start)) {
                String path = open.poll();
                for (String other : uses.get(path)) if (from.putIfAbsent(other, path) == null) open.add(other);
            }
            if (!from.containsKey(start)) continue;
            List<String> way = new ArrayList<>(List.of(start));
            for (String path = from.get(start); !path.equals(start); path = from.get(path)) way.addFirst(path);
            circles.add(start + " uses " + String.join(" uses ", way));
        }
        return circles;
    }

    @Test void dependenciesPointDown() throws IOException { assertEquals(List.of(), upward(sources())); }

    @Test void hasNoCircularDependencies() throws IOException { assertEquals(Set.of(), circles(sources())); }

    @Test void catchesAPlantedUpwardDependency() throws IOException {
        Map<String, String> sources = sources();
        sources.computeIfPresent("run/Console", (_, text) -> text
                + "class Planted { Kube kube; /* Checks */ String s = \"Docker\"; }");
        assertEquals(List.of("run/Console uses kube/Kube"), upward(sources));
    }

    @Test void catchesAPlantedCircle() throws IOException {
        Map<String, String> sources = sources();
        sources.computeIfPresent("run/Step", (_, text) -> text + "class Planted { Plan plan; }");
        assertTrue(circles(sources).contains("run/Step uses run/Plan uses run/Step"), circles(sources)::toString);
    }

    @Test void everyFolderIsAPackageWithAComment() throws IOException {
        for (String folder : listed().stream().map(LayersTest::folder).distinct().toList()) {
            String info = Files.readString(LIB.resolve(folder + "/package-info.java"));
            assertTrue(info.matches("(?s)/\\*\\* .+\\. \\*/\\npackage lib\\.%s;\\n".formatted(folder)), folder + ": "
                    + info);
        }
    }
}
