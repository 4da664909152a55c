"""From a report to a plan: which files go, together with which others, and where to. Reads only."""
