"""Compiled loops of the cosine join. Imported only for large inputs, because the import and compilation take time.

A tile is the dot products of a few rows with a panel of rows. They stay in registers and are compared there with the
threshold, so most of them are never written to memory; a BLAS product of short vectors spends most of its time on
writing results that are read once. Every loop releases the GIL and processes a range, so Python threads run in
parallel without BLAS threads.
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
"""Vectors per panel, stored component by component, so that one component of all vectors is contiguous."""

_LANES = 16  # float32 lanes per multiplication: one AVX-512 instruction, or several of shorter vectors
_ROWS = 4


def _columns() -> int:
    """Return the number of columns of a tile whose sums fit in the vector registers."""
    try:
        return PANEL if binding.get_host_cpu_features().get("avx512f") else _LANES
    except RuntimeError:  # LLVM does not know this processor
        return _LANES


_COLUMNS = _columns()
_NOTHING = 1e-9  # relative length below which a residual is numerically zero in float64
_LINE, _AHEAD = 64, 4  # bytes per cache line; prefetch distance in pairs
_TURNED = 16  # vectors that are projected together
_SMALLEST = 1e-200  # squared lengths between this and its inverse are accurate
_UP = 1e-12  # upper bound on the error of a squared length in float64
_FAST = {"reassoc", "contract", "nsz"}  # sums may be reordered

Panels = NDArray[np.float32]  # (panels, components, PANEL)
RowIndices32 = NDArray[np.int32]
IndexArray = NDArray[np.int64]


@intrinsic  # type: ignore[untyped-decorator]
def tile(typingctx: Any, left: Any, row: Any, right: Any, column: Any, least: Any, out: Any) -> Any:
    """True if any dot product of a tile is at least `least`: `_ROWS` vectors of the panel `left` from `row` on, and
    `_COLUMNS` vectors of the panel `right` from `column` on. Only then `out` is written: one bit per dot product, set
    if it is at least `least`, with `_LANES` bits per element."""

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
    """Emit a vector with `value` in all lanes."""
    nothing, lanes = ir.Constant(ir.VectorType(real, _LANES), ir.Undefined), ir.VectorType(ir.IntType(32), _LANES)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(lanes, [0] * _LANES))


@intrinsic  # type: ignore[untyped-decorator]
def to_double(typingctx: Any, value: Any) -> Any:
    """Convert a float64, a float32 or the bits of a float16 (uint16) to float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if signature.args[0] == types.float64:
            return args[0]
        half = signature.args[0] == types.uint16
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()) if half else args[0], ir.DoubleType())

    return types.float64(value), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typingctx: Any, rows: Any, row: Any) -> Any:
    """Prefetch a row; without it, most of the time is spent waiting for memory."""

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
    state: IndexArray,
    stop: int,
    out_i: RowIndices32,
    out_j: RowIndices32,
) -> int:
    """Write the pairs with a dot product of at least `least`.

    The panels `first..last` of `left` are compared with the panels `state[0]..stop` of `right`. If `same`, each pair of
    vectors is compared once. `state` is (next panel of `right`, next panel of `left`). Returns the number of pairs
    written. Returns early, to be called again, if the pairs of the next two panels might not fit in the buffers, which
    hold at least `PANEL`² pairs.
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
    """Orthonormalise rows in place (Gram–Schmidt with reorthogonalisation); linearly dependent rows become 0."""
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
def normalise(vector: NDArray[Any], out: NDArray[np.float64]) -> float:
    """Write the unit vector to `out` and return the length of the vector."""
    squares = 0.0
    for k in range(len(vector)):
        out[k] = to_double(vector[k])
        squares += out[k] * out[k]
    length = np.sqrt(squares)
    if not _SMALLEST < squares < 1 / _SMALLEST:  # the squares underflow or overflow
        out /= np.abs(out).max()
        squares = (out * out).sum()
    out *= 1 / np.sqrt(squares)
    return float(length)


@compiled(fastmath=_FAST)
def project(vectors: NDArray[np.float64], axes: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write the dot product of each vector with each axis; blocks of `axes` are reused while they are in the cache."""
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
    """Write the heads of the vectors of the panels `first..last`, and the lengths of the vectors.

    A head is the dot products with the axes and the length of the residual; without axes, it is the unit vector. The
    caller passes panels of zeros; positions without a vector stay zero.
    """
    dims, count = axes.shape
    unit, heads = np.empty((_TURNED, dims)), np.empty((_TURNED, count))
    for panel in range(first, last):
        for start in range(0, PANEL, _TURNED):
            some = min(_TURNED, len(vectors) - panel * PANEL - start)
            for at in range(some):
                row = panel * PANEL + start + at
                lengths[row] = normalise(vectors[row], unit[at])
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
def products(
    left: NDArray[Any], i: RowIndices32, right: NDArray[Any], j: RowIndices32, out: NDArray[np.float64]
) -> None:
    """Write the dot product of each pair of rows, computed in float64."""
    for pair in range(len(i)):
        fetch(right, j[min(pair + _AHEAD, len(j) - 1)])
        a, b = left[i[pair]], right[j[pair]]
        total = 0.0
        for k in range(len(a)):
            total += to_double(a[k]) * to_double(b[k])
        out[pair] = total
