"""All pairs of codes within a radius, `self_join` and `join`; `nearest`, the k nearest; an `Index` for many queries."""

from twinpix.search.base import Backend, Plan, radius_of_cosine
from twinpix.search.external_sort import TooManyError
from twinpix.search.index import Index
from twinpix.search.joins import PATIENCE, How, Search, check, join, join_blocks, self_join, self_join_blocks
from twinpix.search.knn import nearest

__all__ = [
    "PATIENCE",
    "Backend",
    "How",
    "Index",
    "Plan",
    "Search",
    "TooManyError",
    "check",
    "join",
    "join_blocks",
    "nearest",
    "radius_of_cosine",
    "self_join",
    "self_join_blocks",
]
