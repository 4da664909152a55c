"""An index over codes for many small queries: each query is compared only with codes that can be within the radius."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.search.bands import Bands, Kernel, choose_bands, masks_of, sort_by_bucket, steps
from twinpix.search.base import Pairs, in_order, kind_of_distances, metric_of, no_pairs, unit, words
from twinpix.search.joins import check_both, check_codes, limit
from twinpix.search.kernels.blas_join import measure_pairs
from twinpix.search.unique import Equal, collapse, expand_pairs

_SLACK = 1e-4  # bound on the error of a float32 dot product plus the rounding of distances
_ROOM = 1 << 13  # pairs per output buffer: allocating a larger one takes longer than a query
_ROWS, _COLUMNS = 64, 1 << 16  # shape of one block of the product matrix


class Index:
    """A prepared gallery for range queries; its results equal those of `join`, without the preparation at each call.

    `codes` is as for `join`. `radius` is the largest radius of later queries: a smaller one gives a smaller and faster
    index. For binary codes the index keeps one copy of the codes per band, about 5 times their size. An index may be
    shared between threads.
    """

    def __init__(self, codes: NDArray[Any], radius: float) -> None:
        self._codes = codes = check_codes(codes, radius)
        self.radius = limit(codes, radius)
        self._ready = _Angles(codes) if metric_of(codes) == "cosine" else _Bits(codes, int(radius))

    def __len__(self) -> int:
        return len(self._codes)

    def join(self, queries: NDArray[Any], radius: float | None = None) -> Pairs:
        """Return rows `i` of `queries`, rows `j` of the codes and distances, sorted by `i` then `j`; see `join`.

        Raises `ValueError` for a radius above the radius of the index.
        """
        radius = self.radius if radius is None else radius
        queries, _ = check_both(queries, self._codes[:1], radius)
        radius = limit(queries, radius)
        if radius > self.radius:
            raise ValueError(f"this index finds what is within {self.radius}, not {radius}")
        kind = kind_of_distances(queries)
        if not len(queries) or not len(self._codes):
            return no_pairs(kind)
        parts = [no_pairs(kind), *self._ready.blocks(queries, radius)]
        i, j, distance = parts[1] if len(parts) == 2 else map(np.concatenate, zip(*parts, strict=True))
        return in_order(i.astype(np.int64, copy=False), j.astype(np.int64, copy=False), distance)


class _Bits:
    """Index of binary codes: for each band, the codes sorted by their key. Source: see `banded`."""

    def __init__(self, codes: NDArray[np.uint8], radius: int) -> None:
        self._codes, self._equal = collapse(codes)
        self._bands: Bands | None = None
        self._tables = []
        if self._codes.shape[1]:
            radius = min(radius, 64 * self._codes.shape[0])
            self._bands, _ = choose_bands(self._codes, self._codes, radius, ready=True)
        if self._bands is not None:
            for first, width, slack in zip(*self._bands, strict=True):
                self._tables.append((*sort_by_bucket(self._codes, first, width), masks_of(int(width), int(slack))))

    def blocks(self, queries: NDArray[np.uint8], radius: float) -> Iterator[Pairs]:
        rows = np.ascontiguousarray(words(queries).T)
        limit = min(int(radius), 64 * len(rows))
        each = Equal(np.arange(len(queries)), np.arange(len(queries) + 1))  # queries are not collapsed
        for kernel in self._kernels(rows, limit):
            for found in steps(kernel, [0] * 5, len(queries), _ROOM):
                for block in found:
                    yield from expand_pairs(block, each, self._equal, half=False)

    def _kernels(self, queries: NDArray[np.uint64], limit: int) -> Iterator[Kernel]:
        from twinpix.search.kernels import hamming as _kernels

        if self._bands is None:
            selective = _kernels.selective_words(len(queries), limit)
            yield partial(_kernels.compare_all, queries, self._codes, False, limit, selective)
            return
        for band, (codes, starts, at, masks) in enumerate(self._tables):
            yield partial(_kernels.probe, queries, codes, starts, at, masks, limit, *self._bands, band)


class _Angles:
    """Index of float codes: the unit vectors as float32."""

    def __init__(self, codes: NDArray[Any]) -> None:
        self._codes, self._unit = codes, unit(codes)

    def blocks(self, queries: NDArray[Any], radius: float) -> Iterator[Pairs]:
        for row in range(0, len(queries), _ROWS):
            rows = unit(queries[row : row + _ROWS])
            for column in range(0, len(self._unit), _COLUMNS):
                product = rows @ self._unit[column : column + _COLUMNS].T
                i, j = np.nonzero(product >= np.float32(1 - radius - _SLACK))
                yield from measure_pairs(queries, row + i, self._codes, column + j, radius)
