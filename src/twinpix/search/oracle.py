"""Every code against every other, in numpy: slow, obvious, the truth that other back ends are held to."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twinpix.search.base import Codes, Pairs, Vectors, cosine_distances, metric_of, no_pairs, words

_BLOCK = 4_000_000  # distances held at once
_ROWS = 256  # of a block, so that what lies before its first row is left out


@dataclass(frozen=True, slots=True)
class Oracle:
    """Brute force."""

    metrics: ClassVar[tuple[str, ...]] = ("hamming", "identity", "cosine")

    def pairs(self, codes: NDArray[Any], radius: float) -> Pairs:
        within = self._angles if metric_of(codes) == "cosine" else self._bits
        return within(codes, codes, radius, half=True)

    def between(self, queries: NDArray[Any], gallery: NDArray[Any], radius: float) -> Pairs:
        within = self._angles if metric_of(queries) == "cosine" else self._bits
        return within(queries, gallery, radius, half=False)

    def _angles(self, queries: Vectors, gallery: Vectors, radius: float, *, half: bool) -> Pairs:
        found = [no_pairs(np.float32)]
        for i in range(len(queries)):
            skip = i + 1 if half else 0
            distance = cosine_distances(queries[i : i + 1], gallery[skip:])
            j = np.flatnonzero(distance <= np.float32(radius))
            found.append((np.full(len(j), i), j + skip, distance[j]))
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))  # type: ignore[return-value]

    def _bits(self, queries: Codes, gallery: Codes, radius: float, *, half: bool) -> Pairs:
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
            return no_pairs()
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def _distances(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16]:
    total = np.zeros((len(left), len(right)), dtype=np.uint16)
    for word in range(left.shape[1]):
        total += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return total
