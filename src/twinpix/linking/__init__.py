"""Linking rules, one per file: from matched pairs to groups."""

from twinpix.linking.base import Graph, Linking, chains, make

__all__ = ["Graph", "Linking", "chains", "make"]
