"""The hash methods."""

from twinpix.compat.imagededup.methods.hashing import AHash, DHash, PHash, WHash

__all__ = ["AHash", "DHash", "PHash", "WHash"]
