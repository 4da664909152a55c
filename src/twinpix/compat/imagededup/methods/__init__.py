"""The hash methods and the network method of imagededup."""

from twinpix.compat.imagededup.methods.cnn import CNN
from twinpix.compat.imagededup.methods.hashing import AHash, DHash, PHash, WHash

__all__ = ["CNN", "AHash", "DHash", "PHash", "WHash"]
