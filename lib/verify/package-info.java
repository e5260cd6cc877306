/** Checks of the mesh, by layer. */
package lib.verify;
