/** The sample application: its installation, its client pod, and its locality rule. */
package lib.sample;
