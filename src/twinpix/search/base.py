"""What a search back end offers, and what back ends share."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twinpix.model import DIGITS

Codes = NDArray[np.uint8]
Vectors = NDArray[Any]  # (n, d) of a kind of floats
Pairs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Rows `i`, rows `j`, of any kind of whole numbers, and how far apart: bits, or cosine distances as float32."""

OnProgress = Callable[[float], None]
"""Is told now and then, by the thread that asks for the next block, which share of a search is done."""

AT_ONCE = 4096  # vectors that are looked at together
FARTHEST = 2.0  # of cosine distances: a larger radius finds no more


class Plan(NamedTuple):
    """How a back end would go about a search."""

    exact: bool  # else the pairs are those that it happens upon, each at its exact distance
    seconds: float  # that it is reckoned to take on this machine
    how: str  # for people: what it does
    blocks: Callable[
        [OnProgress], Iterator[Pairs]
    ]  # does it: every pair once, in any order, no more than a block at a time


class Backend(Protocol):
    """A way to find all pairs within a radius, which is inclusive.

    Codes are `(n, bytes)` uint8, compared by Hamming distance, or `(n, d)` floats, compared by cosine distance;
    `metrics` says which of the two it takes. Blocks may be asked for in part: what is left is then not searched.
    """

    metrics: ClassVar[tuple[str, ...]]

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: Any) -> Plan:
        """Pairs of a row `i` of `queries` and a row `j` of `gallery`; without one, pairs `i < j` of rows of `queries`.

        There is at least one row on either side. Raises `UsageError` for a setting that does not fit.
        """


def no_progress(share: float) -> None:
    """Tell nobody."""


def metric_of(codes: NDArray[Any]) -> str:
    """By which metric codes of this type are compared."""
    return "hamming" if codes.dtype == np.uint8 else "cosine"


def kind_of_distances(codes: NDArray[Any]) -> type[np.generic]:
    """How distances of codes are held: bits, or cosine distances."""
    return np.int32 if metric_of(codes) == "hamming" else np.float32


def in_order(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[Any]) -> Pairs:
    """The same pairs sorted by `i`, then `j`."""
    order = np.lexsort((j, i))
    return i[order], j[order], distance[order]


def no_pairs(kind: type[np.generic] = np.int32) -> Pairs:
    """Nothing found."""
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, kind)


def words(codes: Codes) -> NDArray[np.uint64]:
    """Codes `(..., bytes)` as `(..., words)` of 64 bits, filled up with zeros."""
    missing = -codes.shape[-1] % 8
    if missing:
        codes = np.pad(codes, [*[(0, 0)] * (codes.ndim - 1), (0, missing)])
    return np.ascontiguousarray(codes).view(np.uint64)


def unit(vectors: Vectors) -> NDArray[np.float32]:
    """The same directions with length 1, in single precision."""
    directions = np.empty(vectors.shape, dtype=np.float32)
    for at in range(0, len(vectors), AT_ONCE):
        real = vectors[at : at + AT_ONCE]
        wide = real.dtype.itemsize > 4  # in whatever order its bytes are: its numbers may be too large for less
        scaled = sized(real if wide else real.astype(np.float32)).astype(np.float32)
        directions[at : at + AT_ONCE] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return directions


def radius_of_cosine(least: float) -> float:
    """The radius within which cosines are at least so much."""
    return round(1.0 - least, DIGITS)


def sized(vectors: Vectors) -> Vectors:
    """The same directions with 1 as their largest number, so that squares neither vanish nor overflow."""
    sized: Vectors = vectors / np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    return sized


def cosine_distances(left: Vectors, right: Vectors) -> NDArray[np.float32]:
    """The distance of each row of `left` from the same row of `right`: 1 - cosine, at least 0, to four decimals."""
    a, b = sized(left.astype(np.float64)), sized(right.astype(np.float64))
    lengths = np.sqrt((a * a).sum(axis=1)) * np.sqrt((b * b).sum(axis=1))
    distances: NDArray[np.float64] = np.maximum(1 - (a * b).sum(axis=1) / lengths, 0)
    return np.round(distances, DIGITS).astype(np.float32)
