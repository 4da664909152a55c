"""Training of the network of ``fingerprints/cnn``: pack, train, score, export (see README.md)."""
