"""PDQ: 256 bits of the low frequencies of a smoothed image, and a quality from 0 to 100.

Source: Meta, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm",
https://github.com/facebook/ThreatExchange/blob/main/hashing/hashing.pdf
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints.base import Array, Hash, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode, Strictness

_SIDE, _KEEP = 64, 16


@dataclass(frozen=True, slots=True)
class PDQ(Hash):
    """256 bits; codes of images whose `quality` is below 50 are not reliable.

    A reference decode smooths and samples as the authors do. A fast decode resizes evenly: the authors' sample
    positions are not centred, which costs twenty bits for a rotated image.
    """

    version: ClassVar[int] = 2

    @property
    def bits(self) -> int:
        return _KEEP * _KEEP

    @property
    def radii(self) -> Mapping[Strictness, float]:
        return {"exact": 0, "strict": 31, "normal": 72, "loose": 80}

    def prepare(self, picture: Picture) -> Array:
        if picture.decode == "fast":
            return picture.luma(_SIDE, _SIDE).astype(np.float32)
        luma = picture.float_luma()
        rows, columns = luma.shape
        for _ in range(2):
            luma = _smooth(luma, _window(columns))
            luma = _smooth(luma.T, _window(rows)).T
        return luma[np.ix_(_sample(rows), _sample(columns))]

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        cosines = _cosines()
        low = (cosines @ batch @ cosines.T).reshape(len(batch), -1)
        median = np.sort(low, axis=1)[:, low.shape[1] // 2 - 1, None]  # the lower of the middle two
        return pack((low > median)[:, ::-1])

    def quality(self, matrix: Array) -> int:
        """Return the amount of detail, 0 to 100, from the gradients of the small matrix."""
        down = np.trunc((matrix[:-1] - matrix[1:]) * 100 / 255)
        across = np.trunc((matrix[:, :-1] - matrix[:, 1:]) * 100 / 255)
        return int(min(100, (np.abs(down).sum() + np.abs(across).sum()) // 90))


def _window(length: int) -> int:
    return (length + 2 * _SIDE - 1) // (2 * _SIDE)


def _sample(length: int) -> NDArray[np.int64]:
    return ((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(np.int64)


def _smooth(luma: Array, window: int) -> Array:
    """Return the running mean over `window` columns; fewer at the edges."""
    if window == 1:
        return luma
    ahead = (window + 2) // 2
    sums = np.cumsum(luma, axis=1, dtype=np.float64)
    sums = np.concatenate([np.zeros((len(luma), 1)), sums], axis=1)
    at = np.arange(luma.shape[1])
    last = np.minimum(at + ahead, luma.shape[1])
    first = np.maximum(at + ahead - window, 0)
    return cast(Array, ((sums[:, last] - sums[:, first]) / (last - first)).astype(np.float32))


@cache
def _cosines() -> NDArray[np.float64]:
    i, j = np.arange(1, _KEEP + 1)[:, None], np.arange(_SIDE)[None]
    return cast("NDArray[np.float64]", np.sqrt(2 / _SIDE) * np.cos(np.pi / (2 * _SIDE) * i * (2 * j + 1)))
