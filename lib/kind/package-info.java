/** kind clusters, their node images, MetalLB and its address ranges, and which clusters exist. */
package lib.kind;
