"""Compiled loops of the banded join. Imported only for large inputs, because the import and compilation take time.

Every kernel releases the GIL and processes a range of its input, so Python threads run in parallel. A kernel whose
output buffer is full saves its position in `state` and returns, to be called again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.search.kernels.jit import compiled, fetch, popcount

Words = NDArray[np.uint64]
IndexArray = NDArray[np.int64]


# The caller allocates the outputs with numpy, which uses huge pages for large arrays: the speed of random access to
# millions of codes depends on them.


@compiled(inline="always")
def bits_of(codes: Words, i: int, first: int, bits: int) -> Any:
    """Return `bits` bits of code `i`, from bit `first` on."""
    word, shift = first // 64, first % 64
    value = codes[word, i] >> np.uint64(shift)
    if shift + bits > 64:
        value |= codes[word + 1, i] << np.uint64(64 - shift)
    return value & np.uint64((1 << bits) - 1)


@compiled()
def bucket_keys(codes: Words, first: int, bits: int, keys: NDArray[np.int32]) -> None:
    """Write `bits` bits (at most 24) of each code, from bit `first` on, to `keys`; codes are `(words, n)`."""
    for i in range(len(keys)):
        keys[i] = np.int32(bits_of(codes, i, first, bits))


@compiled()
def bucket_sort(keys: NDArray[np.int32], starts: IndexArray, rows: NDArray[np.int32]) -> None:
    """Counting sort: write the start of each bucket and the end to `starts`, and the rows in bucket order to `rows`."""
    starts[:] = 0
    for i in range(len(keys)):
        starts[keys[i] + 1] += 1
    for k in range(len(starts) - 1):
        starts[k + 1] += starts[k]
    place = starts[:-1].copy()
    for i in range(len(keys)):
        rows[place[keys[i]]] = i
        place[keys[i]] += 1


@compiled()
def gather(codes: Words, rows: NDArray[np.int32], out: Words) -> None:
    """Copy the codes of `rows` to `out`."""
    for word in range(codes.shape[0]):
        for i in range(len(rows)):
            out[word, i] = codes[word, rows[i]]


@compiled()
def band_of_first(
    a: Words, i: int, b: Words, j: int, firsts: IndexArray, widths: IndexArray, slacks: IndexArray, until: int
) -> bool:
    """True if a band before `until` admits the pair; the pair is then reported in that band."""
    for band in range(until):
        mine, theirs = bits_of(a, i, firsts[band], widths[band]), bits_of(b, j, firsts[band], widths[band])
        if popcount(mine ^ theirs) <= np.uint64(slacks[band]):
            return True
    return False


TILE = 2048
"""Codes per tile: with their distances they fit in the L1 cache."""

AHEAD = 3
"""Prefetch distance in buckets."""

TOGETHER = 4
"""Rows that are compared with a tile at once."""


@compiled(inline="always")
def least_in_one(a0: Any, a1: Any, a2: Any, a3: Any, codes: NDArray[np.uint64]) -> Any:
    """Return the minimum distance between any of four codes and any of several codes of one word."""
    least = np.uint64(64)
    for k in range(len(codes)):
        code = codes[k]
        one = min(popcount(a0 ^ code), popcount(a1 ^ code))
        two = min(popcount(a2 ^ code), popcount(a3 ^ code))
        least = min(least, min(one, two))
    return least


@compiled(inline="always")
def least_in_two(a: Any, b: Any, c: Any, d: Any, x: NDArray[np.uint64], y: NDArray[np.uint64]) -> Any:
    """Return the minimum distance as `least_in_one`, over two words of each code."""
    least = np.uint64(128)
    for k in range(len(x)):
        one = min(popcount(a[0] ^ x[k]) + popcount(a[1] ^ y[k]), popcount(b[0] ^ x[k]) + popcount(b[1] ^ y[k]))
        two = min(popcount(c[0] ^ x[k]) + popcount(c[1] ^ y[k]), popcount(d[0] ^ x[k]) + popcount(d[1] ^ y[k]))
        least = min(least, min(one, two))
    return least


@compiled(inline="always")
def distance_in_four(a: Any, v: Any, w: Any, x: Any, y: Any) -> Any:
    """Return the distance over four words."""
    return popcount(a[0] ^ v) + popcount(a[1] ^ w) + popcount(a[2] ^ x) + popcount(a[3] ^ y)


@compiled(inline="always")
def least_in_four(a: Any, b: Any, c: Any, d: Any, v: Any, w: Any, x: Any, y: Any) -> Any:
    """Return the minimum distance as `least_in_one`, over four words of each code."""
    least = np.uint64(256)
    for k in range(len(v)):
        one = min(distance_in_four(a, v[k], w[k], x[k], y[k]), distance_in_four(b, v[k], w[k], x[k], y[k]))
        two = min(distance_in_four(c, v[k], w[k], x[k], y[k]), distance_in_four(d, v[k], w[k], x[k], y[k]))
        least = min(least, min(one, two))
    return least


@compiled(inline="always")
def least_of(left: Words, a0: int, a1: int, right: Words, b0: int, b1: int, words: tuple[int, ...]) -> Any:
    """Return the minimum distance between the at most four codes `a0..a1` and the codes `b0..b1` over some words.

    It is a lower bound: up to 15 codes after `b1` are compared too, because a loop without a remainder is faster.
    `words` has one, two or four entries; for any other number the result is 0. The length of the tuple is part of its
    type, so each length is compiled to a loop of its own.
    """
    a, d = a0, a1 - 1
    b, c = min(a0 + 1, d), min(a0 + 2, d)
    end = min(b0 + (b1 - b0 + 15) // 16 * 16, right.shape[1])
    v, w = words[0], words[-1]
    least = np.uint64(0)
    if len(words) == 1:
        least = least_in_one(left[v, a], left[v, b], left[v, c], left[v, d], right[v, b0:end])
    elif len(words) == 2:
        least = least_in_two(
            (left[v, a], left[w, a]),
            (left[v, b], left[w, b]),
            (left[v, c], left[w, c]),
            (left[v, d], left[w, d]),
            right[v, b0:end],
            right[w, b0:end],
        )
    elif len(words) == 4:
        x, y = words[len(words) // 3], words[len(words) // 2]
        least = least_in_four(
            (left[v, a], left[x, a], left[y, a], left[w, a]),
            (left[v, b], left[x, b], left[y, b], left[w, b]),
            (left[v, c], left[x, c], left[y, c], left[w, c]),
            (left[v, d], left[x, d], left[y, d], left[w, d]),
            right[v, b0:end],
            right[x, b0:end],
            right[y, b0:end],
            right[w, b0:end],
        )
    return least


_ALL = 5


def selective_words(width: int, limit: int, first: int = 0) -> tuple[int, ...]:
    """Return the words, from `first` on, for a fast rejection test: random codes are rarely within `limit` in them.

    There are 1, 2 or 4 words; 5 mean that so few words are not selective.
    """
    enough = next((n for n in range(1, width) if 32 * n - 20 * n**0.5 > limit), width)
    count = enough if enough < 3 else 4 if enough < 5 and width > 3 else _ALL
    return tuple((first + n) % width for n in range(count))


@compiled(inline="always")
def distances_of(left: Words, a: int, right: Words, b0: int, b1: int, limit: np.uint64, out: Words) -> Any:
    """Write the distances of one code to the codes `b0..b1` to `out`. Returns False if none is within `limit`.

    If it returns False, `out` is not complete. Words are processed four at a time, so that sums stay in registers;
    after each step the loop ends if no code can be within `limit` any more.
    """
    width, size = left.shape[0], b1 - b0
    to = out[:size]
    least = np.uint64(0)
    if width == 1:
        code, bucket = left[0, a], right[0, b0:b1]
        least = np.uint64(64)
        for k in range(size):
            d = popcount(code ^ bucket[k])
            to[k] = d
            least = min(least, d)
        return least <= limit
    to[:] = 0
    word = 0
    while word < width:
        if word + 4 <= width:
            c0, c1, c2, c3 = left[word, a], left[word + 1, a], left[word + 2, a], left[word + 3, a]
            r0, r1 = right[word, b0:b1], right[word + 1, b0:b1]
            r2, r3 = right[word + 2, b0:b1], right[word + 3, b0:b1]
            least = np.uint64(1 << 30)
            for k in range(size):
                d = to[k] + popcount(c0 ^ r0[k]) + popcount(c1 ^ r1[k]) + popcount(c2 ^ r2[k]) + popcount(c3 ^ r3[k])
                to[k] = d
                least = min(least, d)
            word += 4
        else:
            c0, r0 = left[word, a], right[word, b0:b1]
            least = np.uint64(1 << 30)
            for k in range(size):
                d = to[k] + popcount(c0 ^ r0[k])
                to[k] = d
                least = min(least, d)
            word += 1
        if least > limit:
            return False
    return True


@compiled()
def compare_bands(
    left: Words,
    left_starts: IndexArray,
    left_rows: NDArray[np.int32],
    right: Words,
    right_starts: IndexArray,
    right_rows: NDArray[np.int32],
    masks: IndexArray,
    same: bool,
    radius: int,
    firsts: IndexArray,
    widths: IndexArray,
    slacks: IndexArray,
    band: int,
    words: tuple[int, ...],
    state: IndexArray,
    stop: int,
    out_i: NDArray[np.int32],
    out_j: NDArray[np.int32],
    out_d: NDArray[np.int32],
) -> int:
    """Compare the buckets `state[0]..stop` of one band with the buckets whose key differs by a mask.

    `masks` holds the key differences, 0 first. If `same`, each pair of buckets is compared once. `state` is (next
    bucket, next mask, next row of the left bucket, next row of the right bucket, 1 when done). Returns the number of
    pairs written. Returns early, to be called again, if the next pairs might not fit in the buffers, which hold at
    least `TOGETHER` × `TILE` pairs.
    """
    count = 0
    limit = np.uint64(radius)
    room = len(out_i)
    distance = np.empty(TILE, np.uint64)
    key, m, row, column = state[0], state[1], state[2], state[3]
    while key < stop:
        a0, a1 = left_starts[key], left_starts[key + 1]
        if a0 == a1:
            m = len(masks)
        while m < len(masks):
            other = key ^ masks[m]
            b0, b1 = right_starts[other], right_starts[other + 1]
            if b0 == b1 or (same and other < key):
                m += 1
                continue
            diagonal = same and other == key
            row = max(row, a0)
            while row < a1:
                last = min(row + (1 if diagonal or len(words) > 4 else TOGETHER), a1)
                column = max(column, row + 1 if diagonal else b0)
                while column < b1:
                    end = min(column + TILE, b1)
                    if diagonal or least_of(left, row, last, right, column, end, words) <= limit:
                        if count + (last - row) * (end - column) > room:
                            state[0], state[1], state[2], state[3] = key, m, row, column
                            return count
                        for a in range(row, last):
                            if not distances_of(left, a, right, column, end, limit, distance):
                                continue
                            for b in range(column, end):
                                d = distance[b - column]
                                if d <= limit and not band_of_first(left, a, right, b, firsts, widths, slacks, band):
                                    out_i[count], out_j[count], out_d[count] = left_rows[a], right_rows[b], d
                                    count += 1
                    column = end
                row, column = last, 0
            m += 1
            row = 0
        key, m = key + 1, 0
    state[4] = 1
    return count


@compiled()
def compare_all(
    left: Words,
    right: Words,
    same: bool,
    radius: int,
    words: tuple[int, ...],
    state: IndexArray,
    stop: int,
    out_i: NDArray[np.int32],
    out_j: NDArray[np.int32],
    out_d: NDArray[np.int32],
) -> int:
    """Compare rows `state[0]..stop` of `left` with all rows of `right` (only later rows if `same`), by tiles.

    `state` is (next row of the chunk, first row of the tile, first row of the chunk, 0, 1 when done). Each tile is
    compared with all rows of a chunk while it is in the cache. Returns as `compare_bands` does.
    """
    n, room, count = right.shape[1], len(out_i), 0
    limit = np.uint64(radius)
    together = 1 if len(words) > 4 else TOGETHER
    distance = np.empty(TILE, np.uint64)
    row, column, chunk = state[0], state[1], state[2]
    while chunk < stop:
        chunk_end = min(chunk + 256, stop)
        while column < n:
            end = min(column + TILE, n)
            row = max(row, chunk)
            while row < chunk_end:
                last = min(row + together, chunk_end)
                if same and end <= row + 1:
                    break
                if least_of(left, row, last, right, column, end, words) <= limit:
                    if count + (last - row) * (end - column) > room:
                        state[0], state[1], state[2] = row, column, chunk
                        return count
                    for a in range(row, last):
                        if not distances_of(left, a, right, column, end, limit, distance):
                            continue
                        for b in range(max(column, a + 1) if same else column, end):
                            d = distance[b - column]
                            if d <= limit:
                                out_i[count], out_j[count], out_d[count] = a, b, d
                                count += 1
                row = last
            column, row = end, 0
        chunk = chunk_end
        row, column = 0, (chunk // TILE * TILE if same else 0)
    state[4] = 1
    return count


@compiled()
def order_of(i: NDArray[np.int32], j: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the permutation that sorts at least one pair by `i` then `j`: counting sort by `i`, merge sort by `j`."""
    low = i.min()
    starts, order = np.empty(np.int64(i.max()) - low + 2, np.int64), np.empty(len(i), np.int32)
    bucket_sort(i - low, starts, order)
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        if end - begin > 1:
            mine = order[begin:end].copy()
            order[begin:end] = mine[np.argsort(j[mine], kind="mergesort")]
    return order


@compiled()
def probe(
    queries: Words,
    codes: Words,
    starts: IndexArray,
    rows: NDArray[np.int32],
    masks: IndexArray,
    radius: int,
    firsts: IndexArray,
    widths: IndexArray,
    slacks: IndexArray,
    band: int,
    state: IndexArray,
    stop: int,
    out_i: NDArray[np.int32],
    out_j: NDArray[np.int32],
    out_d: NDArray[np.int32],
) -> int:
    """Compare each query with the buckets of one band whose key differs from its own by a mask.

    `state` is (next query, next mask, next code of the bucket, 0, 1 when done). Returns as `compare_bands` does.
    """
    count, room, limit = 0, len(out_i), np.uint64(radius)
    distance = np.empty(TILE, np.uint64)
    query, m, column = state[0], state[1], state[2]
    while query < stop:
        key = np.int64(bits_of(queries, query, firsts[band], widths[band]))
        while m < len(masks):
            fetch(starts, key ^ masks[min(m + 2 * AHEAD, len(masks) - 1)])
            ahead = key ^ masks[min(m + AHEAD, len(masks) - 1)]
            for b in range(starts[ahead], min(starts[ahead + 1], starts[ahead] + TILE), 8):
                fetch(codes[0], b)
            b1 = starts[(key ^ masks[m]) + 1]
            column = max(column, starts[key ^ masks[m]])
            while column < b1:
                end = min(column + TILE, b1)
                if count + end - column > room:
                    state[0], state[1], state[2] = query, m, column
                    return count
                if distances_of(queries, query, codes, column, end, limit, distance):
                    for b in range(column, end):
                        d = distance[b - column]
                        if d <= limit and not band_of_first(queries, query, codes, b, firsts, widths, slacks, band):
                            out_i[count], out_j[count], out_d[count] = query, rows[b], d
                            count += 1
                column = end
            m, column = m + 1, 0
        query, m = query + 1, 0
    state[4] = 1
    return count
