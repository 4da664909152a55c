"""Identity of the file: the xxh3-128 digest of its bytes, without decoding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from twinpix.fingerprints.base import Array, Identity
from twinpix.imaging import Picture


@dataclass(frozen=True, slots=True)
class Digest(Identity):
    """128 bits, compared for equality; also for files that no decoder can read."""

    decodes: ClassVar[bool] = False

    def prepare(self, picture: Picture) -> Array:
        """Return the digest as 16 bytes."""
        return np.frombuffer(picture.file_digest(), dtype=np.uint8)
