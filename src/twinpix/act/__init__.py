"""Changing files: plan, check, journal, step, undo. Imports no module that compares images."""
