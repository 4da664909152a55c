"""The k nearest of each code, exactly: every code is compared with every other, and only the best are kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.machine import cores
from twinpix.search.base import Vectors, cosine_distances, kind_of_distances, metric_of, unit, words
from twinpix.search.joins import SMALL, both, checked
from twinpix.search.unique import digested

Nearest = tuple[NDArray[np.int64], NDArray[Any]]
"""Rows of the gallery `(n, k)`, nearest first, and their distances."""

FEW = SMALL
"""Words that numpy compares before a compiled kernel is worth its start."""

_PARTS = 64
_QUERIES, _GALLERY = 256, 1 << 15  # rows multiplied together
_SLACK = 2e-4  # of a product in single precision, and of the rounding of both that are compared
_NUMBERS = 1 << 23  # of pairs whose exact distances are computed together
_SLOW = 1 << 22  # distances held at once


def nearest(queries: NDArray[Any], gallery: NDArray[Any] | None = None, k: int = 1) -> Nearest:
    """The `k` codes of `gallery` nearest to each query, or, without one, of the other queries.

    Codes and distances are those of `join`. Returns arrays `j` (int64) and `distance`, both `(n, k)`, nearest
    first, of equally near ones the earlier row first. There are fewer columns when there are fewer codes. Raises
    `ValueError` as `join` does, and for a `k` below 1.
    """
    if k < 1:
        raise ValueError(f"k is a number of codes, at least 1, not {k}")
    if gallery is None:
        queries = checked(queries, 0)
        k = min(k, max(len(queries) - 1, 0))
    else:
        queries, gallery = both(queries, gallery, 0)
        k = min(k, len(gallery))
    if not len(queries) or not k:
        return np.empty((len(queries), k), np.int64), np.empty((len(queries), k), kind_of_distances(queries))
    if metric_of(queries) == "cosine":
        return _angles(queries, gallery, k)
    left, right = words(queries), None if gallery is None else words(gallery)
    work = left.size * len(left if right is None else right)
    return slow(left, right, k) if work <= FEW else _bits(left, right, k)


def slow(left: NDArray[np.uint64], right: NDArray[np.uint64] | None, k: int) -> Nearest:
    """The k nearest of codes `(n, words)`, in numpy: all distances, sorted."""
    other = left if right is None else right
    found, distances = np.empty((len(left), k), np.int64), np.empty((len(left), k), np.int32)
    step = max(1, _SLOW // other.size)
    for at in range(0, len(left), step):
        gaps = np.zeros((len(left[at : at + step]), len(other)), np.int32)
        for word in range(left.shape[1]):
            gaps += np.bitwise_count(left[at : at + step, word, None] ^ other[None, :, word])
        if right is None:
            gaps[np.arange(len(gaps)), at + np.arange(len(gaps))] = np.iinfo(np.int32).max
        order = np.argsort(gaps, axis=1, kind="stable")[:, :k]
        found[at : at + step], distances[at : at + step] = order, np.take_along_axis(gaps, order, axis=1)
    return found, distances


def _bits(left: NDArray[np.uint64], right: NDArray[np.uint64] | None, k: int) -> Nearest:
    from twinpix.search.kernels import hamming

    a = np.ascontiguousarray(left.T)
    b = a if right is None else np.ascontiguousarray(right.T)
    found = np.full((len(left), k), -1, np.int64)
    distances = np.full((len(left), k), 64 * left.shape[1] + 1, np.int32)
    looked = {1: (0,), 4: (0, 1, 2, 3)}.get(len(a), (0,) * 5)  # some words say nothing of neighbours that are far
    edges = np.linspace(0, len(left), min(_PARTS, len(left)) + 1).astype(np.int64)
    with ThreadPoolExecutor(cores()) as pool:
        parts = pool.map(
            lambda start, stop: hamming.nearest(a, b, right is None, looked, start, stop, found, distances),
            edges[:-1].tolist(),
            edges[1:].tolist(),
        )
        list(parts)
    return found, distances


def _angles(queries: Vectors, gallery: Vectors | None, k: int) -> Nearest:
    """A block of the gallery at a time: what may be among a query's best so far is compared exactly with them."""
    other = queries if gallery is None else gallery
    first = _first_of_equal(other, k + (gallery is None))
    found = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.inf, np.float32)
    for start in range(0, len(first), _GALLERY):
        there = first[start : start + _GALLERY]
        block = unit(other[there])
        for at in range(0, len(queries), _QUERIES):
            rows = slice(at, at + _QUERIES)
            product = unit(queries[rows]) @ block.T
            if gallery is None:
                own = np.arange(at, at + len(product))
                column = np.minimum(np.searchsorted(there, own), len(there) - 1)
                inside = np.flatnonzero(there[column] == own)
                product[inside, column[inside]] = -np.inf
            for i, j in _hopeful(product, distances[rows], k, queries.shape[1]):
                gaps = cosine_distances(queries[rows][i], other[there[j]])
                _merge(found[rows], distances[rows], i, there[j], gaps)
    return found, distances


def _first_of_equal(codes: Vectors, count: int) -> NDArray[np.int64]:
    """Rows but those that so many equal ones come before: they are nobody's nearest, and may be very many."""
    _, equal = digested(codes)
    rank = np.arange(len(codes)) - np.repeat(equal.starts[:-1], equal.counts())
    return np.sort(equal.order[rank < count])


def _hopeful(
    product: NDArray[np.float32], distances: NDArray[np.float32], k: int, dims: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs that may be among the best of a row: those of this block, unless better ones are known."""
    least = 1 - distances[:, -1]
    if not np.isfinite(least).all():
        best = product.shape[1] - min(k, product.shape[1])
        least = np.maximum(least, np.partition(product, best, axis=1)[:, best])
    least -= np.float32(_SLACK)
    i, j = np.nonzero((product >= least[:, None]) & np.isfinite(product))
    step = max(1, _NUMBERS // dims)
    for at in range(0, len(i), step):
        yield i[at : at + step], j[at : at + step]


def _merge(
    found: NDArray[np.int64],
    distances: NDArray[np.float32],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    gaps: NDArray[np.float32],
) -> None:
    """Put candidates among the best of their rows, in place."""
    touched, width = np.unique(i), found.shape[1]
    rows = np.concatenate([np.repeat(touched, width), i])
    others = np.concatenate([found[touched].ravel(), j])
    gaps = np.concatenate([distances[touched].ravel(), gaps])
    order = np.lexsort((others, gaps, rows))
    rows, others, gaps = rows[order], others[order], gaps[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < width
    found[touched] = others[kept].reshape(len(touched), width)
    distances[touched] = gaps[kept].reshape(len(touched), width)
