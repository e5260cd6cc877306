/** Runs things: outside commands, the plan of steps, waiting, the console, user-facing errors, folders and this machine. */
package lib.run;
