"""The evidence of `imaging.evidence` as a fingerprint, so that the store caches it; not a method to find copies."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints.base import Array, Identity
from twinpix.imaging import Picture
from twinpix.imaging.evidence import SIZE, VERSION, evidence_of


@dataclass(frozen=True, slots=True)
class PixelEvidence(Identity):
    """Packed evidence of one image; see `twinpix.imaging.evidence`."""

    version: ClassVar[int] = VERSION
    decodes: ClassVar[bool] = False  # `evidence_of` decodes the file itself, at full size

    @property
    def bits(self) -> int:
        return 8 * SIZE

    def prepare(self, picture: Picture) -> Array:
        return np.frombuffer(evidence_of(picture.data, picture.name), dtype=np.uint8)
