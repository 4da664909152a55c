"""Metrics by their old names."""
