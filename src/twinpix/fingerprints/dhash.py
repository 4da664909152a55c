"""Difference hash: where brightness grows from left to right.

Source: N. Krawetz, "Kind of Like That",
https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from twinpix.fingerprints.base import Array, Turns, check_size, pack, scaled_radii
from twinpix.imaging import Flavour, Picture
from twinpix.model import Bytes2D, Decode, Strictness


@dataclass(frozen=True, slots=True)
class DHash:
    """`size`² bits, of a picture `size` + 1 wide."""

    metric: ClassVar[Literal["hamming", "identity"]] = "hamming"
    version: ClassVar[int] = 1
    turns: ClassVar[Turns] = "transposed"

    size: int = 8
    flavour: Flavour = "imagededup"

    def __post_init__(self) -> None:
        check_size(self.size, imagehash=self.flavour == "imagehash")

    @property
    def bits(self) -> int:
        return self.size * self.size

    @property
    def radii(self) -> Mapping[Strictness, int]:
        return scaled_radii(self.size, {8: (1, 2, 4), 16: (12, 25, 29)})

    def prepare(self, picture: Picture) -> Array:
        return picture.luma(self.size + 1, self.size, self.flavour)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return pack(batch[:, :, 1:] > batch[:, :, :-1])
