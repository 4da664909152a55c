"""Perceptual hash: which low frequencies of a reduced image are above their median.

Source: N. Krawetz, "Looks Like It", https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints._square import Radii, SquareHash
from twinpix.fingerprints.base import Array, low_frequencies, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode


@dataclass(frozen=True, slots=True)
class PHash(SquareHash):
    """`size`² bits, of an image four times as wide and high."""

    measured: ClassVar[Radii] = {8: (4, 8, 10), 12: (16, 34, 38), 16: (40, 76, 82)}

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(4 * self.size, 4 * self.size, self.flavour)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        low = low_frequencies(batch, self.size, decode).reshape(len(batch), -1)
        if self.flavour == "imagededup":
            return pack(low >= np.median(low[:, 1:], axis=1, keepdims=True))
        return pack(low > np.median(low, axis=1, keepdims=True))
