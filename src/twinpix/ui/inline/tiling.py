"""Tile images into one, in rows of equal cells."""

import re
from collections.abc import Sequence
from typing import TypedDict

from PIL import Image, ImageColor

from twinpix.errors import UsageError
from twinpix.imaging import MAX_PIXELS
from twinpix.ui.thumbnails import Missing, load_thumbnail

Colour = tuple[int, int, int]

INTERPOLATIONS = {  # OpenCV's names, without INTER_, and Pillow's filters
    "NEAREST": Image.Resampling.NEAREST,
    "NEAREST_EXACT": Image.Resampling.NEAREST,
    "LINEAR": Image.Resampling.BILINEAR,
    "LINEAR_EXACT": Image.Resampling.BILINEAR,
    "AREA": Image.Resampling.BOX,
    "CUBIC": Image.Resampling.BICUBIC,
    "LANCZOS4": Image.Resampling.LANCZOS,
}


class Tiling(TypedDict, total=False):
    """The layout options of `tile`."""

    size: tuple[int, int]
    space: int
    space_color: str
    columns: int
    interpolation: str
    keep_aspect: bool


def parse_size(text: str) -> tuple[int, int]:
    """Parse a text such as 256x256 to width and height, in pixels; raises `UsageError` for another text."""
    if match := re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text):
        return int(match[1]), int(match[2])
    raise UsageError(f"{text!r} is no size: give width x height in pixels, like 256x256")


def check(space_color: str, interpolation: str) -> None:
    """Check the names of a colour and an interpolation; raises `UsageError` for an unknown one."""
    _colour(space_color)
    _resampling(interpolation)


def tile(
    paths: Sequence[str],
    size: tuple[int, int] = (256, 256),
    space: int = 0,
    space_color: str = "black",
    columns: int = 4,
    interpolation: str = "linear",
    keep_aspect: bool = True,
) -> Image.Image:
    """Return one image of all images, row by row, each in a cell of `size` with `space` pixels to its left and above.

    An image is scaled to fit in its cell or, without `keep_aspect`, to fill it; the cell of an image that cannot be
    read is black. Raises `UsageError` for an invalid layout, colour or interpolation, or too large a result.
    """
    width, height = size
    columns = min(columns, len(paths))
    if columns < 1:
        raise UsageError("a tile needs at least one image and one column")
    if width < 1 or height < 1 or space < 0:
        raise UsageError("a tile's size starts at 1x1, its space at 0")
    resampling, background = _resampling(interpolation), _colour(space_color)
    rows = -(-len(paths) // columns)
    whole = (columns * (space + width), rows * (space + height))
    if whole[0] * whole[1] > MAX_PIXELS:
        raise UsageError(f"the tile would be {whole[0]}x{whole[1]} pixels: choose a smaller size or fewer images")
    out = Image.new("RGB", whole, background)
    for at, path in enumerate(paths):
        row, column = divmod(at, columns)
        cell = _cell(path, size, background, resampling, keep_aspect)
        out.paste(cell, (column * (space + width) + space, row * (space + height) + space))
    return out


def _resampling(name: str) -> Image.Resampling:
    known = INTERPOLATIONS.get(name.upper().removeprefix("INTER_"))
    if known is None:
        raise UsageError(f"no interpolation is called {name!r}; there are: INTER_{', INTER_'.join(INTERPOLATIONS)}")
    return known


def _colour(name: str) -> Colour:
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise UsageError(f"{name!r} is no colour: give a name, like white, or #rrggbb") from None
    return red, green, blue


def _cell(
    path: str, size: tuple[int, int], background: Colour, resampling: Image.Resampling, keep_aspect: bool
) -> Image.Image:
    image = load_thumbnail(path, MAX_PIXELS)  # at full size, so that it is scaled only once, as requested
    if isinstance(image, Missing):
        return Image.new("RGB", size, "black")
    if not keep_aspect:
        return image.resize(size, resampling)
    scaled, corner = _fit(image.size, size)
    out = Image.new("RGB", size, background)
    out.paste(image.resize(scaled, resampling), corner)
    return out


def _fit(size: tuple[int, int], cell: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the largest size that fits in the cell, and the position of its upper left corner, in pixels.

    In square cells both are the same as in imgdupes.
    """
    if size[0] * cell[1] >= size[1] * cell[0]:
        height = size[1] * (cell[0] / size[0])
        return (cell[0], max(1, int(height))), (0, int((cell[1] - height) / 2))
    width = size[0] * (cell[1] / size[1])
    return (max(1, int(width)), cell[1]), (int((cell[0] - width) / 2), 0)
