"""Identity of the visible pixels: equal codes mean equal upright pictures, whatever file they came in."""

from dataclasses import dataclass

import numpy as np

from twinpix.fingerprints.base import Array, Identity
from twinpix.imaging import Picture, pixel_digest


@dataclass(frozen=True, slots=True)
class Pixels(Identity):
    """128 bits, compared for equality."""

    def prepare(self, picture: Picture) -> Array:
        """The digest of upright size, depth and pixels as 16 bytes."""
        return np.frombuffer(pixel_digest(picture.data, picture.name), dtype=np.uint8)
