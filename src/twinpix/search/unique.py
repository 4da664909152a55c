"""Collapse equal codes before a search and expand them afterwards.

Without this, a thousand equal codes would give hash buckets or neighbour lists of a million pairs.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from twinpix.search.base import Codes, Pairs, words

_BLOCK = 1 << 20  # maximum number of pairs per block
_MANY = 1000  # codes with more rows than this are expanded row by row


class Equal(NamedTuple):
    """The rows of each unique code `u`: `order[starts[u]:starts[u + 1]]`, ascending."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def rows(self, u: int) -> NDArray[np.int64]:
        return self.order[self.starts[u] : self.starts[u + 1]]


def collapse(codes: Codes) -> tuple[NDArray[np.uint64], Equal]:
    """Return the unique codes `(words, n)` and the rows of each."""
    rows = words(codes)
    order = np.argsort(rows[:, 0]) if rows.shape[1] == 1 else np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    if rows.shape[1] == 1:  # argsort, the fastest sort, is not stable: sort the rows of equal codes
        group = np.cumsum(new)
        several = np.flatnonzero(~new | np.append(~new[1:], False))
        order[several] = order[several][np.lexsort((order[several], group[several]))]
    unique = np.ascontiguousarray(ordered[starts].T)
    return unique, Equal(order, np.append(starts, len(ordered)))


def collapse_by_digest(codes: NDArray[Any]) -> tuple[NDArray[np.uint64], Equal]:
    """Collapse by the xxh3-128 digest of each row: for long codes and for floats. See `collapse`."""
    hashed = b"".join(xxhash.xxh3_128_digest(row.data) for row in np.ascontiguousarray(codes))
    return collapse(np.frombuffer(hashed, np.uint8).reshape(len(codes), 16))


def expand_pairs(found: Pairs, left: Equal, right: Equal, *, half: bool) -> Iterator[Pairs]:
    """Yield the pairs of rows for pairs of unique codes, in blocks of at most `_BLOCK` pairs where possible.

    Each pair of codes gives the Cartesian product of their rows. `half`: order each pair so that `i < j`.
    """
    u, v, distance = found
    n, m = left.starts[u + 1] - left.starts[u], right.starts[v + 1] - right.starts[v]
    total = n * m
    if total.max(initial=1) == 1:
        yield _order_ends(left.order[left.starts[u]], right.order[right.starts[v]], distance, half=half)
        return
    ends = np.cumsum(total)
    start = 0
    while start < len(u):
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] - total[start] + _BLOCK, side="right")))
        some = slice(start, stop)
        if stop == start + 1:  # one pair of codes may give very many pairs of rows
            yield from _products(left.rows(u[start]), right.rows(v[start]), distance[start], half=half)
        else:
            at = np.arange(int(total[some].sum())) - np.repeat(np.cumsum(total[some]) - total[some], total[some])
            width = np.repeat(m[some], total[some])
            i = left.order[np.repeat(left.starts[u[some]], total[some]) + at // width]
            j = right.order[np.repeat(right.starts[v[some]], total[some]) + at % width]
            yield _order_ends(i, j, np.repeat(distance[some], total[some]), half=half)
        start = stop


def _products(a: NDArray[np.int64], b: NDArray[np.int64], distance: Any, *, half: bool) -> Iterator[Pairs]:
    step = max(1, _BLOCK // len(b))
    for at in range(0, len(a), step):
        i = np.repeat(a[at : at + step], len(b))
        j = np.tile(b, len(a[at : at + step]))
        yield _order_ends(i, j, np.full(len(i), distance), half=half)


def _order_ends(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[Any], *, half: bool) -> Pairs:
    return (np.minimum(i, j), np.maximum(i, j), distance) if half else (i, j, distance)


def equals(group: Equal, kind: type[np.generic] = np.int32) -> Iterator[Pairs]:
    """Yield every pair of rows that have the same code, with distance 0 of dtype `kind`."""
    counts = group.counts()
    few = np.flatnonzero((counts > 1) & (counts <= _MANY))
    for size in np.unique(counts[few]).tolist():
        first, second = np.triu_indices(size, 1)
        same = few[counts[few] == size]
        step = max(1, _BLOCK // len(first))
        for at in range(0, len(same), step):
            rows = group.order[group.starts[same[at : at + step], None] + np.arange(size)]
            i, j = rows[:, first].ravel(), rows[:, second].ravel()
            yield i, j, np.zeros(len(i), kind)
    for u in np.flatnonzero(counts > _MANY).tolist():
        rows = group.rows(u)
        for at, row in enumerate(rows[:-1].tolist()):
            later = rows[at + 1 :]
            yield np.full(len(later), row), later, np.zeros(len(later), kind)
