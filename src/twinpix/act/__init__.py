"""Changing files: plan, check, journal, step, undo. Imports nothing that compares images."""
