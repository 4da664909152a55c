"""The hash methods, and the one of a network."""

from twinpix.compat.imagededup.methods.cnn import CNN
from twinpix.compat.imagededup.methods.hashing import AHash, DHash, PHash, WHash

__all__ = ["CNN", "AHash", "DHash", "PHash", "WHash"]
