"""From files to fingerprints: each file is read once, each content decoded once."""
