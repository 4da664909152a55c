"""Apply the orientation and convert to 8-bit luma or RGB: alpha is composited over white, all depths are scaled."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.picture import BASE

_BACKGROUND = (255, 255, 255)  # background colour under transparent pixels
_LARGE = 1 << 25  # pixels: a larger image is converted in horizontal bands
_BAND = 1 << 22  # pixels per band
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
    """Return the EXIF orientation, 1 to 8; 1 if there is none, EXIF cannot be read, or the decoder has applied it.

    JPEG XL stores its own orientation, which takes precedence and which its decoder applies. The EXIF orientation
    counts only if the file is a losslessly transcoded JPEG.
    """
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except (SyntaxError, ValueError, OSError, KeyError, TypeError, EOFError, OverflowError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turn_upright(image: Image.Image, turn: int) -> Image.Image:
    """Return the image upright, by its EXIF orientation `turn`."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def turn_array_upright(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return an array `(rows, columns[, channels])` upright, by the EXIF orientation `turn`."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Return width and height after the EXIF orientation `turn` is applied."""
    return (size[1], size[0]) if turn >= 5 else size


def reduce_to(image: Image.Image, side: int = BASE) -> Image.Image:
    """Shrink by an integer factor so that the shorter side has at least `side` pixels, or its own size if smaller."""
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def reduce_rgb_to(image: Image.Image, turn: int, side: int) -> Image.Image:
    """Return the image as RGB, upright and reduced as by `reduce_to`.

    A large image is converted in bands, so that no second full-size copy is in memory.
    """
    factor = min(image.size) // side
    if image.width * image.height <= _LARGE or factor <= 1:
        return reduce_to(turn_upright(to_rgb(image), turn), side)
    if image.mode.startswith(("I", "F")):  # the scale depends on the extremes of the whole image
        image = to_luma(image)
    parts = (to_rgb(band).reduce(factor) for band in bands(image, factor))
    out = _join("RGB", parts, (-(-image.width // factor), -(-image.height // factor)))
    return turn_upright(out, turn)


def bands(image: Image.Image, multiple: int = 1) -> Iterator[Image.Image]:
    """Yield horizontal bands from top to bottom, with a multiple of `multiple` rows; a small image as one band."""
    if image.width * image.height <= _LARGE or image.height == 1:
        yield image
        return
    rows = max(1, _BAND // (image.width * multiple)) * multiple
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        band.info = image.info
        yield band


def _join(mode: str, parts: Iterable[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Return an image of `size` with the parts stacked vertically."""
    out, top = Image.new(mode, size), 0
    for part in parts:
        out.paste(part, (0, top))
        top += part.height
    return out


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit RGB: alpha is composited over white, higher depths are scaled."""
    if image.mode.startswith(("I", "F")):
        return to_luma(image).convert("RGB")
    return (_on_white(image) or image).convert("RGB")


def to_luma(image: Image.Image) -> Image.Image:
    """Convert to 8-bit luma: alpha is composited over white, higher depths are scaled, never clipped."""
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _scale(image)
    if image.width * image.height > _LARGE and image.height > 1 and image.mode != "RGB":
        return _join("L", map(to_luma, bands(image)), image.size)
    if flat := _on_white(image):
        return flat.convert("L")
    return image.convert("RGB" if image.mode in ("CMYK", "LAB", "HSV", "YCbCr") else "L").convert("L")


def _on_white(image: Image.Image) -> Image.Image | None:
    """Composite an image over white; None if it has no alpha channel or transparent colour."""
    if not ("A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info):
        return None
    return Image.alpha_composite(Image.new("RGBA", image.size, (*_BACKGROUND, 255)), image.convert("RGBA"))


def _scale(image: Image.Image) -> Image.Image:
    """Scale integers and floats of more than 8 bits to 0..255.

    Integers of up to 16 bits are scaled by the number of bits in use, other values by their minimum and maximum.
    Cameras and scanners store 10, 12 or 14 bits in files of 16 bits; scaled as 16 bits, they would have only a few dark
    levels. The largest value gives the number of bits in use. A smaller copy of the image gets the same scale.
    """
    low, high = _extremes(image)
    parts = (Image.fromarray(_levels(np.asarray(band), image.mode, low, high)) for band in bands(image))
    return _join("L", parts, image.size)


def _extremes(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest value; values that are not finite count as 0."""
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
    """Return the bit depth of data stored in 16 bits whose largest value is `highest`: 8, 10, 12, 14 or 16."""
    bits = highest.bit_length()
    return max(8, bits + bits % 2)


def deep_rgb(values: NDArray[np.uint16]) -> Image.Image:
    """Convert RGB or RGBA `(rows, columns, 3 or 4)` uint16 to an 8-bit image, scaled by the bits in use."""
    shift = bits_in_use(int(values[..., :3].max(initial=0))) - 8
    out = (values >> 8).astype(np.uint8)
    out[..., :3] = np.minimum(values[..., :3] >> shift, 255)
    return Image.fromarray(out)
