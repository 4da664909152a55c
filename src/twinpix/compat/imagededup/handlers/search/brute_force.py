"""Brute-force search with a caller's distance function."""

from collections.abc import Callable, Mapping
from typing import Any


class BruteForce:
    """Compares a query with every hash of `hash_dict`, a map from names to hashes, by `distance_function`."""

    def __init__(self, hash_dict: Mapping[str, str], distance_function: Callable[[str, str], Any]) -> None:
        self.hash_dict = hash_dict
        self.distance_function = distance_function

    def search(self, query: str, tol: int = 10) -> list[tuple[str, Any]]:
        """Return names and distances of the hashes within `tol` of the query, in the order of the map."""
        found = ((name, self.distance_function(query, value)) for name, value in self.hash_dict.items())
        return [(name, distance) for name, distance in found if distance <= tol]
