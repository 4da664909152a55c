"""Brute-force search for hashes by twinpix's compiled loops."""

from collections.abc import Callable, Mapping
from typing import Any

from twinpix import search
from twinpix.compat.imagededup._maps import codes_of


class BruteForceCython:
    """Compares a query with every hash of `hash_dict` by Hamming distance; `distance_function` is ignored."""

    def __init__(self, hash_dict: Mapping[str, str], distance_function: Callable[[str, str], Any]) -> None:
        self.hash_dict = hash_dict
        self.distance_function = distance_function
        self._names, self._codes = list(hash_dict), codes_of(hash_dict)

    def search(self, query: str, tol: int = 10) -> list[tuple[str, int]]:
        """Return names and distances of the hashes within `tol` bits of the query, in the order of the map."""
        width = 2 * self._codes.shape[1] if len(self._names) else len(query)
        asked = codes_of({"": query.zfill(width)})
        _, rows, distance = search.join(asked, self._codes, tol)
        return [(self._names[row], gap) for row, gap in zip(rows.tolist(), distance.tolist(), strict=True)]
