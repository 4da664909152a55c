"""All pairs of codes within a radius: `self_join` and `join` are the public names."""

from twinpix.search.base import Backend, choose, join, radius_of_cosine, self_join

__all__ = ["Backend", "choose", "join", "radius_of_cosine", "self_join"]
