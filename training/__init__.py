"""How the network of ``fingerprints/cnn`` is made: pack, train, score, export (see README.md)."""
