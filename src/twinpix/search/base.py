"""What a search back end offers, and the choice among them."""

from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from twinpix import plugins

Codes = NDArray[np.uint8]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]

SMALL = 150_000_000  # words that numpy compares before a compiled kernel is worth its start


class Backend(Protocol):
    """A way to find all pairs within a radius. Exact: the same pairs as the oracle, in the same order."""

    metrics: ClassVar[tuple[str, ...]]

    def pairs(self, codes: Codes, radius: int) -> Pairs:
        """Pairs `i < j` of rows of `codes` `(n, bytes)` at most `radius` bits apart."""

    def between(self, queries: Codes, gallery: Codes, radius: int) -> Pairs:
        """Pairs of a row `i` of `queries` and a row `j` of `gallery` at most `radius` bits apart."""


def self_join(codes: NDArray[Any], radius: int, backend: str = "auto") -> Pairs:
    """All pairs of codes at most `radius` apart.

    `codes` is `(n, bytes)` uint8. Returns arrays `i, j, distance` with `i < j`, sorted by `i` then `j`;
    the radius is inclusive. Raises `ValueError` for codes of another type or shape or a negative radius.
    """
    codes = _checked(codes, radius)
    work = len(codes) ** 2 // 2 * codes.shape[1] // 8
    return in_order(*choose(backend, work).pairs(codes, radius))


def join(queries: NDArray[Any], gallery: NDArray[Any], radius: int, backend: str = "auto") -> Pairs:
    """All pairs of a query and a gallery code at most `radius` apart; see `self_join`."""
    queries, gallery = _checked(queries, radius), _checked(gallery, radius)
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries of {queries.shape[1]} bytes, gallery of {gallery.shape[1]}: widths must agree")
    work = len(queries) * len(gallery) * queries.shape[1] // 8
    return in_order(*choose(backend, work).between(queries, gallery, radius))


def choose(backend: str, work: int) -> Backend:
    """The back end by name; `auto` takes numpy for little work and compiled kernels for more."""
    if backend == "auto":
        backend = "oracle" if work <= SMALL else "banded"
    return cast(Backend, plugins.make("search", backend))


def in_order(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[np.int32]) -> Pairs:
    """The same pairs sorted by `i`, then `j`."""
    order = np.lexsort((j, i))
    return i[order], j[order], distance[order]


def words(codes: Codes) -> NDArray[np.uint64]:
    """Codes `(..., bytes)` as `(..., words)` of 64 bits, filled up with zeros."""
    missing = -codes.shape[-1] % 8
    if missing:
        codes = np.pad(codes, [*[(0, 0)] * (codes.ndim - 1), (0, missing)])
    return np.ascontiguousarray(codes).view(np.uint64)


def _checked(codes: NDArray[Any], radius: int) -> Codes:
    codes = np.asarray(codes)
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] == 0:
        raise ValueError(f"codes must be (n, bytes) uint8, not {codes.shape} {codes.dtype}")
    if radius < 0:
        raise ValueError(f"the radius must not be negative, it is {radius}")
    return codes
