"""All pairs of codes within a radius: `self_join` and `join` are the public names, `nearest` the k nearest."""

from twinpix.search._joins import How, Search, join, join_blocks, self_join, self_join_blocks
from twinpix.search.base import Backend, Plan, radius_of_cosine

__all__ = [
    "Backend",
    "How",
    "Plan",
    "Search",
    "join",
    "join_blocks",
    "radius_of_cosine",
    "self_join",
    "self_join_blocks",
]
