"""Compiled loops of the join of directions. Imported only when there is enough to compare.

A tile is a few rows times a panel of rows. Its products stay in registers and are compared there with the least
that counts, so most of them are never written: a library's product of short vectors spends its time on
writing what is read once and thrown away. Every loop releases the GIL and works on a range, so plain threads
share the work without those of a library.
"""

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from twinpix.search.kernels.jit import compiled, popcount, prefetch

PANEL = 64
"""Vectors of a panel: number by number, so that one number of all of them lies together."""

_LANES = 16  # numbers that are multiplied by one instruction, or by a few where vectors are shorter
_ROWS = 4


def _columns() -> int:
    """Of a tile: what the registers hold."""
    try:
        return PANEL if binding.get_host_cpu_features().get("avx512f") else _LANES
    except RuntimeError:  # a processor that it cannot ask
        return _LANES


_COLUMNS = _columns()
_NOTHING = 1e-9  # of a row's length, in double precision
_LINE, _AHEAD = 64, 4  # bytes of a cache's line; pairs whose rows are on their way
_TURNED = 16  # vectors that are turned together
_SMALLEST = 1e-200  # squared length of which nothing is lost
_UP = 1e-12  # more than the error of a squared length in double precision
_FAST = {"reassoc", "contract", "nsz"}  # sums may be taken in any order

Panels = NDArray[np.float32]  # (panels, numbers, PANEL)
Rows = NDArray[np.int32]
Index = NDArray[np.int64]


@intrinsic  # type: ignore[untyped-decorator]
def tile(typingctx: Any, left: Any, row: Any, right: Any, column: Any, least: Any, out: Any) -> Any:
    """Does a product of the `_ROWS` vectors of a panel from `row` on with the `_COLUMNS` of another from
    `column` on reach the least? Only then `out` is written: a bit for each that does, `_LANES` of a row a number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = {at: context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 2, 5)}
        word, real, vector = ir.IntType(64), ir.FloatType(), ir.VectorType(ir.FloatType(), _LANES)
        numbers = builder.extract_value(arrays[0].shape, 0)
        before, loop = builder.block, builder.append_basic_block("numbers")
        after = builder.append_basic_block("compare")
        first, second = builder.gep(arrays[0].data, [args[1]]), builder.gep(arrays[2].data, [args[3]])
        builder.branch(loop)

        builder.position_at_end(loop)
        number = builder.phi(word)
        sums = [[builder.phi(vector) for _ in range(_COLUMNS // _LANES)] for _ in range(_ROWS)]
        at = builder.mul(number, ir.Constant(word, PANEL))
        columns = [
            builder.load(_vector_at(builder, second, builder.add(at, ir.Constant(word, lane)), vector), align=4)
            for lane in range(0, _COLUMNS, _LANES)
        ]
        added = []
        for r in range(_ROWS):
            one = builder.load(builder.gep(first, [builder.add(at, ir.Constant(word, r))]))
            factor = _everywhere(builder, one, real)
            added.append(
                [
                    builder.fadd(total, builder.fmul(factor, column, flags=("contract",)), flags=("contract",))
                    for total, column in zip(sums[r], columns, strict=True)
                ]
            )
        following = builder.add(number, ir.Constant(word, 1))
        number.add_incoming(ir.Constant(word, 0), before)
        number.add_incoming(following, loop)
        for phis, values in zip(sums, added, strict=True):
            for phi, value in zip(phis, values, strict=True):
                phi.add_incoming(ir.Constant(vector, [0.0] * _LANES), before)
                phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, numbers), loop, after)

        builder.position_at_end(after)
        bits, every = ir.IntType(_LANES), _everywhere(builder, args[4], real)
        marks = [builder.fcmp_ordered(">=", value, every) for values in added for value in values]
        some = marks[0]
        for mark in marks[1:]:
            some = builder.or_(some, mark)
        reached = builder.icmp_unsigned("!=", builder.bitcast(some, bits), ir.Constant(bits, 0))
        with builder.if_then(reached, likely=False):
            for k, mark in enumerate(marks):
                place = builder.bitcast(arrays[5].data, bits.as_pointer())
                builder.store(builder.bitcast(mark, bits), builder.gep(place, [ir.Constant(word, k)]))
        return reached

    return types.boolean(left, types.int64, right, types.int64, types.float32, out), codegen


def _vector_at(builder: Any, data: Any, at: Any, vector: Any) -> Any:
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _everywhere(builder: Any, value: Any, real: Any) -> Any:
    """A vector of one number."""
    nothing, lanes = ir.Constant(ir.VectorType(real, _LANES), ir.Undefined), ir.VectorType(ir.IntType(32), _LANES)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(lanes, [0] * _LANES))


@intrinsic  # type: ignore[untyped-decorator]
def doubled(typingctx: Any, value: Any) -> Any:
    """In double precision: a number of double or single precision, or the bits of one of half precision."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if signature.args[0] == types.float64:
            return args[0]
        half = signature.args[0] == types.uint16
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()) if half else args[0], ir.DoubleType())

    return types.float64(value), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typingctx: Any, rows: Any, row: Any) -> Any:
    """Ask the memory for a row that is wanted soon; without, most of the time is spent on waiting for it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        word, byte = ir.IntType(64), ir.IntType(8).as_pointer()
        size = builder.mul(builder.extract_value(array.shape, 1), array.itemsize)
        start = builder.gep(builder.bitcast(array.data, byte), [builder.mul(args[1], size)])
        with cgutils.for_range_slice(builder, ir.Constant(word, 0), size, ir.Constant(word, _LINE)) as (at, _):
            prefetch(builder, builder.gep(start, [at]))
        return context.get_dummy_value()

    return types.void(rows, types.int64), codegen


@compiled()
def screen(
    left: Panels,
    left_rows: int,
    right: Panels,
    right_rows: int,
    same: bool,
    least: np.float32,
    first: int,
    last: int,
    state: Index,
    stop: int,
    out_i: Rows,
    out_j: Rows,
) -> int:
    """Pairs whose product reaches the least, of the panels `first..last` of `left` with `state[0]..stop` of `right`.

    When `same`, each pair of vectors is met once. `state` is (next panel of `right`, next of `left`); returns the
    number of pairs written. It returns early, to be called again, when those of the next two panels might not
    fit: there is room for `PANEL`² at least.
    """
    marks = np.empty(_ROWS * _COLUMNS // _LANES, np.uint16)
    count, room = 0, len(out_i)
    q, p = state[0], state[1]
    while q < stop:
        while p < (min(last, q + 1) if same else last):
            if count + PANEL * PANEL > room:
                state[0], state[1] = q, p
                return count
            for row in range(0, PANEL, _ROWS):
                for column in range(0, PANEL, _COLUMNS):
                    if not tile(left[p], row, right[q], column, least, marks):
                        continue
                    for k in range(len(marks)):
                        mark = np.uint64(marks[k])
                        while mark:
                            lane = np.int64(popcount((mark & (~mark + np.uint64(1))) - np.uint64(1)))
                            mark &= mark - np.uint64(1)
                            at = k * _LANES + lane
                            i, j = p * PANEL + row + at // _COLUMNS, q * PANEL + column + at % _COLUMNS
                            if i < left_rows and j < right_rows and (not same or i < j):
                                out_i[count], out_j[count] = i, j
                                count += 1
            p += 1
        q, p = q + 1, first
    state[0], state[1] = q, p
    return count


@compiled(fastmath=_FAST)
def orthogonal(rows: NDArray[np.float64]) -> None:
    """Make rows orthonormal, one after the other (Gram and Schmidt, twice); a row of which nothing is left is 0."""
    for i in range(len(rows)):
        row = rows[i]
        before = np.sqrt((row * row).sum())
        for _ in range(2):
            for k in range(i):
                product = 0.0
                for at in range(len(row)):
                    product += row[at] * rows[k, at]
                for at in range(len(row)):
                    row[at] -= product * rows[k, at]
        length = np.sqrt((row * row).sum())
        row *= 1 / length if length > before * _NOTHING else 0.0


@compiled(fastmath=_FAST)
def lengthened(vector: NDArray[Any], out: NDArray[np.float64]) -> float:
    """Write the vector scaled to length 1, and return its length."""
    squares = 0.0
    for k in range(len(vector)):
        out[k] = doubled(vector[k])
        squares += out[k] * out[k]
    length = np.sqrt(squares)
    if not _SMALLEST < squares < 1 / _SMALLEST:  # they vanish or overflow
        out /= np.abs(out).max()
        squares = (out * out).sum()
    out *= 1 / np.sqrt(squares)
    return float(length)


@compiled(fastmath=_FAST)
def project(vectors: NDArray[np.float64], axes: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """The products of each vector with each axis; some axes' numbers are met by all vectors while they are near."""
    dims, count = axes.shape
    out[:] = 0
    for k in range(0, dims - 3, 4):
        a0, a1, a2, a3 = axes[k], axes[k + 1], axes[k + 2], axes[k + 3]
        for row in range(len(vectors)):
            x0, x1, x2, x3 = vectors[row, k], vectors[row, k + 1], vectors[row, k + 2], vectors[row, k + 3]
            to = out[row]
            for c in range(count):
                to[c] += x0 * a0[c] + x1 * a1[c] + x2 * a2[c] + x3 * a3[c]
    for k in range(dims - dims % 4, dims):
        for row in range(len(vectors)):
            for c in range(count):
                out[row, c] += vectors[row, k] * axes[k, c]


@compiled(fastmath=_FAST)
def fill(
    vectors: NDArray[Any],
    axes: NDArray[np.float64],
    first: int,
    last: int,
    panels: Panels,
    lengths: NDArray[np.float64],
) -> None:
    """The heads of the vectors of the panels `first..last`: products with the axes and the length of the rest.

    Without axes, whole vectors. Their lengths are written too. Panels are zeros before, and stay so where there
    is no vector.
    """
    dims, count = axes.shape
    unit, heads = np.empty((_TURNED, dims)), np.empty((_TURNED, count))
    for panel in range(first, last):
        for start in range(0, PANEL, _TURNED):
            some = min(_TURNED, len(vectors) - panel * PANEL - start)
            for at in range(some):
                row = panel * PANEL + start + at
                lengths[row] = lengthened(vectors[row], unit[at])
            if count == 0:
                for at in range(some):
                    panels[panel, :, start + at] = unit[at]
                continue
            project(unit[: max(some, 0)], axes, heads)
            for at in range(some):
                rest = 1.0 + _UP
                for c in range(count):
                    panels[panel, c, start + at] = heads[at, c]
                    rest -= heads[at, c] ** 2
                panels[panel, count, start + at] = np.sqrt(max(rest, 0.0))


@compiled(fastmath=_FAST)
def products(left: NDArray[Any], i: Rows, right: NDArray[Any], j: Rows, out: NDArray[np.float64]) -> None:
    """The product of each pair of rows, in double precision."""
    for pair in range(len(i)):
        fetch(right, j[min(pair + _AHEAD, len(j) - 1)])
        a, b = left[i[pair]], right[j[pair]]
        total = 0.0
        for k in range(len(a)):
            total += doubled(a[k]) * doubled(b[k])
        out[pair] = total
