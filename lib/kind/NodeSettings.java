package lib.kind;

/**
 * The nodes that the demo's clusters should have.
 *
 * @param workers    worker nodes per cluster
 * @param workersSet whether an option says so; otherwise an existing cluster may have another number
 * @param image      kind's node image
 * @param imageSet   whether an option says so
 */
public record NodeSettings(int workers, boolean workersSet, String image, boolean imageSet) {}
