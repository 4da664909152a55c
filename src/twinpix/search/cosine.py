"""Exact join of directions: blocks of products, on a prefix of the numbers where that is enough to rule pairs out.

For unit vectors cut in two parts, a·b ≤ a₁·b₁ + |a₂||b₂|, so a pair whose prefixes and lengths of the rest
cannot reach the threshold is never multiplied in full. The whole matrix is never held. What remains is
computed again in double precision, and rounded to `DIGITS`, so that the result does not depend on the order
in which a processor adds.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Pairs, Plan, Tell, Vectors, cosine_distances, unit

_ROWS, _COLUMNS = 512, 4096
_GALLERY = 1 << 16  # rows whose unit vectors are held at once: in eight orientations they are many
_SLACK = 1e-4  # of a product in single precision, and of the rounding
_SAMPLE = 400
_SURVIVOR_COST = 40.0  # of a pair looked at again, in products of one number
_SECONDS = 1e-11  # of a product
_AT_ONCE = 1 << 23  # numbers of pairs looked at again together: of a thousand equal pictures every pair is one

_Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cosine:
    """Blocked products with a prefix bound, on so many threads (0: as many as numpy's own products take)."""

    metrics: ClassVar[tuple[str, ...]] = ("cosine",)

    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError("threads must not be negative")

    def plan(self, queries: Vectors, gallery: Vectors | None, radius: float) -> Plan:
        rows = len(queries) * (len(queries) / 2 if gallery is None else len(gallery))
        seconds = rows * queries.shape[1] * _SECONDS

        def blocks(tell: Tell) -> Iterator[Pairs]:
            if gallery is None:
                yield from self._join(queries, queries, radius, tell, half=True)
                return
            for start in range(0, len(gallery), _GALLERY):
                part = gallery[start : start + _GALLERY]
                for i, j, distance in self._join(queries, part, radius, lambda share: None, half=False):
                    yield i, j + start, distance
                tell(min(1.0, (start + _GALLERY) / len(gallery)))

        return Plan(True, seconds, "blocks of products", blocks)

    def _join(self, queries: Vectors, gallery: Vectors, radius: float, tell: Tell, *, half: bool) -> Iterator[Pairs]:
        left = unit(queries)
        parts = _parts(left, left if half else unit(gallery), np.float32(1 - radius - _SLACK))

        def near(starts: Sequence[int]) -> list[Pairs]:
            found = []
            for i, j in _candidates(parts, starts, half=half):
                distance = cosine_distances(queries[i], gallery[j])
                kept = distance <= np.float32(radius)
                found.append((i[kept], j[kept], distance[kept]))
            return found

        bands = range(0, len(left), _ROWS)
        if self.threads > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                shares = [bands[at :: self.threads] for at in range(self.threads)]
                for found in pool.map(near, shares):
                    yield from found
            return
        for band in bands:
            yield from near([band])
            tell(min(1.0, (band + _ROWS) / len(left)))


class _Parts(NamedTuple):
    """What is joined: unit vectors, how many of their numbers to multiply first, and the length of the rest."""

    left: Vectors
    right: Vectors
    least: np.float32  # a pair's product
    prefix: int
    head: Vectors  # the first numbers of `right`, close together
    left_rest: NDArray[np.float32]
    right_rest: NDArray[np.float32]


def _parts(left: Vectors, right: Vectors, least: np.float32) -> _Parts:
    prefix = _prefix(left, right, least)
    head = np.ascontiguousarray(right[:, :prefix])
    return _Parts(left, right, least, prefix, head, _rest(left, prefix), _rest(right, prefix))


def _candidates(parts: _Parts, starts: Sequence[int], *, half: bool) -> Iterator[tuple[_Rows, _Rows]]:
    """Pairs whose product may reach the least, of the bands of rows at `starts`; of a self-join, those with i < j."""
    left, right, least, prefix, head, left_rest, right_rest = parts
    whole = prefix == left.shape[1]
    for row in starts:
        rows = np.ascontiguousarray(left[row : row + _ROWS, :prefix])
        for column in range(row if half else 0, len(right), _COLUMNS):
            product = rows @ head[column : column + _COLUMNS].T
            if not whole:
                product += np.outer(left_rest[row : row + _ROWS], right_rest[column : column + _COLUMNS])
            at = np.flatnonzero(product >= least)
            every_i, every_j = at // product.shape[1] + row, at % product.shape[1] + column
            if half and column < row + _ROWS:
                later = every_j > every_i
                every_i, every_j = every_i[later], every_j[later]
            for i, j in _portions(every_i, every_j, left.shape[1]):
                if whole:
                    yield i, j
                    continue
                full = np.einsum("nd,nd->n", left[i], right[j]) >= least
                if full.any():
                    yield i[full], j[full]


def _portions(i: _Rows, j: _Rows, dims: int) -> Iterator[tuple[_Rows, _Rows]]:
    """The same pairs, no more at once than fit into memory with their numbers."""
    step = max(1, _AT_ONCE // dims)
    for at in range(0, len(i), step):
        yield i[at : at + step], j[at : at + step]


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
    rest = vectors[:, prefix:]
    length: NDArray[np.float32] = np.sqrt(np.einsum("nd,nd->n", rest, rest))
    return length
