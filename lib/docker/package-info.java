/** Docker and Docker Compose, by their command lines. */
package lib.docker;
