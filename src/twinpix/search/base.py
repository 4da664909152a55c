"""What a search back end offers, and the choice among them."""

from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import plugins
from twinpix.errors import UsageError
from twinpix.model import DIGITS

Codes = NDArray[np.uint8]
Vectors = NDArray[Any]  # (n, d) of a kind of floats
Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]
"""Rows `i`, rows `j`, and how far apart: bits as int32, or cosine distances as float32."""

SMALL = 150_000_000  # words that numpy compares before a compiled kernel is worth its start
_AT_ONCE = 4096  # vectors that are brought to length 1 together


class Backend(Protocol):
    """A way to find all pairs within a radius. Exact: the same pairs as the oracle, in the same order.

    Codes are `(n, bytes)` uint8, compared by Hamming distance, or `(n, d)` floats, compared by cosine distance;
    `metrics` says which of the two it takes.
    """

    metrics: ClassVar[tuple[str, ...]]

    def pairs(self, codes: NDArray[Any], radius: Any) -> Pairs:
        """Pairs `i < j` of rows of `codes` at most `radius` apart."""

    def between(self, queries: NDArray[Any], gallery: NDArray[Any], radius: Any) -> Pairs:
        """Pairs of a row `i` of `queries` and a row `j` of `gallery` at most `radius` apart."""


def self_join(codes: NDArray[Any], radius: float, backend: str = "auto") -> Pairs:
    """All pairs of codes at most `radius` apart.

    `codes` is `(n, bytes)` uint8, compared by Hamming distance, or `(n, d)` floats, compared by cosine
    distance (1 - cosine, rounded to four decimals; whatever their lengths). Returns arrays `i, j, distance`
    with `i < j`, sorted by `i` then `j`; the radius is inclusive. Raises `ValueError` for codes of another
    type or shape, floats that are not finite or all zero, or a negative radius.
    """
    codes = _checked(codes, radius)
    work = len(codes) ** 2 // 2 * codes.shape[1] // 8
    return in_order(*choose(backend, work, metric_of(codes)).pairs(codes, radius))


def join(queries: NDArray[Any], gallery: NDArray[Any], radius: float, backend: str = "auto") -> Pairs:
    """All pairs of a query and a gallery code at most `radius` apart; see `self_join`."""
    queries, gallery = _checked(queries, radius), _checked(gallery, radius)
    if metric_of(queries) != metric_of(gallery):
        raise ValueError("queries and gallery are both bits, or both floats")
    if queries.shape[1] != gallery.shape[1]:
        unit_ = "bytes" if queries.dtype == np.uint8 else "numbers"
        raise ValueError(f"queries of {queries.shape[1]} {unit_}, gallery of {gallery.shape[1]}: widths must agree")
    work = len(queries) * len(gallery) * queries.shape[1] // 8
    return in_order(*choose(backend, work, metric_of(queries)).between(queries, gallery, radius))


def metric_of(codes: NDArray[Any]) -> str:
    """By which metric codes of this type are compared."""
    return "hamming" if codes.dtype == np.uint8 else "cosine"


def choose(backend: str, work: int, metric: str = "hamming") -> Backend:
    """The back end by name; `auto` takes numpy for little work and what is faster for more.

    Raises `UsageError` for one that does not know the metric.
    """
    if backend == "auto":
        backend = "cosine" if metric == "cosine" else "oracle" if work <= SMALL else "banded"
    chosen = cast(Backend, plugins.make("search", backend))
    if metric not in chosen.metrics:
        able = [name for name in plugins.names("search") if metric in plugins.load("search", name).metrics]
        raise UsageError(f"{backend} does not compare by {metric} distance; these do: {', '.join(able)}")
    return chosen


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
    for at in range(0, len(vectors), _AT_ONCE):
        real = vectors[at : at + _AT_ONCE]
        scaled = _sized(real if real.dtype == np.float64 else real.astype(np.float32)).astype(np.float32)
        directions[at : at + _AT_ONCE] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return directions


def radius_of_cosine(least: float) -> float:
    """The radius within which cosines are at least so much."""
    return round(1.0 - least, DIGITS)


def _sized(vectors: Vectors) -> Vectors:
    """The same directions with 1 as their largest number, so that squares neither vanish nor overflow."""
    sized: Vectors = vectors / np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    return sized


def cosine_distances(left: Vectors, right: Vectors) -> NDArray[np.float32]:
    """The distance of each row of `left` from the same row of `right`: 1 - cosine, at least 0, to four decimals."""
    a, b = _sized(left.astype(np.float64)), _sized(right.astype(np.float64))
    lengths = np.sqrt((a * a).sum(axis=1)) * np.sqrt((b * b).sum(axis=1))
    distances: NDArray[np.float64] = np.maximum(1 - (a * b).sum(axis=1) / lengths, 0)
    return np.round(distances, DIGITS).astype(np.float32)


def _checked(codes: NDArray[Any], radius: float) -> NDArray[Any]:
    codes = np.asarray(codes)
    floats = np.issubdtype(codes.dtype, np.floating)
    if (codes.dtype != np.uint8 and not floats) or codes.ndim != 2 or codes.shape[1] == 0:
        raise ValueError(f"codes must be (n, bytes) uint8 or (n, d) floats, not {codes.shape} {codes.dtype}")
    if not radius >= 0:
        raise ValueError(f"the radius must not be negative, it is {radius}")
    if floats:
        if not np.isfinite(codes).all():
            raise ValueError("codes must be finite numbers")
        if not codes.any(axis=1).all():
            raise ValueError("a code of zeros has no direction")
    elif radius != int(radius):
        raise ValueError(f"the radius of bits is a whole number, not {radius}")
    return codes
