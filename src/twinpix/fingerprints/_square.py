"""Base classes of hashes with `size`² bits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from twinpix.fingerprints.base import Hash, check_size, scale_radii
from twinpix.imaging import Flavour
from twinpix.model import Strictness

Radii = Mapping[int, tuple[int, int, int]]
"""Measured radii in bits by size: strict, normal and loose."""


class Square(Hash):
    """`size`² bits, compared by Hamming distance."""

    __slots__ = ()
    measured: ClassVar[Radii]
    size: int

    @property
    def bits(self) -> int:
        return self.size * self.size

    @property
    def radii(self) -> Mapping[Strictness, float]:
        return scale_radii(self.size, self.measured)


@dataclass(frozen=True, slots=True)
class SquareHash(Square):
    """A square hash that follows the conventions of imagededup or of ImageHash."""

    size: int = 8
    flavour: Flavour = "imagededup"

    def __post_init__(self) -> None:
        check_size(self.size, imagehash=self.flavour == "imagehash")
