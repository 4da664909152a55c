"""Keep rules by what a file says of itself: its path, format, size, dates and metadata."""
