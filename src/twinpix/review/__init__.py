"""Review a report in the browser: a page to compare the images of each group, decide, and act with undo."""
