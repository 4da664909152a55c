"""Compiled loops that compare codes."""
