"""Files that contain images as members: one module for each kind."""
