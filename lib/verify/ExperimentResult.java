package lib.verify;

import module java.base;
import lib.experiments.*;
import lib.run.*;

/**
 * What an experiment showed.
 *
 * @param status  SKIPPED when the mesh's settings rule it out
 * @param saw     what was seen, a line each; the reason when it was skipped
 * @param wrong   what should have been otherwise; empty when all held
 * @param figures what was measured, by name; the unit is in the name
 * @param runs    the traffic that was watched
 * @param seconds how long it took, with putting everything back
 */
public record ExperimentResult(String name, String title, Status status, List<String> saw, List<String> wrong, Map<String, Number> figures,
        List<Traffic.Run> runs, double seconds) {}
