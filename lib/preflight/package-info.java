/** Checks of this machine, before a demo is created. */
package lib.preflight;
