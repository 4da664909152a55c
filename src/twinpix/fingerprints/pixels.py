"""Identity of the visible pixels: equal codes mean equal upright pictures, whatever file they came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from twinpix.fingerprints.base import Array, Turns
from twinpix.imaging import Picture
from twinpix.model import Bytes2D, Decode, Strictness


@dataclass(frozen=True, slots=True)
class Pixels:
    """128 bits, compared for equality."""

    metric: ClassVar[Literal["hamming", "identity"]] = "identity"
    version: ClassVar[int] = 1
    turns: ClassVar[Turns] = "transposed"

    @property
    def bits(self) -> int:
        return 128

    @property
    def radii(self) -> Mapping[Strictness, int]:
        return {"exact": 0, "strict": 0, "normal": 0, "loose": 0}

    def prepare(self, picture: Picture) -> Array:
        return np.frombuffer(picture.pixel_digest(), dtype=np.uint8)

    def compute(self, batch: Array, decode: Decode = "fast") -> Bytes2D:
        return batch
