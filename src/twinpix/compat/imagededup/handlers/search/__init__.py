"""Searches by their old names."""
