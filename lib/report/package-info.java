/** Results of checks and experiments (text, JSON, JUnit XML, report page), hints of the documentation, diagnostics. */
package lib.report;
