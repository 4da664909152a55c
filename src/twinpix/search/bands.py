"""Bands of codes for exact Hamming joins: the choice of a split, the buckets of a band, and running the kernels.

Source: M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index
hashing", https://arxiv.org/abs/1307.2982
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Pairs

_MAX_KEY_BITS = 22
_SAMPLE_CODES = 2000
_BUFFER, _BUFFERS = 1 << 16, 16  # pairs per buffer, and buffers per step of a task
# Cost model in nanoseconds: comparing four rows with a bucket; with each code in it (codes of one word; then per word
# of longer codes); per code and word of a tile; sorting a code into its bucket.
_BUCKET_COST, _PAIR_COST, _WORD_COST, _TILE_COST, _SORT_COST = 5.0, 0.11, 0.05, 0.04, 20.0
_WIDE_BUCKET_COST = 6.0
_KEY_COST = 1.0  # of the lookup of one key
_NEGLIGIBLE = 2e6  # nanoseconds: a faster search is run by tiles, without a choice of bands
_MIN_KEY_BITS, _ALL_COUNTS = 6, 64  # minimum key width; up to this many bands, every number of bands is considered
_SKEWS, _TRIED = (1.0, 10.0, 100.0), 3  # for each assumed skew of the codes, this many best splits are measured
_THINNED = 400_000  # codes sampled to measure the bucket sizes
_SAMPLED_BANDS = 4  # bands per split whose bucket sizes are measured


class Bands(NamedTuple):
    """A split of the bits of a code into bands: first bit, width, and number of bits that may differ, per band."""

    firsts: NDArray[np.int64]
    widths: NDArray[np.int64]
    slacks: NDArray[np.int64]


# -- the choice of bands -------------------------------------------------------------------------------


def choose_bands(
    left: NDArray[np.uint64], right: NDArray[np.uint64], radius: int, *, ready: bool = False
) -> tuple[Bands | None, float]:
    """Return the split with the lowest estimated cost, and the cost in nanoseconds on one thread.

    The split is None if comparing every pair is cheaper. Costs are estimated on a sample of the codes. `ready`: the
    codes of `right` are already sorted into buckets.
    """
    sort = 0.0 if ready else _SORT_COST
    width, mine, theirs = left.shape[0], left.shape[1], right.shape[1]
    half = 2 if left is right else 1
    best, cheapest = None, _TILE_COST * mine * theirs * width / half
    if cheapest < _NEGLIGIBLE:
        return best, cheapest
    some = left[:, np.linspace(0, mine - 1, min(_SAMPLE_CODES, mine)).astype(np.int64)]
    thinned = right[:, :: max(1, theirs // _THINNED)]
    scale = theirs / thinned.shape[1]
    for bands in _find_cheapest(64 * width, theirs, radius, width, sort):
        sampled = range(0, len(bands.firsts), -(-len(bands.firsts) // _SAMPLED_BANDS))
        costs = [_cost_of_band(some, thinned, scale, *(int(column[band]) for column in bands)) for band in sampled]
        cost = float(np.mean(costs)) * len(bands.firsts) * mine / half + sort * len(bands.firsts) * theirs
        if cost < cheapest:
            best, cheapest = bands, cost
    return best, cheapest


def _find_cheapest(bits: int, n: int, radius: int, words: int, sort: float) -> list[Bands]:
    """Return the splits that are cheapest for uniformly distributed codes and for more skewed ones."""
    best: dict[tuple[int, int], Bands] = {}
    splits = [
        split(bits, radius, count, width)
        for count in _counts(bits, radius)
        for width in range(_MIN_KEY_BITS, min(_MAX_KEY_BITS, bits // count) + 1)
    ]
    for skew in _SKEWS:
        for bands in sorted(splits, key=lambda bands: _estimate_cost(bands, n * skew, words, sort))[:_TRIED]:
            best[len(bands.firsts), int(bands.widths[0])] = bands
    return [best[key] for key in sorted(best)]


def _counts(bits: int, radius: int) -> list[int]:
    """Return the numbers of bands to consider.

    Above `_ALL_COUNTS` these are only the numbers at which the bits that may differ, or the key width, change.
    """
    most = min(radius + 1, bits // _MIN_KEY_BITS)
    narrower = (-(-(radius + 1) // slack) for slack in range(1, radius + 2))
    wider = (bits // width for width in range(_MIN_KEY_BITS, _MAX_KEY_BITS + 1))
    return sorted(count for count in {*range(1, _ALL_COUNTS + 1), *narrower, *wider} if 1 <= count <= most)


def _estimate_cost(bands: Bands, n: float, words: int, sort: float) -> float:
    """Return the estimated cost per code for `n` uniformly distributed codes."""
    sizes = n / 2.0**bands.widths
    keys = np.array([_neighbours(int(w), int(t)) for w, t in zip(bands.widths, bands.slacks, strict=True)])
    return float((keys * _cost_per_code(sizes, sizes, words) + sort).sum())


def _cost_per_code(own: NDArray[Any], size: NDArray[Any], words: int) -> NDArray[np.float64]:
    """Return the cost per code of comparing a bucket of `own` codes with a bucket of `size` codes."""
    own = np.maximum(own, 1.0)
    if words == 1:
        groups, met = np.ceil(own / 4), np.ceil(size / 16) * 16
        return np.asarray((_KEY_COST + groups * (_BUCKET_COST + met * _PAIR_COST)) / own)
    return np.asarray(_KEY_COST / own + _WIDE_BUCKET_COST + size * min(words, 8) * _WORD_COST)


def _cost_of_band(
    sample: NDArray[np.uint64], right: NDArray[np.uint64], scale: float, first: int, width: int, slack: int
) -> float:
    """Return the mean cost per code in one band, from the sizes of the buckets that sampled codes are compared with."""

    counts = np.bincount(keys_of(right, first, width), minlength=1 << width) * scale
    keys = keys_of(sample, first, width)
    masks = masks_of(width, slack)
    some = masks[np.linspace(0, len(masks) - 1, min(len(masks), 256)).astype(np.int64)]
    sizes = counts[keys[:, None] ^ some[None]]
    return float(_cost_per_code(counts[keys][:, None], sizes, sample.shape[0]).mean()) * len(masks)


def split(bits: int, radius: int, count: int, widest: int = 64) -> Bands:
    """Return at most `count` bands of at most `widest` bits whose slacks tᵢ satisfy Σ(tᵢ + 1) = radius + 1.

    If `count` is larger than `radius + 1`, only `radius + 1` bands are returned: by the pigeonhole principle two codes
    within the radius agree on one of them. Bits outside all bands can only add to the distance, so the result stays
    exact.
    """
    edges = np.linspace(0, bits, count + 1).astype(np.int64)
    shares = np.full(count, (radius + 1) // count, dtype=np.int64)
    shares[: (radius + 1) % count] += 1
    used = shares > 0
    return Bands(edges[:-1][used], np.minimum(np.diff(edges), widest)[used], shares[used] - 1)


@cache
def _neighbours(width: int, slack: int) -> int:
    return sum(comb(width, k) for k in range(min(slack, width) + 1))


def masks_of(width: int, slack: int) -> NDArray[np.int64]:
    """Return every key difference of at most `slack` bits, by number of bits, then by value."""
    out = [0]
    for k in range(1, min(slack, width) + 1):
        out += sorted(sum(1 << bit for bit in bits) for bits in combinations(range(width), k))
    return np.array(out, dtype=np.int64)


# -- running the kernels -------------------------------------------------------------------------------


Kernel = Callable[..., int]


def steps(kernel: Kernel, begin: list[int], stop: int, room: int = _BUFFER) -> Iterator[list[Pairs]]:
    """Yield the pairs that a kernel finds, at most `_BUFFERS` buffers at a time.

    The kernel is called again with its `state` until the last entry is 1.
    """
    state = np.array(begin, dtype=np.int64)
    while not state[-1]:
        blocks = list[Pairs]()
        buffers = (np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32))
        while not state[-1] and len(blocks) < _BUFFERS:
            count = kernel(state, stop, *buffers)
            if count:
                blocks.append((buffers[0][:count].copy(), buffers[1][:count].copy(), buffers[2][:count].copy()))
        yield blocks


def sort_by_bucket(
    codes: NDArray[np.uint64], first: int, width: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32]]:
    """Return the codes sorted by the key of a band, the start of each bucket, and the original row of each code."""
    from twinpix.search.kernels import hamming

    starts, rows = np.empty((1 << int(width)) + 1, np.int64), np.empty(codes.shape[1], np.int32)
    hamming.bucket_sort(keys_of(codes, first, width), starts, rows)
    out = np.empty_like(codes)
    hamming.gather(codes, rows, out)
    return out, starts, rows


def keys_of(codes: NDArray[np.uint64], first: int, width: int) -> NDArray[np.int32]:
    from twinpix.search.kernels import hamming

    keys = np.empty(codes.shape[1], np.int32)
    hamming.bucket_keys(codes, first, width, keys)
    return keys
