"""Companion files of images: which kinds there are, and which belong to an image."""
