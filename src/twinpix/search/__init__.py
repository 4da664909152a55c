"""All pairs of codes within a radius, `self_join` and `join`; `nearest`, the k nearest; an `Index` for many queries."""

from twinpix.search._alike import Alike, alike
from twinpix.search._index import Index
from twinpix.search._joins import PATIENCE, How, Search, check, join, join_blocks, self_join, self_join_blocks
from twinpix.search._nearest import nearest
from twinpix.search._ordered import TooManyError
from twinpix.search.base import Backend, Plan, radius_of_cosine

__all__ = [
    "PATIENCE",
    "Alike",
    "Backend",
    "How",
    "Index",
    "Plan",
    "Search",
    "TooManyError",
    "alike",
    "check",
    "join",
    "join_blocks",
    "nearest",
    "radius_of_cosine",
    "self_join",
    "self_join_blocks",
]
