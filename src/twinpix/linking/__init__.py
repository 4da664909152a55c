"""From pairs to groups: one file a rule."""

from twinpix.linking.base import Graph, Linking, make

__all__ = ["Graph", "Linking", "make"]
