"""From pairs to groups: one file a rule."""

from twinpix.linking.base import Graph, Linking, chains, make

__all__ = ["Graph", "Linking", "chains", "make"]
