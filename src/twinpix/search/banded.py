"""Exact join in near-linear time: codes within r must agree to within t bits on one of m bands.

With Σ(tᵢ + 1) = r + 1 over the bands, two codes within r differ by at most tᵢ on some band i (the
generalised pigeonhole principle), so only buckets whose keys differ that little are compared, in full.
A pair is taken in the first band that admits it. Where bands cannot win, every pair is compared by tiles.

Source: M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index
hashing", https://arxiv.org/abs/1307.2982
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.machine import cores
from twinpix.search.base import Codes, Pairs, no_pairs, words

_MAX_KEY_BITS = 22
_SAMPLE = 2000
_BUFFER = 1 << 16
# Of a look at a bucket, a comparison there (of one word; of several), one in a tile, and sorting a code
# into its bucket: in nanoseconds or so.
_BUCKET_COST, _PAIR_COST, _WIDE_PAIR_COST, _TILE_COST, _SORT_COST = 2.5, 1.0, 6.0, 0.25, 20.0
_STEPS = (1, 1.34, 1.67, 2, 2.5, 3, 4)  # numbers of bands that are tried, as multiples of the least
_LOOKED_AT = 4  # bands of a split whose buckets are looked at
_PARTS = 64  # pieces of work a thread pool shares


class Bands(NamedTuple):
    """A split of the code's bits: where each band starts, how wide it is, how many bits may differ there."""

    firsts: NDArray[np.int64]
    widths: NDArray[np.int64]
    slacks: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Banded:
    """Multi-index hashing, with a cost model that falls back to tiles."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "identity")

    threads: int = 0  # 0: one a core

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError("threads must not be negative")

    def pairs(self, codes: Codes, radius: int) -> Pairs:
        unique, group = _collapse(codes)
        found = self._join(unique, None, radius)
        return _expand_self(found, group)

    def between(self, queries: Codes, gallery: Codes, radius: int) -> Pairs:
        left, left_group = _collapse(queries)
        right, right_group = _collapse(gallery)
        return _expand_two(self._join(left, right, radius), left_group, right_group)

    def _join(self, left: NDArray[np.uint64], right: NDArray[np.uint64] | None, radius: int) -> Pairs:
        other = left if right is None else right
        if left.shape[1] == 0 or other.shape[1] == 0:
            return no_pairs()
        radius = min(radius, 64 * left.shape[0])
        bands = choose_bands(left, other, radius)
        with ThreadPoolExecutor(self.threads or cores()) as pool:
            blocks = (
                _by_tiles(left, right, radius, pool) if bands is None else _by_bands(left, right, radius, bands, pool)
            )
            return _gathered(blocks)


# -- equal codes ---------------------------------------------------------------------------------------


class Equal(NamedTuple):
    """Which rows hold each unique code: `order[starts[u]:starts[u + 1]]`, ascending."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        return np.diff(self.starts)


def _collapse(codes: Codes) -> tuple[NDArray[np.uint64], Equal]:
    """Unique codes as `(words, n)`, and the rows that hold each: equal codes would make quadratic buckets."""
    rows = words(codes)
    order = np.argsort(rows[:, 0], kind="stable") if rows.shape[1] == 1 else np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    unique = np.ascontiguousarray(ordered[starts].T)
    return unique, Equal(order, np.append(starts, len(ordered)))


def _expand_self(found: Pairs, group: Equal) -> Pairs:
    i, j, distance = _expand_two(found, group, group)
    i, j = np.minimum(i, j), np.maximum(i, j)
    a, b = [], []
    counts = group.counts()
    for u in np.flatnonzero(counts > 1):
        rows = np.sort(group.order[group.starts[u] : group.starts[u + 1]])
        first, second = np.triu_indices(len(rows), 1)
        a.append(rows[first])
        b.append(rows[second])
    if not a:
        return i, j, distance
    equal_i, equal_j = np.concatenate(a), np.concatenate(b)
    zeros = np.zeros(len(equal_i), np.int32)
    return np.concatenate([i, equal_i]), np.concatenate([j, equal_j]), np.concatenate([distance, zeros])


def _expand_two(found: Pairs, left: Equal, right: Equal) -> Pairs:
    """Pairs of unique codes to pairs of rows: the product of the rows that hold them."""
    u, v, distance = found
    n, m = left.counts()[u], right.counts()[v]
    total = n * m
    if len(total) and total.max() == 1:
        return left.order[left.starts[u]], right.order[right.starts[v]], distance
    at = np.arange(int(total.sum())) - np.repeat(np.cumsum(total) - total, total)
    width = np.repeat(m, total)
    i = left.order[np.repeat(left.starts[u], total) + at // np.maximum(width, 1)]
    j = right.order[np.repeat(right.starts[v], total) + at % np.maximum(width, 1)]
    return i, j, np.repeat(distance, total)


# -- the choice of bands -------------------------------------------------------------------------------


def choose_bands(left: NDArray[np.uint64], right: NDArray[np.uint64], radius: int) -> Bands | None:
    """The cheapest split by a sample of the codes themselves; None when comparing everything is cheaper."""
    bits, mine, theirs = 64 * left.shape[0], left.shape[1], right.shape[1]
    half = 2 if left is right else 1
    best, cheapest = None, _TILE_COST * mine * theirs * left.shape[0] / half
    sample = left[:, np.linspace(0, mine - 1, min(_SAMPLE, mine)).astype(np.int64)]
    widest = min(_MAX_KEY_BITS, max(8, theirs.bit_length() + 2))
    least = -(-bits // widest)
    for count in sorted({min(int(least * step), radius + 1, bits // 4) for step in _STEPS} | {least}):
        bands = split(bits, radius, count)
        keys = sum(_neighbours(int(w), int(t)) for w, t in zip(bands.widths, bands.slacks, strict=True))
        floor = keys * mine * _BUCKET_COST / half
        if bands.widths.max() > widest or floor > cheapest:
            continue
        looked = range(0, len(bands.firsts), -(-len(bands.firsts) // _LOOKED_AT))
        costs = [_cost_of_band(sample, right, *(int(column[band]) for column in bands)) for band in looked]
        cost = np.mean(costs) * len(bands.firsts) * mine / half
        if cost < cheapest:
            best, cheapest = bands, cost
    return best


def _cost_of_band(sample: NDArray[np.uint64], right: NDArray[np.uint64], first: int, width: int, slack: int) -> float:
    """What a code costs in one band, on average over a sample: buckets looked at, and codes compared there."""
    from twinpix.search import _kernels

    starts, _ = _kernels.bucket_sort(_kernels.bucket_keys(right, first, width), width)
    keys = _kernels.bucket_keys(sample, first, width)
    masks = _masks(width, slack)
    some = masks[np.linspace(0, len(masks) - 1, min(len(masks), 512)).astype(np.int64)]
    near = keys[:, None] ^ some[None]
    sizes = starts[near + 1] - starts[near]
    pair = _PAIR_COST if right.shape[0] == 1 else _WIDE_PAIR_COST
    look: float = float(sizes.mean()) * pair + _BUCKET_COST
    return look * len(masks) + _SORT_COST


def split(bits: int, radius: int, count: int) -> Bands:
    """`count` bands of about equal width whose slacks tᵢ fulfil Σ(tᵢ + 1) = radius + 1.

    With fewer bits of radius than bands, only `radius + 1` bands are needed: the others cannot be the only
    ones that agree.
    """
    edges = np.linspace(0, bits, count + 1).astype(np.int64)
    shares = np.full(count, (radius + 1) // count, dtype=np.int64)
    shares[: (radius + 1) % count] += 1
    used = shares > 0
    return Bands(edges[:-1][used], np.diff(edges)[used], shares[used] - 1)


def _neighbours(width: int, slack: int) -> int:
    return sum(comb(width, k) for k in range(min(slack, width) + 1))


def _masks(width: int, slack: int) -> NDArray[np.int64]:
    """Every key difference of at most `slack` bits, fewest first, then in order."""
    out = [0]
    for k in range(1, min(slack, width) + 1):
        out += sorted(sum(1 << bit for bit in bits) for bits in combinations(range(width), k))
    return np.array(out, dtype=np.int64)


# -- running the kernels -------------------------------------------------------------------------------


Block = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int16]]


def _by_bands(
    left: NDArray[np.uint64],
    right: NDArray[np.uint64] | None,
    radius: int,
    bands: Bands,
    pool: ThreadPoolExecutor,
) -> Iterator[Block]:
    from twinpix.search import _kernels

    for band, (first, width, slack) in enumerate(zip(*bands, strict=True)):
        a = _bucketed(left, first, width)
        b = a if right is None else _bucketed(right, first, width)
        masks = _masks(int(width), int(slack))

        def work(start: int, stop: int, a: Any = a, b: Any = b, masks: Any = masks, band: int = band) -> list[Block]:
            return _drain(
                lambda state, buffers: _kernels.banded(
                    *a, *b, masks, right is None, radius, *bands, band, state, stop, *buffers
                ),
                start,
            )

        edges = np.searchsorted(a[1], np.linspace(0, left.shape[1], _PARTS + 1)).astype(np.int64)
        edges[0], edges[-1] = 0, 1 << int(width)
        for blocks in pool.map(work, edges[:-1].tolist(), edges[1:].tolist()):
            yield from blocks


def _bucketed(
    codes: NDArray[np.uint64], first: int, width: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32]]:
    from twinpix.search import _kernels

    starts, rows = _kernels.bucket_sort(_kernels.bucket_keys(codes, first, width), width)
    return _kernels.gather(codes, rows), starts, rows


def _by_tiles(
    left: NDArray[np.uint64], right: NDArray[np.uint64] | None, radius: int, pool: ThreadPoolExecutor
) -> Iterator[Block]:
    from twinpix.search import _kernels

    other = left if right is None else right

    def work(start: int, stop: int) -> list[Block]:
        return _drain(
            lambda state, buffers: _kernels.blocked(left, other, right is None, radius, state, stop, *buffers),
            start,
        )

    edges = np.linspace(0, left.shape[1], _PARTS * 4 + 1).astype(np.int64).tolist()
    for blocks in pool.map(work, edges[:-1], edges[1:]):
        yield from blocks


def _drain(kernel: Callable[[NDArray[np.int64], Block], int], start: int) -> list[Block]:
    """Call a kernel until it has done its range; the buffers grow when one row alone overfills them."""
    state = np.array([start, 0, 0, 0], dtype=np.int64)
    blocks, buffers = [], _buffers(_BUFFER)
    while not state[3]:
        count = kernel(state, buffers)
        if count:
            blocks.append((buffers[0][:count].copy(), buffers[1][:count].copy(), buffers[2][:count].copy()))
        elif not state[3]:
            buffers = _buffers(2 * len(buffers[0]))
    return blocks


def _buffers(size: int) -> Block:
    return np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int16)


def _gathered(blocks: Iterator[Block]) -> Pairs:
    found = list(blocks)
    if not found:
        return no_pairs()
    i, j, d = (np.concatenate(column) for column in zip(*found, strict=True))
    return i.astype(np.int64), j.astype(np.int64), d.astype(np.int32)
