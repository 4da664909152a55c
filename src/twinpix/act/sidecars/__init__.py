"""Companion files of images: their kinds, and which belong to an image."""
