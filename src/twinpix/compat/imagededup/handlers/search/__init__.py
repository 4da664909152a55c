"""Searches by their imagededup names."""
