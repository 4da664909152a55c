"""Average hash: which pixels of a reduced image are brighter than its mean.

Source: N. Krawetz, "Looks Like It", https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints._square import Radii, SquareHash
from twinpix.fingerprints.base import Array, pack
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode


@dataclass(frozen=True, slots=True)
class AHash(SquareHash):
    """`size`² bits."""

    measured: ClassVar[Radii] = {8: (0, 0, 1), 16: (1, 3, 5)}

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(self.size, self.size, self.flavour)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        mean = np.mean(batch, axis=(1, 2), keepdims=True)
        return pack(batch >= mean if self.flavour == "imagededup" else batch > mean)
