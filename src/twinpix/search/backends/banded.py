"""Exact Hamming join in near-linear time: codes within r agree to within t bits on one of m bands.

With Σ(tᵢ + 1) = r + 1 over the bands, two codes within r differ by at most tᵢ bits on some band i (the
generalised pigeonhole principle), so only codes in buckets whose keys differ by at most tᵢ bits are compared, in full.
A pair is reported in the first band that admits it. If bands would not be faster, every pair is compared, by tiles.

Source: M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index
hashing", https://arxiv.org/abs/1307.2982
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.machine import cores
from twinpix.search.bands import Bands, choose_bands, masks_of, sort_by_bucket, steps
from twinpix.search.base import Codes, OnProgress, Pairs, Plan
from twinpix.search.distributed import Collapsed, join_on
from twinpix.search.scheduler import TaskScheduler
from twinpix.search.unique import collapse, equals, expand_pairs

_PARTS = 64  # tasks per band


@dataclass(frozen=True, slots=True)
class Banded:
    """Multi-index hashing, with a cost model that falls back to tiles."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming",)
    exact: ClassVar[bool] = True

    threads: int = 0  # 0: one per core

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError("threads must not be negative")

    def plan(self, queries: Codes, gallery: Codes | None, radius: int) -> Plan:
        left, left_group = collapse(queries)
        right, right_group = (None, left_group) if gallery is None else collapse(gallery)
        radius = min(radius, 64 * left.shape[0])
        threads = self.threads or cores()
        bands, nanoseconds = choose_bands(left, left if right is None else right, radius)

        def blocks(on_progress: OnProgress) -> Iterator[Pairs]:
            with ThreadPoolExecutor(threads) as pool:
                tasks = _tasks(left, right, radius, bands)
                for found in TaskScheduler(pool, threads, on_progress, 0.0, 1.0).of(tasks):
                    for block in found:
                        yield from expand_pairs(block, left_group, right_group, half=right is None)
            if right is None:
                yield from equals(left_group)

        join = partial(join_on, Collapsed(left, right, left_group, right_group, radius, bands))
        return Plan(True, nanoseconds * 1e-9 / threads, _how(bands), blocks, join)


def _how(bands: Bands | None) -> str:
    if bands is None:
        return "every code compared with every other"
    widths = sorted(set(bands.widths.tolist()))
    wide = f"{widths[0]} to {widths[-1]}" if len(widths) > 1 else str(widths[0])
    return f"bands of {wide} bits, {len(bands.widths)} of them"


def _tasks(
    left: NDArray[np.uint64], right: NDArray[np.uint64] | None, radius: int, bands: Bands | None
) -> Iterator[tuple[float, Iterator[list[Pairs]]]]:
    """Yield `_PARTS` tasks for each band, or for the comparison of all pairs; each with its fraction of the work."""
    from twinpix.search.kernels import hamming

    other, same = left if right is None else right, right is None
    if bands is None:
        selective = hamming.selective_words(left.shape[0], radius)
        kernel = partial(hamming.compare_all, left, other, same, radius, selective)
        edges = np.linspace(0, left.shape[1], _PARTS + 1).astype(np.int64).tolist()
        for start, stop in pairwise(edges):
            column = start // hamming.TILE * hamming.TILE if same else 0
            yield 1 / _PARTS, steps(kernel, [start, column, start, 0, 0], stop)
        return
    for band, (first, width, slack) in enumerate(zip(*bands, strict=True)):
        a = sort_by_bucket(left, first, width)
        b = a if same else sort_by_bucket(other, first, width)
        edges = np.searchsorted(a[1], np.linspace(0, left.shape[1], _PARTS + 1)).astype(np.int64).tolist()
        edges[0], edges[-1] = 0, 1 << int(width)
        last = int(first + width - 1) // 64
        selective = hamming.selective_words(left.shape[0], radius, last + 1)  # words after the band
        masks = masks_of(int(width), int(slack))
        kernel = partial(hamming.compare_bands, *a, *b, masks, same, radius, *bands, band, selective)
        for start, stop in pairwise(edges):
            yield 1 / _PARTS / len(bands.firsts), steps(kernel, [start, 0, 0, 0, 0], stop)
