"""Reports: pure functions from a run log to HTML, JUnit XML, Markdown and JSON."""
