"""Search for neighbours of hashes, and cosines of vectors, by their imagededup names."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix import search
from twinpix.compat.imagededup._arguments import CORES, threads_of
from twinpix.compat.imagededup._maps import codes_of, neighbour_map
from twinpix.compat.imagededup.handlers.search.bktree import BKTree
from twinpix.compat.imagededup.handlers.search.brute_force import BruteForce
from twinpix.compat.imagededup.utils.logger import return_logger

DEFAULT_SEARCH = "brute_force_cython"
SEARCH_METHODS = (DEFAULT_SEARCH, "brute_force", "bktree")
"""All find the same pairs; for the Hamming distance, all use one exact join."""
Neighbours = dict[str, list[tuple[str, int]]]

logger = return_logger(__name__)


class HashEval:
    """Finds, for each of `queries`, its neighbours in `test`; both are maps from names to hexadecimal hashes.

    The results are in `query_results_map`: names with distances, the nearest first, without the query's own name.
    Raises `ValueError` for an unknown `search_method`.
    """

    def __init__(
        self,
        test: Mapping[str, str],
        queries: Mapping[str, str],
        distance_function: Callable[[str, str], Any],
        verbose: bool = True,
        threshold: int = 5,
        search_method: str = DEFAULT_SEARCH,
        num_dist_workers: int = CORES,
    ) -> None:
        if search_method not in SEARCH_METHODS:
            raise ValueError(f"search_method is one of {', '.join(SEARCH_METHODS)}, not {search_method!r}")
        self.test, self.queries, self.distance_invoker = test, queries, distance_function
        self.verbose, self.threshold, self.num_dist_workers = verbose, threshold, num_dist_workers
        by_bits = getattr(distance_function, "counts_bits", False)
        self.query_results_map = self._join() if by_bits else self._search_each(search_method)

    def retrieve_results(self, scores: bool = False) -> dict[str, list[Any]]:
        """Return the neighbours of each query: names, or with `scores` pairs of name and distance."""
        if scores:
            return dict(self.query_results_map)
        return {query: [name for name, _ in found] for query, found in self.query_results_map.items()}

    def _join(self) -> Neighbours:
        threads = threads_of(self.num_dist_workers)
        backend = f"banded:threads={threads}" if threads > 1 else "auto"
        if self.queries is self.test or self.queries == self.test:
            pairs = search.self_join(codes_of(self.test), self.threshold, backend)
            return neighbour_map(list(self.test), *pairs, scores=True)
        names, asked = list(self.test), list(self.queries)
        codes = codes_of({**{f"q{at}": self.queries[name] for at, name in enumerate(asked)}, **_add_prefix(self.test)})
        i, j, distance = search.join(codes[: len(asked)], codes[len(asked) :], self.threshold, backend)
        found: Neighbours = {name: [] for name in asked}
        order = np.lexsort((j, distance, i))
        for query, row, gap in zip(i[order].tolist(), j[order].tolist(), distance[order].tolist(), strict=True):
            if names[row] != asked[query]:
                found[asked[query]].append((names[row], gap))
        return found

    def _search_each(self, search_method: str) -> Neighbours:
        """Search each query with the caller's distance function."""
        tree = BKTree if search_method == "bktree" else BruteForce
        searcher = tree(self.test, self.distance_invoker)
        return {
            name: sorted(
                ((other, gap) for other, gap in searcher.search(query=value, tol=self.threshold) if other != name),
                key=lambda pair: pair[1],
            )
            for name, value in self.queries.items()
        }


def _add_prefix(hashes: Mapping[str, str]) -> dict[str, str]:
    return {f"t{at}": value for at, value in enumerate(hashes.values())}


def cosine_similarity_chunk(t: tuple[NDArray[Any], tuple[int, int]]) -> NDArray[np.float16]:
    """Return the cosines of the rows `start` to `stop` of an array `(n, d)` with all of its rows, float16."""
    vectors, (start, stop) = t
    return _cosines(vectors[start:stop], vectors).astype(np.float16)


def get_cosine_similarity(
    X: NDArray[Any],  # noqa: N803 - the name that callers give
    verbose: bool = True,
    chunk_size: int = 1000,
    threshold: int = 10000,
    num_workers: int = 0,
) -> NDArray[Any]:
    """Return the cosines `(n, n)` of all rows of `X` `(n, d)`; float16 for more than `threshold` rows."""
    if len(X) <= threshold:
        return _cosines(X, X)
    starts = range(0, len(X), chunk_size)
    return np.vstack([cosine_similarity_chunk((X, (start, min(start + chunk_size, len(X))))) for start in starts])


def _cosines(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the cosines of all rows of `a` with all rows of `b`; 0 for a zero vector."""
    unit_a, unit_b = (x / np.where(norm := np.linalg.norm(x, axis=1, keepdims=True), norm, 1) for x in (a, b))
    product: NDArray[Any] = unit_a @ unit_b.T
    return product
