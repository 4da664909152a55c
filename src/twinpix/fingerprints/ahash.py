"""Average hash: which pixels of a small copy are brighter than its mean.

Source: N. Krawetz, "Looks Like It", https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from twinpix.fingerprints.base import Array, Turns, check_size, pack, scaled_radii
from twinpix.imaging import Flavour, Picture
from twinpix.model import Bytes2D, Decode, Strictness


@dataclass(frozen=True, slots=True)
class AHash:
    """`size`² bits."""

    metric: ClassVar[Literal["hamming", "identity"]] = "hamming"
    version: ClassVar[int] = 1
    turns: ClassVar[Turns] = "matrix"

    size: int = 8
    flavour: Flavour = "imagededup"

    def __post_init__(self) -> None:
        check_size(self.size, imagehash=self.flavour == "imagehash")

    @property
    def bits(self) -> int:
        return self.size * self.size

    @property
    def radii(self) -> Mapping[Strictness, int]:
        return scaled_radii(self.size, {8: (0, 0, 1), 16: (1, 3, 5)})

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(self.size, self.size, self.flavour)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        mean = np.mean(batch, axis=(1, 2), keepdims=True)
        return pack(batch >= mean if self.flavour == "imagededup" else batch > mean)
