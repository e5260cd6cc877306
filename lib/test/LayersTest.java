package lib.test;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The layers of lib/Lib.java: what a source uses is in its own layer or in one listed above. */
@Tag("unit")
class LayersTest {
    private static final Path LIB = Shell.PROJECT.resolve("lib");

    /** Each source by its name, and the number of its layer. */
    private static Map<String, Integer> layers() throws IOException {
        Map<String, Integer> layers = new TreeMap<>();
        int layer = 0;
        boolean between = true;
        for (String line : Files.readAllLines(LIB.resolve("Lib.java"))) {
            boolean source = line.startsWith("//SOURCES ");
            if (source && between) layer++;
            if (source) layers.put(line.substring("//SOURCES ".length()).replace(".java", ""), layer);
            between = !source;
        }
        return layers;
    }

    /** The words of a source, without those of its comments and texts. */
    private static Set<String> words(String source) throws IOException {
        String code = Files.readString(LIB.resolve(source + ".java")).replaceAll("(?s)/\\*.*?\\*/|\"\"\".*?\"\"\"", "")
                .replaceAll("\"(\\\\.|[^\"\\\\])*\"|//.*", "");
        return Pattern.compile("\\w+").matcher(code).results().map(MatchResult::group).collect(Collectors.toSet());
    }

    @Test void noSourceUsesOneOfALaterLayer() throws IOException {
        Map<String, Integer> layers = layers();
        assertEquals(4, new HashSet<>(layers.values()).size(), "each group of //SOURCES in lib/Lib.java is a layer");
        List<String> upwards = new ArrayList<>();
        for (String source : layers.keySet())
            for (String word : words(source))
                if (layers.getOrDefault(word, 0) > layers.get(source)) upwards.add(source + " uses " + word);
        assertEquals(List.of(), upwards);
    }
}
