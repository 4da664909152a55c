"""Exact cosine join: bounds from short projections exclude nearly all pairs, the others are computed in full.

The dot product of two heads is an upper bound on the cosine (`kernels.projection_bound`). Pairs whose bound is below
the minimum cosine are not written to memory (`kernels.cosine`), and the whole matrix is never in memory. The distances
of the other pairs are computed in float64 and rounded to `DIGITS`, so that the result does not depend on the order of
summation.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.machine import cores
from twinpix.model import DIGITS
from twinpix.search.base import OnProgress, Pairs, Plan, Vectors, cosine_distances
from twinpix.search.kernels import projection_bound
from twinpix.search.kernels.blas_join import measure_pairs, plan_products
from twinpix.search.kernels.projection_bound import ProjectedVectors
from twinpix.search.scheduler import TaskScheduler

_SMALL = 4e10  # up to this many multiplications numpy is faster than loading the compiled loops
_GALLERY = 1 << 17  # gallery rows whose heads are in memory at once
_TASK = 16  # panels of the left side per task
_STEP = 1 << 17  # components of panels of the right side per step of a task
_BUFFER = 1 << 17  # pairs per block of exact distances
_EDGE = 1e-6  # of the last decimal: closer to a rounding boundary, the order of summation could change the result


@dataclass(frozen=True, slots=True)
class Cosine:
    """Dot products of heads, in tiles that stay in registers, on `threads` threads (0: one per core)."""

    metrics: ClassVar[tuple[str, ...]] = ("cosine",)
    exact: ClassVar[bool] = True

    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError("threads must not be negative")

    def plan(self, queries: Vectors, gallery: Vectors | None, radius: float) -> Plan:
        pairs = len(queries) * (len(queries) / 2 if gallery is None else len(gallery))
        if pairs * queries.shape[1] <= _SMALL:
            return plan_products(queries, gallery, radius)
        threads = self.threads or cores()
        least = projection_bound.least_of(radius, queries.shape[1])
        frame, cost = projection_bound.frame(queries, queries if gallery is None else gallery, least)
        rows = len(queries) + (0 if gallery is None else len(gallery))
        seconds = (pairs * cost / threads + rows * projection_bound.cost_of_row(queries.shape[1], frame)) * 1e-9
        how = f"bounds of {frame.numbers(queries.shape[1])} of {queries.shape[1]} numbers"
        return Plan(True, seconds, how, partial(_blocks, queries, gallery, radius, least, frame, threads))


def _blocks(
    queries: Vectors,
    gallery: Vectors | None,
    radius: float,
    least: float,
    frame: projection_bound.Frame,
    threads: int,
    on_progress: OnProgress,
) -> Iterator[Pairs]:
    with ThreadPoolExecutor(threads) as pool:
        left = projection_bound.project(queries, frame, pool)
        if gallery is None:
            yield from _find_near(left, left, radius, least, TaskScheduler(pool, threads, on_progress, 0.0, 1.0))
            return
        for start in range(0, len(gallery), _GALLERY):
            stop = min(start + _GALLERY, len(gallery))
            right = projection_bound.project(gallery[start:stop], frame, pool)
            turns = TaskScheduler(pool, threads, on_progress, start / len(gallery), stop / len(gallery))
            for i, j, distance in _find_near(left, right, radius, least, turns):
                yield i, j + np.int32(start), distance


def _find_near(
    left: ProjectedVectors, right: ProjectedVectors, radius: float, least: float, turns: TaskScheduler
) -> Iterator[Pairs]:
    """Yield the pairs within the radius of two sides, or of a self-join if both are the same object."""
    panels = len(left.panels)

    def tasks() -> Iterator[tuple[float, Iterator[Pairs]]]:
        for first in range(0, panels, _TASK):
            last = min(first + _TASK, panels)
            share = (last - first) / panels
            if left is right:  # self-join: later panels are compared with fewer panels
                share *= 2 - (first + last) / panels
            yield share, _task(left, right, first, last, radius, least)

    yield from turns.of(tasks())


def _task(
    left: ProjectedVectors, right: ProjectedVectors, first: int, last: int, radius: float, least: float
) -> Iterator[Pairs]:
    from twinpix.search.kernels import cosine as _tiles

    same = left is right
    state = np.array([first if same else 0, first])
    step = max(1, _STEP // right.panels.shape[1])
    i, j = np.empty(_BUFFER, np.int32), np.empty(_BUFFER, np.int32)
    while state[0] < len(right.panels):
        stop = min(int(state[0]) + step, len(right.panels))
        rows = len(left.vectors), len(right.vectors)
        count = _tiles.screen(
            left.panels, rows[0], right.panels, rows[1], same, np.float32(least), first, last, state, stop, i, j
        )
        yield from _measure(left, i[:count], right, j[:count], radius)


def _measure(
    left: ProjectedVectors, i: NDArray[np.int32], right: ProjectedVectors, j: NDArray[np.int32], radius: float
) -> Iterator[Pairs]:
    """Yield the pairs that are within the radius, with their exact distances."""
    from twinpix.search.kernels import cosine as _tiles

    if np.float64 in (left.numbers.dtype, right.numbers.dtype):  # the squares of float64 may underflow or overflow
        yield from measure_pairs(left.vectors, i, right.vectors, j, radius)
        return
    cosine = np.empty(len(i))
    _tiles.products(left.numbers, i, right.numbers, j, cosine)
    cosine /= left.lengths[i] * right.lengths[j]
    exact = np.maximum(1 - cosine, 0)
    distance = np.round(exact, DIGITS).astype(np.float32)
    decimals = exact * 10**DIGITS
    unsure = np.flatnonzero(np.abs(decimals - np.floor(decimals) - 0.5) < _EDGE)
    if len(unsure):
        distance[unsure] = cosine_distances(left.vectors[i[unsure]], right.vectors[j[unsure]])
    near = np.flatnonzero(distance <= np.float32(radius))
    yield i[near], j[near], distance[near]
