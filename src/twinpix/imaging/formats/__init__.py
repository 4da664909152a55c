"""Parsers for file formats, to read headers and structure without decoding the image."""
