"""Exact join of directions: blocks of products, on a prefix of the numbers where that is enough to rule pairs out.

For unit vectors cut in two parts, a·b ≤ a₁·b₁ + |a₂||b₂|, so a pair whose prefixes and lengths of the rest
cannot reach the threshold is never multiplied in full. The whole matrix is never held. What remains is
computed again in double precision, and rounded to `DIGITS`, so that the result does not depend on the order
in which a processor adds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Pairs, Vectors, cosine_distances, no_pairs, unit

_ROWS, _COLUMNS = 512, 4096
_SLACK = 1e-4  # of a product in single precision, and of the rounding
_SAMPLE = 400
_SURVIVOR_COST = 40.0  # of a pair looked at again, in products of one number


@dataclass(frozen=True, slots=True)
class Cosine:
    """Blocked products with a prefix bound."""

    metrics: ClassVar[tuple[str, ...]] = ("cosine",)

    def pairs(self, codes: Vectors, radius: float) -> Pairs:
        return self._join(codes, codes, radius, half=True)

    def between(self, queries: Vectors, gallery: Vectors, radius: float) -> Pairs:
        return self._join(queries, gallery, radius, half=False)

    def _join(self, queries: Vectors, gallery: Vectors, radius: float, *, half: bool) -> Pairs:
        if not len(queries) or not len(gallery):
            return no_pairs(np.float32)
        left = unit(queries)
        right = left if half else unit(gallery)
        least = np.float32(1 - radius - _SLACK)
        prefix = _prefix(left, right, least)
        found = [
            (i, j, distance)
            for i, j in _candidates(left, right, prefix, least, half=half)
            for distance in [cosine_distances(queries[i], gallery[j])]
        ]
        kept = [
            (i[near], j[near], distance[near]) for i, j, distance in found for near in [distance <= np.float32(radius)]
        ]
        if not kept:
            return no_pairs(np.float32)
        return tuple(np.concatenate(column) for column in zip(*kept, strict=True))  # type: ignore[return-value]


def _candidates(
    left: Vectors, right: Vectors, prefix: int, least: np.float32, *, half: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks of pairs whose product may reach `least`; of a self-join, those with i < j."""
    head, other = left[:, :prefix], np.ascontiguousarray(right[:, :prefix])
    rest, other_rest = _rest(left, prefix), _rest(right, prefix)
    for row in range(0, len(left), _ROWS):
        rows = np.ascontiguousarray(head[row : row + _ROWS])
        for column in range(row if half else 0, len(right), _COLUMNS):
            product = rows @ other[column : column + _COLUMNS].T
            if prefix < left.shape[1]:
                product += np.outer(rest[row : row + _ROWS], other_rest[column : column + _COLUMNS])
            at = np.flatnonzero(product >= least)
            i, j = at // product.shape[1] + row, at % product.shape[1] + column
            if half and column < row + _ROWS:
                later = j > i
                i, j = i[later], j[later]
            if prefix < left.shape[1] and len(i):
                full = np.einsum("nd,nd->n", left[i], right[j]) >= least
                i, j = i[full], j[full]
            if len(i):
                yield i, j


def _prefix(left: Vectors, right: Vectors, least: np.float32) -> int:
    """How many numbers to multiply first: measured on a sample, so that what survives costs less than is saved."""
    dims = left.shape[1]
    a = left[:: max(1, len(left) // _SAMPLE)]
    b = right[len(right) // 3 % 7 :: max(1, len(right) // _SAMPLE)]
    best, cost = int(dims), float(dims)
    for prefix in (dims // 8, dims // 4, dims // 2, 3 * dims // 4):
        if prefix >= 16:
            bound = a[:, :prefix] @ b[:, :prefix].T + np.outer(_rest(a, prefix), _rest(b, prefix))
            now = prefix + float((bound >= least).mean()) * _SURVIVOR_COST * dims
            if now < cost:
                best, cost = prefix, now
    return best


def _rest(vectors: Vectors, prefix: int) -> NDArray[np.float32]:
    """The length of what follows the prefix."""
    length: NDArray[np.float32] = np.linalg.norm(vectors[:, prefix:], axis=1)
    return length
