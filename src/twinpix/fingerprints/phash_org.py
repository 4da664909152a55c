"""Perceptual hash without the constant term: rows and columns 1 to n of the DCT, as in imgdupes.

Source: N. Krawetz, "Looks Like It", https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints._square import Radii, Square
from twinpix.fingerprints.base import Array, check_size, low_frequencies, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode


@dataclass(frozen=True, slots=True)
class PHashOrg(Square):
    """`size`² bits, of an image four times as wide and high."""

    measured: ClassVar[Radii] = {8: (4, 8, 10), 16: (36, 76, 82)}

    size: int = 8

    def __post_init__(self) -> None:
        check_size(self.size, imagehash=True)

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(4 * self.size, 4 * self.size, "imagehash")

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        low = low_frequencies(batch, self.size + 1, decode)[:, 1:, 1:].reshape(len(batch), -1)
        return pack(low > np.median(low, axis=1, keepdims=True))
