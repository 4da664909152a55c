"""From a report to a plan: which files are changed, with which other files, and their targets. Only reads."""
