"""Interfaces of other tools, translated to twinpix's own functions."""
