"""Metrics by their imagededup names."""
