"""Difference hash: where the brightness of a reduced image increases from left to right.

Source: N. Krawetz, "Kind of Like That",
https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html
"""

from dataclasses import dataclass
from typing import ClassVar

from twinpix.fingerprints._square import Radii, SquareHash
from twinpix.fingerprints.base import Array, Turns, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode


@dataclass(frozen=True, slots=True)
class DHash(SquareHash):
    """`size`² bits, of an image `size` + 1 wide."""

    turns: ClassVar[Turns] = "transposed"
    measured: ClassVar[Radii] = {8: (1, 2, 4), 16: (12, 25, 29)}

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(self.size + 1, self.size, self.flavour)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return pack(batch[:, :, 1:] > batch[:, :, :-1])
