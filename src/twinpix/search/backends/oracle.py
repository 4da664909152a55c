"""Exact brute force in numpy: slow, the reference that other back ends are tested against."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Codes, OnProgress, Pairs, Plan, Vectors, cosine_distances, metric_of, words

_BLOCK = 4_000_000  # distances in memory at once
_ROWS = 256  # maximum rows per block, so that a self-join computes few pairs with i > j
_SECONDS = {"hamming": 1.5e-9, "cosine": 4e-9}  # per word, per component


@dataclass(frozen=True, slots=True)
class Oracle:
    """Brute force."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "cosine")
    exact: ClassVar[bool] = True

    def plan(self, queries: NDArray[Any], gallery: NDArray[Any] | None, radius: float) -> Plan:
        metric = metric_of(queries)
        within = _angles if metric == "cosine" else _bits
        right = queries if gallery is None else gallery
        numbers = len(queries) * len(right) * queries.shape[1] / (1 if gallery is not None else 2)
        seconds = numbers * _SECONDS[metric] / (1 if metric == "cosine" else 8)

        def blocks(on_progress: OnProgress) -> Iterator[Pairs]:
            return within(queries, right, radius, on_progress, half=gallery is None)

        return Plan(True, seconds, "every code compared with every other", blocks)


def _angles(
    queries: Vectors, gallery: Vectors, radius: float, on_progress: OnProgress, *, half: bool
) -> Iterator[Pairs]:
    for i in range(len(queries)):
        skip = i + 1 if half else 0
        distance = cosine_distances(queries[i : i + 1], gallery[skip:])
        j = np.flatnonzero(distance <= np.float32(radius))
        yield np.full(len(j), i), j + skip, distance[j]
        on_progress((i + 1) / len(queries))


def _bits(queries: Codes, gallery: Codes, radius: float, on_progress: OnProgress, *, half: bool) -> Iterator[Pairs]:
    left, right = words(queries), words(gallery)
    step = min(_ROWS, max(1, _BLOCK // max(1, len(right))))
    for start in range(0, len(left), step):
        skip = start if half else 0  # pairs i < j only: skip the rows before the block's first row
        distance = _distances(left[start : start + step], right[skip:])
        i, j = np.nonzero(distance <= radius)
        if half:
            later = j > i
            i, j = i[later], j[later]
        yield i + start, j + skip, distance[i, j].astype(np.int32)
        on_progress(min(1.0, (start + step) / len(left)))


def _distances(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16] | NDArray[np.uint32]:
    width = 64 * left.shape[1]
    total = np.zeros((len(left), len(right)), dtype=np.uint16 if width < 1 << 16 else np.uint32)
    for word in range(left.shape[1]):
        total += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return total
