"""Directions in few numbers, such that no product of two of them is less than that of the directions.

For unit vectors cut in two parts, a·b ≤ a₁·b₁ + |a₂||b₂| (Cauchy and Schwarz). A head is a₁ and, as one more
number, |a₂|; the bound is then a plain product of heads. Vectors are turned first, so that the first part holds
most of what they differ by; turning leaves products as they are.

Source of the turn: N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness",
https://arxiv.org/abs/0909.4061
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Vectors, sized

_AT_ONCE = 64  # panels that are filled together
_SAMPLE = 1024  # rows of either side that the turn is taken from, and as many others that it is tried on
_LENGTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256)
_TURNS = 3  # each brings what is found closer to what holds most
_ROUNDING = 6e-5  # of a distance to four decimals
_UNIT = 2.0**-24  # of single precision: an error in each sum, and in each number of a head
# In nanoseconds of one thread: a pair for each number of its heads, a tile of pairs of which one is left, such a
# pair; a row for each of its numbers, and for each product of these with the frame.
_NUMBER_COST, _TILE_COST, _PAIR_COST, _ROW_COST, _TURN_COST = 0.0075, 40.0, 100.0, 1.5, 0.04
_TILE = 256


class Frame(NamedTuple):
    """How heads are made: the directions of their numbers, none where a head is the whole vector."""

    axes: NDArray[np.float64] | None  # (d, numbers less one)
    left: float  # share of pairs that are not ruled out, as a sample has it

    def numbers(self, dims: int) -> int:
        """How many a head has."""
        return dims if self.axes is None else self.axes.shape[1] + 1


def least_of(radius: float, dims: int) -> float:
    """The least product of heads that a pair within the radius may have, as single precision adds it up."""
    return float(np.float32(1 - radius - _ROUNDING - _UNIT * (dims + 8)))


def frame(left: Vectors, right: Vectors, least: float) -> tuple[Frame, float]:
    """The frame by which a pair costs least, as a sample of pairs has it; and that in nanoseconds of one thread."""
    dims = left.shape[1]
    wanted = min(dims, _LENGTHS[-1] - 1)
    axes = _principal(np.concatenate([_sample(left, 0.0), _sample(right, 0.5)]), wanted)
    a, b = _sample(left, 0.25), _sample(right, 0.75)  # other rows: axes fit those better that they are taken from
    best = Frame(None, float((a @ b.T >= least).mean()))
    cheapest = _cost(dims, best.left)
    for numbers, share in _shares(a @ axes, b @ axes, least):
        if _cost(numbers, share) < cheapest:
            best, cheapest = Frame(np.ascontiguousarray(axes[:, : numbers - 1]), share), _cost(numbers, share)
    return best, cheapest


def _shares(a: NDArray[np.float64], b: NDArray[np.float64], least: float) -> Iterator[tuple[int, float]]:
    """For each length of heads, the share of pairs of a sample that they do not rule out."""
    products, before = np.zeros((len(a), len(b))), 0
    for numbers in _LENGTHS:
        if numbers > a.shape[1] + 1:
            return
        products += a[:, before : numbers - 1] @ b[:, before : numbers - 1].T
        before = numbers - 1
        rests = [np.sqrt(np.maximum(1 - np.square(side[:, :before]).sum(axis=1), 0)) for side in (a, b)]
        yield numbers, float((products >= least - np.outer(*rests)).mean())


class Side(NamedTuple):
    """One side of a join."""

    vectors: Vectors
    numbers: NDArray[Any]  # the same as compiled loops take them, which know half precision by its bits only
    lengths: NDArray[np.float64]
    panels: NDArray[np.float32]  # their heads


def side(vectors: Vectors, frame: Frame, pool: Executor) -> Side:
    """The heads of vectors; whole vectors are scaled to length 1. Rounded once, from double precision."""
    from twinpix.search.kernels import cosine

    rows, dims = vectors.shape
    axes = np.empty((dims, 0)) if frame.axes is None else frame.axes
    panels = np.zeros((-(-rows // cosine.PANEL), frame.numbers(dims), cosine.PANEL), np.float32)
    numbers, lengths = _numbers(vectors), np.empty(rows)
    for done in [
        pool.submit(cosine.fill, numbers, axes, first, min(first + _AT_ONCE, len(panels)), panels, lengths)
        for first in range(0, len(panels), _AT_ONCE)
    ]:
        done.result()
    return Side(vectors, numbers, lengths, panels)


def _numbers(vectors: Vectors) -> NDArray[Any]:
    from twinpix.search.kernels.jit import reads_halves

    if vectors.dtype not in (np.float16, np.float32):
        return np.ascontiguousarray(vectors, np.float64)
    if vectors.dtype == np.float16 and not reads_halves():
        return np.ascontiguousarray(vectors, np.float32)
    vectors = np.ascontiguousarray(vectors, vectors.dtype.newbyteorder("="))
    return vectors.view(np.uint16) if vectors.dtype == np.float16 else vectors


def unit_of(vectors: Vectors) -> NDArray[np.float64]:
    """The same directions with length 1."""
    real = vectors.astype(np.float64)
    if vectors.dtype.itemsize >= real.itemsize:  # squares of narrower ones neither vanish nor overflow
        real = sized(vectors).astype(np.float64)
    real /= np.sqrt(np.einsum("nd,nd->n", real, real))[:, None]
    return real


def _sample(vectors: Vectors, offset: float) -> NDArray[np.float64]:
    """Rows drawn evenly; two samples of one array with offsets half a step apart have other rows."""
    count = min(_SAMPLE, len(vectors))
    return unit_of(vectors[((np.arange(count) + offset) * len(vectors) / count).astype(np.int64)])


def _principal(unit: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Orthonormal directions, those first along which vectors differ most.

    Made orthogonal by a loop of our own: a library's factorisation hands out many small pieces of work to its
    threads, and takes seconds where another process holds a core.
    """
    from twinpix.search.kernels import cosine

    apart = unit - unit.mean(axis=0)
    axes = np.random.default_rng(0).normal(size=(count, unit.shape[1]))
    for _ in range(_TURNS):
        axes = axes @ apart.T @ apart
        cosine.orthogonal(axes)
    return axes.T


def _cost(numbers: int, left: float) -> float:
    return numbers * _NUMBER_COST + left * _PAIR_COST + (1 - (1 - left) ** _TILE) * _TILE_COST / _TILE


def cost_of_row(dims: int, frame: Frame) -> float:
    """What it takes to make a head, in nanoseconds."""
    return dims * (_ROW_COST + _TURN_COST * frame.numbers(dims))
