"""Exact and approximate range search over codes: `self_join`, `join`, and an `Index` for repeated queries."""

from twinpix.search.base import Backend, Plan, radius_of_cosine
from twinpix.search.external_sort import TooManyError
from twinpix.search.index import Index
from twinpix.search.joins import PATIENCE, How, Search, check, join, self_join, self_join_blocks

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
    "radius_of_cosine",
    "self_join",
    "self_join_blocks",
]
