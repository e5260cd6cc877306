package lib.report;

/** Whether the mesh can work when a check fails. */
public enum Severity { FATAL, WARNING }
