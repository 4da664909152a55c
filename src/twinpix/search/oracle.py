"""Every code against every other, in numpy: slow, obvious, the truth that other back ends are held to."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Codes, Pairs, words

_BLOCK = 4_000_000  # distances held at once
_ROWS = 256  # of a block, so that what lies before its first row is left out


@dataclass(frozen=True, slots=True)
class Oracle:
    """Brute force."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "identity")

    def pairs(self, codes: Codes, radius: int) -> Pairs:
        i, j, distance = self._within(codes, codes, radius, half=True)
        return i, j, distance

    def between(self, queries: Codes, gallery: Codes, radius: int) -> Pairs:
        return self._within(queries, gallery, radius, half=False)

    def _within(self, queries: Codes, gallery: Codes, radius: int, *, half: bool) -> Pairs:
        left, right = words(queries), words(gallery)
        step = min(_ROWS, max(1, _BLOCK // max(1, len(right))))
        found: list[Pairs] = []
        for start in range(0, len(left), step):
            skip = start if half else 0  # pairs i < j only: nothing before the block's first row
            distance = _distances(left[start : start + step], right[skip:])
            i, j = np.nonzero(distance <= radius)
            if half:
                later = j > i
                i, j = i[later], j[later]
            found.append((i + start, j + skip, distance[i, j].astype(np.int32)))
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def _distances(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16]:
    total = np.zeros((len(left), len(right)), dtype=np.uint16)
    for word in range(left.shape[1]):
        total += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return total
