/** The command line: options, the base class of the scripts, wiring of the objects. Only this package knows options. */
package lib.cli;
