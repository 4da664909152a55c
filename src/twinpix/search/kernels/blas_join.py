"""Cosine join of small inputs with numpy: faster than loading the compiled kernels."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import OnProgress, Pairs, Plan, Vectors, cosine_distances, unit

_ROWS, _COLUMNS = 256, 8192
_SLACK = 3e-4  # bound on the error of a float32 dot product plus the rounding of distances
_SECONDS = 1e-11  # per multiplication
_AT_ONCE = 1 << 21  # components per block of exact distances: equal images can give very many pairs

RowIndices = NDArray[np.int64] | NDArray[np.int32]


def plan_products(queries: Vectors, gallery: Vectors | None, radius: float) -> Plan:
    """Return a plan that computes all dot products in float32, and the distances of near pairs again in float64."""
    pairs = len(queries) * (len(queries) / 2 if gallery is None else len(gallery))

    def blocks(on_progress: OnProgress) -> Iterator[Pairs]:
        for i, j in _candidates(queries, gallery, np.float32(1 - radius - _SLACK), on_progress):
            yield from measure_pairs(queries, i, queries if gallery is None else gallery, j, radius)

    return Plan(True, pairs * queries.shape[1] * _SECONDS, "blocks of products", blocks)


def measure_pairs(left: Vectors, i: RowIndices, right: Vectors, j: RowIndices, radius: float) -> Iterator[Pairs]:
    """Yield the pairs that are within the radius, with their exact distances."""
    step = max(1, _AT_ONCE // left.shape[1])
    for at in range(0, len(i), step):
        some = slice(at, at + step)
        distance = cosine_distances(left[i[some]], right[j[some]])
        near = distance <= np.float32(radius)
        yield i[some][near], j[some][near], distance[near]


def _candidates(
    queries: Vectors, gallery: Vectors | None, least: np.float32, on_progress: OnProgress
) -> Iterator[tuple[RowIndices, RowIndices]]:
    """Yield the pairs whose float32 dot product is at least `least`; without a gallery only pairs with i < j."""
    right = queries if gallery is None else gallery
    for column in range(0, len(right), _COLUMNS):
        columns = unit(right[column : column + _COLUMNS])
        for row in range(0, len(queries) if gallery is not None else column + len(columns), _ROWS):
            i, j = np.nonzero(unit(queries[row : row + _ROWS]) @ columns.T >= least)
            i, j = i + row, j + column
            later = slice(None) if gallery is not None else i < j
            yield i[later], j[later]
            on_progress((column + min(1.0, (row + _ROWS) / len(queries)) * len(columns)) / len(right))
