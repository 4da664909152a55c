"""Whether two pictures are the same to the pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.channels import orientation, turned
from twinpix.imaging.guard import guarded, quiet
from twinpix.imaging.opening import open_image


def pixel_digest(data: bytes, name: str = "") -> bytes:
    """16 bytes that are equal exactly when upright size, depth and every visible pixel are equal."""
    with quiet():
        return guarded(lambda: _pixel_digest(data, name))


def _pixel_digest(data: bytes, name: str) -> bytes:
    import xxhash

    image = open_image(data, name)
    image.load()
    turn = orientation(image)
    if image.mode.startswith(("I", "F")):
        pixels: NDArray[Any] = np.asarray(turned(image, turn))
    else:
        rgba = np.array(turned(image.convert("RGBA"), turn))
        rgba[rgba[..., 3] == 0] = 0  # colours that nobody can see
        pixels = rgba
    state = xxhash.xxh3_128(f"{pixels.dtype.str}{pixels.shape}".encode())
    state.update(np.ascontiguousarray(pixels).data)
    return state.digest()
