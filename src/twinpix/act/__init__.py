"""What changes files: plan, check, journal, step; and undo. Imports nothing that compares images."""
