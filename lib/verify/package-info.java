/** Checks by layer, preflight, results (text, JSON, JUnit, report page) and diagnostics. */
package lib.verify;
