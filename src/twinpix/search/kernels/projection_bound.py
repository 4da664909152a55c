"""Short projections ("heads") of unit vectors whose dot product is an upper bound on the cosine.

For unit vectors split into two parts, a·b ≤ a₁·b₁ + |a₂||b₂| (Cauchy–Schwarz). A head is a₁ with |a₂| as one more
component, so the bound is the dot product of two heads. The vectors are rotated first, so that the first part has most
of their variance; a rotation does not change dot products.

Source of the rotation: N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness",
https://arxiv.org/abs/0909.4061
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Vectors, scale_to_largest

_AT_ONCE = 64  # panels per task
_SAMPLE_ROWS = 1024  # rows of each side from which the rotation is computed, and as many others on which it is measured
_LENGTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256)
_TURNS = 3  # power iterations: each improves the accuracy of the principal axes
_ROUNDING = 6e-5  # bound on the rounding of a distance to four decimals
_UNIT = 2.0**-24  # unit roundoff of float32: a relative error of each sum, and of each component of a head
# Nanoseconds on one thread: per pair and component of the heads; per tile with a pair that is not excluded; per such
# pair; per row and component; per row, component and axis of the projection.
_NUMBER_COST, _TILE_COST, _PAIR_COST, _ROW_COST, _TURN_COST = 0.0075, 40.0, 100.0, 1.5, 0.04
_TILE = 256


class Frame(NamedTuple):
    """The projection of vectors to heads."""

    axes: NDArray[np.float64] | None  # (d, length of a head - 1), orthonormal; None: a head is the whole vector
    left: float  # share of pairs that the bound does not exclude, estimated on a sample

    def numbers(self, dims: int) -> int:
        """Return the length of a head for vectors of `dims` components."""
        return dims if self.axes is None else self.axes.shape[1] + 1


def least_of(radius: float, dims: int) -> float:
    """Return the minimum dot product of heads, computed in float32, for a pair within the radius."""
    return float(np.float32(1 - radius - _ROUNDING - _UNIT * (dims + 8)))


def frame(left: Vectors, right: Vectors, least: float) -> tuple[Frame, float]:
    """Return the projection with the lowest estimated cost on a sample, and its cost per pair in ns on one thread."""
    dims = left.shape[1]
    wanted = min(dims, _LENGTHS[-1] - 1)
    axes = _principal(np.concatenate([_sample(left, 0.0), _sample(right, 0.5)]), wanted)
    a, b = _sample(left, 0.25), _sample(right, 0.75)  # other rows, because the axes are overfitted to their own sample
    best = Frame(None, float((a @ b.T >= least).mean()))
    cheapest = _cost(dims, best.left)
    for numbers, share in _shares(a @ axes, b @ axes, least):
        if _cost(numbers, share) < cheapest:
            best, cheapest = Frame(np.ascontiguousarray(axes[:, : numbers - 1]), share), _cost(numbers, share)
    return best, cheapest


def _shares(a: NDArray[np.float64], b: NDArray[np.float64], least: float) -> Iterator[tuple[int, float]]:
    """Yield each length of heads with the share of sampled pairs that its bound does not exclude."""
    products, before = np.zeros((len(a), len(b))), 0
    for numbers in _LENGTHS:
        if numbers > a.shape[1] + 1:
            return
        products += a[:, before : numbers - 1] @ b[:, before : numbers - 1].T
        before = numbers - 1
        rests = [np.sqrt(np.maximum(1 - np.square(side[:, :before]).sum(axis=1), 0)) for side in (a, b)]
        yield numbers, float((products >= least - np.outer(*rests)).mean())


class ProjectedVectors(NamedTuple):
    """One side of a join."""

    vectors: Vectors
    numbers: NDArray[Any]  # the vectors for compiled loops, which read float16 as uint16
    lengths: NDArray[np.float64]  # Euclidean norms
    panels: NDArray[np.float32]  # the heads, (panels, length of a head, PANEL)


def project(vectors: Vectors, frame: Frame, pool: Executor) -> ProjectedVectors:
    """Compute the heads of the normalised vectors, in float64 with one final rounding to float32."""
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
    return ProjectedVectors(vectors, numbers, lengths, panels)


def _numbers(vectors: Vectors) -> NDArray[Any]:
    from twinpix.search.kernels.jit import reads_halves

    if vectors.dtype not in (np.float16, np.float32):
        return np.ascontiguousarray(vectors, np.float64)
    if vectors.dtype == np.float16 and not reads_halves():
        return np.ascontiguousarray(vectors, np.float32)
    vectors = np.ascontiguousarray(vectors, vectors.dtype.newbyteorder("="))
    return vectors.view(np.uint16) if vectors.dtype == np.float16 else vectors


def unit_of(vectors: Vectors) -> NDArray[np.float64]:
    """Return the vectors scaled to unit length, as float64."""
    real = vectors.astype(np.float64)
    if vectors.dtype.itemsize >= real.itemsize:  # squares of narrower dtypes neither underflow nor overflow
        real = scale_to_largest(vectors).astype(np.float64)
    real /= np.sqrt(np.einsum("nd,nd->n", real, real))[:, None]
    return real


def _sample(vectors: Vectors, offset: float) -> NDArray[np.float64]:
    """Return evenly sampled rows as unit vectors; offsets half a step apart give disjoint samples of a large array."""
    count = min(_SAMPLE_ROWS, len(vectors))
    return unit_of(vectors[((np.arange(count) + offset) * len(vectors) / count).astype(np.int64)])


def _principal(unit: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return approximate principal axes `(d, count)`, orthonormal, by descending variance (subspace iteration).

    The orthogonalisation is a compiled loop: a LAPACK factorisation distributes many small tasks to BLAS threads, and
    takes seconds if another process occupies a core.
    """
    from twinpix.search.kernels import cosine

    centred = unit - unit.mean(axis=0)
    axes = np.random.default_rng(0).normal(size=(count, unit.shape[1]))
    for _ in range(_TURNS):
        axes = axes @ centred.T @ centred
        cosine.orthogonal(axes)
    return axes.T


def _cost(numbers: int, left: float) -> float:
    return numbers * _NUMBER_COST + left * _PAIR_COST + (1 - (1 - left) ** _TILE) * _TILE_COST / _TILE


def cost_of_row(dims: int, frame: Frame) -> float:
    """Return the cost to compute one head, in nanoseconds on one thread."""
    return dims * (_ROW_COST + _TURN_COST * frame.numbers(dims))
