/** Results of checks and experiments (text, JSON, JUnit XML, report page), hints from the documentation, diagnostics. */
package lib.report;
