"""Wavelet hash: which Haar averages of a copy are brighter than their median.

Source: D. Petrov, "Wavelet image hash in Python", https://fullstackml.com/wavelet-image-hash-in-python-3504fdd282b5
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from twinpix.fingerprints.base import Array, Turns, check_size, pack, scaled_radii
from twinpix.imaging import Flavour, Picture
from twinpix.model import Bytes2D, Decode, Strictness

_LEVELS = 5  # of imagededup: from 32·size down to size


@dataclass(frozen=True, slots=True)
class WHash:
    """`size`² bits."""

    metric: ClassVar[Literal["hamming", "identity"]] = "hamming"
    version: ClassVar[int] = 1
    turns: ClassVar[Turns] = "matrix"

    size: int = 8
    flavour: Flavour = "imagededup"

    def __post_init__(self) -> None:
        imagehash = self.flavour == "imagehash"
        check_size(self.size, imagehash=imagehash, power_of_two=imagehash)

    @property
    def bits(self) -> int:
        return self.size * self.size

    @property
    def radii(self) -> Mapping[Strictness, int]:
        return scaled_radii(self.size, {8: (0, 0, 1), 16: (0, 1, 4)})

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
            pixels = pywt.waverec2([top[0] * 0, *top[1:]], "haar")  # without the mean of everything
            level = side.bit_length() - self.size.bit_length()
        averages: Array = pywt.wavedec2(pixels, "haar", level=level)[0]
        return averages

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        median = np.median(batch, axis=(1, 2), keepdims=True)
        return pack(batch >= median if self.flavour == "imagededup" else batch > median)
