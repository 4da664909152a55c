"""Compiled loops of the banded join. Imported only when there is enough to compare.

Every kernel releases the GIL and works on a range of its input, so plain threads share the work. A
kernel that may find more pairs than its buffer holds returns how far it came.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Index = NDArray[np.int64]


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile at the first call; what was compiled is kept where a folder for it can be written."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no such folder
            return njit(nogil=True, **options)(function)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typingctx: Any, value: Any) -> Any:
    """The number of set bits of 64, by LLVM's ctpop, which vectorises."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(function, args)

    return types.uint64(types.uint64), codegen


@_compiled(inline="always")
def distance_of(a: Words, i: int, b: Words, j: int, limit: np.uint64) -> np.uint64:
    """The distance, or something above `limit` as soon as it is above."""
    total = np.uint64(0)
    for word in range(a.shape[0]):
        total += popcount(a[word, i] ^ b[word, j])
        if total > limit:
            break
    return total


@_compiled()
def bucket_keys(codes: Words, first_bit: int, bits: int) -> NDArray[np.int32]:
    """The `bits` bits (at most 24) from `first_bit` on of each code; codes `(words, n)`."""
    n = codes.shape[1]
    keys = np.empty(n, np.int32)
    word, shift = first_bit // 64, first_bit % 64
    mask = np.uint64((1 << bits) - 1)
    for i in range(n):
        value = codes[word, i] >> np.uint64(shift)
        if shift + bits > 64:
            value |= codes[word + 1, i] << np.uint64(64 - shift)
        keys[i] = np.int32(value & mask)
    return keys


@_compiled()
def bucket_sort(keys: NDArray[np.int32], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Counting sort: where each bucket starts (one more entry at the end), and the rows in bucket order."""
    starts = np.zeros((1 << bits) + 1, np.int64)
    for i in range(len(keys)):
        starts[keys[i] + 1] += 1
    for k in range(1 << bits):
        starts[k + 1] += starts[k]
    place = starts[:-1].copy()
    rows = np.empty(len(keys), np.int32)
    for i in range(len(keys)):
        rows[place[keys[i]]] = i
        place[keys[i]] += 1
    return starts, rows


@_compiled()
def gather(codes: Words, rows: NDArray[np.int32]) -> Words:
    out = np.empty((codes.shape[0], len(rows)), np.uint64)
    for word in range(codes.shape[0]):
        for i in range(len(rows)):
            out[word, i] = codes[word, rows[i]]
    return out


@_compiled()
def band_of_first(a: Words, i: int, b: Words, j: int, firsts: Index, widths: Index, slacks: Index, until: int) -> bool:
    """True when an earlier band than `until` admits the pair, which is then counted there."""
    for band in range(until):
        word, shift, bits = firsts[band] // 64, firsts[band] % 64, widths[band]
        value = (a[word, i] ^ b[word, j]) >> np.uint64(shift)
        if shift + bits > 64:
            value |= (a[word + 1, i] ^ b[word + 1, j]) << np.uint64(64 - shift)
        value &= np.uint64((1 << bits) - 1)
        if popcount(value) <= np.uint64(slacks[band]):
            return True
    return False


@_compiled()
def banded(
    left: Words,
    left_starts: Index,
    left_rows: NDArray[np.int32],
    right: Words,
    right_starts: Index,
    right_rows: NDArray[np.int32],
    masks: Index,
    same: bool,
    radius: int,
    firsts: Index,
    widths: Index,
    slacks: Index,
    band: int,
    state: Index,
    stop: int,
    out_i: NDArray[np.int32],
    out_j: NDArray[np.int32],
    out_d: NDArray[np.int16],
) -> int:
    """Compare the buckets `state[0]..stop` of one band with the buckets whose key differs by a mask.

    `masks` holds the key differences, 0 first. When `same`, each pair of buckets is met once. `state` is
    (next bucket, next mask, next row of the left bucket, 1 when done); returns the number of pairs written.
    It returns early, to be called again, when the next row's pairs might not fit in the buffers.
    """
    count = 0
    limit = np.uint64(radius)
    room = len(out_i)
    key, m = state[0], state[1]
    while key < stop:
        a0, a1 = left_starts[key], left_starts[key + 1]
        if a0 == a1:
            key, m = key + 1, 0
            continue
        while m < len(masks):
            other = key ^ masks[m]
            b0, b1 = right_starts[other], right_starts[other + 1]
            if b0 == b1 or (same and other < key):
                m += 1
                continue
            a = max(state[2], a0)
            while a < a1:
                begin = a + 1 if same and other == key else b0
                if count + (b1 - begin) > room:
                    state[0], state[1], state[2] = key, m, a
                    return count
                if left.shape[0] == 1:
                    code = left[0, a]
                    bucket = right[0, begin:b1]  # a slice, whose indices cannot wrap: this loop vectorises
                    any_hit = np.uint64(0)
                    for k in range(len(bucket)):
                        any_hit += np.uint64(popcount(code ^ bucket[k]) <= limit)
                    if any_hit:
                        for b in range(begin, b1):
                            d = popcount(code ^ right[0, b])
                            if d <= limit and not band_of_first(left, a, right, b, firsts, widths, slacks, band):
                                out_i[count], out_j[count], out_d[count] = left_rows[a], right_rows[b], d
                                count += 1
                else:
                    for b in range(begin, b1):
                        d = distance_of(left, a, right, b, limit)
                        if d <= limit and not band_of_first(left, a, right, b, firsts, widths, slacks, band):
                            out_i[count], out_j[count], out_d[count] = left_rows[a], right_rows[b], d
                            count += 1
                a += 1
            state[2] = 0
            m += 1
        key, m = key + 1, 0
    state[3] = 1
    return count


TILE = 512


@_compiled()
def row_of_words(left: Words, a: int, right: Words, b0: int, b1: int, distance: Words) -> None:
    """Distances of one code to codes `b0..b1`: four words at a time, so that sums stay in registers."""
    width, size = left.shape[0], b1 - b0
    for k in range(size):
        distance[k] = 0
    word = 0
    while word + 4 <= width:
        c0, c1, c2, c3 = left[word, a], left[word + 1, a], left[word + 2, a], left[word + 3, a]
        r0, r1 = right[word, b0:b1], right[word + 1, b0:b1]
        r2, r3 = right[word + 2, b0:b1], right[word + 3, b0:b1]
        for k in range(size):
            distance[k] += popcount(c0 ^ r0[k]) + popcount(c1 ^ r1[k]) + popcount(c2 ^ r2[k]) + popcount(c3 ^ r3[k])
        word += 4
    while word < width:
        c0, r0 = left[word, a], right[word, b0:b1]
        for k in range(size):
            distance[k] += popcount(c0 ^ r0[k])
        word += 1


@_compiled(fastmath=True)
def blocked(
    left: Words,
    right: Words,
    same: bool,
    radius: int,
    state: Index,
    stop: int,
    out_i: NDArray[np.int32],
    out_j: NDArray[np.int32],
    out_d: NDArray[np.int16],
) -> int:
    """Compare rows `state[0]..stop` of `left` with all of `right` (only later ones when `same`), by tiles.

    `state` is (next row, next tile of `right`, 0, 1 when done); returns as `banded` does.
    """
    n, room, count = right.shape[1], len(out_i), 0
    row, tile = state[0], state[1]
    distance = np.empty(TILE, np.uint64)
    limit = np.uint64(radius)
    while row < stop:
        last = min(row + 64, stop)
        first_tile = (row + 1) // TILE if same else 0
        tile = max(tile, first_tile)
        while tile * TILE < n:
            b0, b1 = tile * TILE, min(n, (tile + 1) * TILE)
            if count + 64 * TILE > room:
                state[0], state[1] = row, tile
                return count
            for a in range(row, last):
                size = b1 - b0
                row_of_words(left, a, right, b0, b1, distance)
                hits = np.uint64(0)
                for k in range(size):
                    hits += np.uint64(distance[k] <= limit)
                if hits:
                    begin = max(0, a + 1 - b0) if same else 0
                    for k in range(begin, size):
                        if distance[k] <= limit:
                            out_i[count], out_j[count], out_d[count] = a, b0 + k, distance[k]
                            count += 1
            tile += 1
        row, tile = last, 0
    state[3] = 1
    return count
