package lib.run;

/** How a check or an experiment ended. */
public enum Status { PASSED, WARNING, FAILED, SKIPPED }
