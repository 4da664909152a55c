"""Identity of the pixels: equal codes mean equal pixels in all frames, in whatever file format."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints.base import Array, Identity
from twinpix.imaging import Picture, pixel_digest


@dataclass(frozen=True, slots=True)
class Pixels(Identity):
    """128 bits, compared for equality."""

    version: ClassVar[int] = 2

    def prepare(self, picture: Picture) -> Array:
        """Return the digest of all frames, upright, at full depth, with their colour profile, as 16 bytes."""
        return np.frombuffer(pixel_digest(picture.data, picture.name), dtype=np.uint8)
