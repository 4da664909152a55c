"""Upright, and one channel or three: alpha over white, every depth as 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.picture import BASE

_GROUND = (255, 255, 255)  # what lies under transparent pixels
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, EXIF cannot be read, or the decoder has applied its own.

    JPEG XL has an orientation of its own, which decides and which its decoder applies; only where the file is a JPEG in
    another coding does the EXIF of that JPEG count.
    """
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except (SyntaxError, ValueError, OSError, KeyError, TypeError, EOFError, OverflowError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turned(image: Image.Image, turn: int) -> Image.Image:
    """The image upright, by its EXIF orientation."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def turned_array(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """The same for an array `(rows, columns[, channels])`."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Width and height of the image upright."""
    return (size[1], size[0]) if turn >= 5 else size


def reduced(image: Image.Image, side: int = BASE) -> Image.Image:
    """Shrink by a whole factor so that `side` pixels or a little more are left along the shorter side."""
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit red, green and blue: alpha over white, high depths scaled."""
    if image.mode.startswith(("I", "F")):
        return to_luma(image).convert("RGB")
    return (_on_white(image) or image).convert("RGB")


def to_luma(image: Image.Image) -> Image.Image:
    """8-bit luma: alpha over white, high depths scaled, never clipped."""
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image), image.mode))
    if flat := _on_white(image):
        return flat.convert("L")
    return image.convert("RGB" if image.mode in ("CMYK", "LAB", "HSV", "YCbCr") else "L").convert("L")


def _on_white(image: Image.Image) -> Image.Image | None:
    """A picture with transparent parts laid on white; None for one without."""
    if not ("A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info):
        return None
    return Image.alpha_composite(Image.new("RGBA", image.size, (*_GROUND, 255)), image.convert("RGBA"))


def _scaled(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scale deep integers and floats to 0..255: 16 bits by their range, anything else by its own extremes."""
    if mode != "F" and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
        return (values.astype(np.uint32) >> 8).astype(np.uint8)
    real = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = (0.0, 1.0) if real.min() >= 0 and real.max() <= 1 else (float(real.min()), float(real.max()))
    return np.rint((real - low) * (255 / (high - low or 1))).astype(np.uint8)
