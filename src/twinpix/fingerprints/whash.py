"""Wavelet hash: which Haar averages of a reduced image are above their median.

Source: D. Petrov, "Wavelet image hash in Python", https://fullstackml.com/wavelet-image-hash-in-python-3504fdd282b5
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints._square import Radii, SquareHash
from twinpix.fingerprints.base import Array, check_size, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode

_LEVELS = 5  # wavelet levels of imagededup: from 32·size down to size


@dataclass(frozen=True, slots=True)
class WHash(SquareHash):
    """`size`² bits."""

    measured: ClassVar[Radii] = {8: (0, 0, 1), 16: (0, 1, 4)}

    def __post_init__(self) -> None:
        imagehash = self.flavour == "imagehash"
        check_size(self.size, imagehash=imagehash, power_of_two=imagehash)

    def prepare(self, picture: Picture) -> Array:
        import pywt

        if self.flavour == "imagededup":
            side, level = self.size << _LEVELS, _LEVELS
            pixels = picture.luma(side, side, self.flavour) / 255
        else:
            shorter = min(picture.image.size)
            side = max(self.size, 1 << (shorter.bit_length() - 1))
            pixels = picture.luma(side, side, self.flavour) / 255.0
            top = pywt.wavedec2(pixels, "haar", level=side.bit_length() - 1)
            pixels = pywt.waverec2([top[0] * 0, *top[1:]], "haar")  # removes the mean of the image
            level = side.bit_length() - self.size.bit_length()
        averages: Array = pywt.wavedec2(pixels, "haar", level=level)[0]
        return averages

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        median = np.median(batch, axis=(1, 2), keepdims=True)
        return pack(batch >= median if self.flavour == "imagededup" else batch > median)
