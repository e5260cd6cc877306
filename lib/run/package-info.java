/** External commands, the plan of steps, waiting, the console, errors for users, folders, and this machine. */
package lib.run;
