"""Files that hold images as members: one module for each kind."""
