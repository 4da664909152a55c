"""Compute fingerprints of files: read each file once, decode each distinct content once."""
