"""Upright, and one channel or three: alpha over white, every depth as 8 bits."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.picture import BASE

_GROUND = (255, 255, 255)  # what lies under transparent pixels
_LARGE = 1 << 25  # pixels: a larger image is converted band by band
_BAND = 1 << 22  # pixels of a band
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


def reduced_rgb(image: Image.Image, turn: int, side: int) -> Image.Image:
    """`to_rgb`, upright and `reduced`; of a large image band by band, so that it is not in memory a second time."""
    factor = min(image.size) // side
    if image.width * image.height <= _LARGE or factor <= 1:
        return reduced(turned(to_rgb(image), turn), side)
    if image.mode.startswith(("I", "F")):  # scaled by the extremes of all of it
        image = to_luma(image)
    parts = (to_rgb(band).reduce(factor) for band in bands(image, factor))
    out = _joined("RGB", parts, (-(-image.width // factor), -(-image.height // factor)))
    return turned(out, turn)


def bands(image: Image.Image, multiple: int = 1) -> Iterator[Image.Image]:
    """The image in pieces from the top, their rows a multiple of this; a small one as a whole."""
    if image.width * image.height <= _LARGE or image.height == 1:
        yield image
        return
    rows = max(1, _BAND // (image.width * multiple)) * multiple
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        band.info = image.info
        yield band


def _joined(mode: str, parts: Iterable[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Pieces below each other."""
    out, top = Image.new(mode, size), 0
    for part in parts:
        out.paste(part, (0, top))
        top += part.height
    return out


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
        return _scaled(image)
    if image.width * image.height > _LARGE and image.height > 1 and image.mode != "RGB":
        return _joined("L", map(to_luma, bands(image)), image.size)
    if flat := _on_white(image):
        return flat.convert("L")
    return image.convert("RGB" if image.mode in ("CMYK", "LAB", "HSV", "YCbCr") else "L").convert("L")


def _on_white(image: Image.Image) -> Image.Image | None:
    """A picture with transparent parts laid on white; None for one without."""
    if not ("A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info):
        return None
    return Image.alpha_composite(Image.new("RGBA", image.size, (*_GROUND, 255)), image.convert("RGBA"))


def _scaled(image: Image.Image) -> Image.Image:
    """Scale deep integers and floats to 0..255: up to 16 bits by the bits in use, others by their own extremes.

    Cameras and scanners store 10, 12 or 14 bits in files of 16; read as 16, nothing would be left of them but a few
    dark levels. The largest value says how many bits are in use, and the same scale fits a smaller copy of the image.
    """
    low, high = _extremes(image)
    parts = (Image.fromarray(_levels(np.asarray(band), image.mode, low, high)) for band in bands(image))
    return _joined("L", parts, image.size)


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The least and the largest finite value."""
    low, high = np.inf, -np.inf
    for band in bands(image):
        values = np.asarray(band)
        real = np.where(np.isfinite(values), values, 0) if values.dtype.kind == "f" else values
        low, high = min(low, float(real.min())), max(high, float(real.max()))
    return low, high


def _levels(values: NDArray[Any], mode: str, low: float, high: float) -> NDArray[np.uint8]:
    if mode != "F" and low >= 0 and high <= 65535:
        scaled: NDArray[np.uint32] = np.minimum(values.astype(np.uint32) >> (bits_in_use(int(high)) - 8), 255)
        return scaled.astype(np.uint8)
    real = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    return np.rint((real - low) * (255 / (high - low or 1))).astype(np.uint8)


def bits_in_use(highest: int) -> int:
    """Bits of the sensor whose data, stored in 16 bits, has this largest value: 8, 10, 12, 14 or 16."""
    bits = highest.bit_length()
    return max(8, bits + bits % 2)


def deep_rgb(values: NDArray[np.uint16]) -> Image.Image:
    """Colours `(rows, columns, 3 or 4)` of up to 16 bits as an 8-bit image, scaled by the bits in use."""
    shift = bits_in_use(int(values[..., :3].max(initial=0))) - 8
    out = (values >> 8).astype(np.uint8)
    out[..., :3] = np.minimum(values[..., :3] >> shift, 255)
    return Image.fromarray(out)
