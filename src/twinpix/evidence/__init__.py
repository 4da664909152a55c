"""Measurements of one image, and of two images under one transform, from which `verify` decides."""
