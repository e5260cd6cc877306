/** Failure experiments: what they change and restore, and the traffic that they send. */
package lib.experiments;
