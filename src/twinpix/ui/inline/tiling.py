"""Many images on one picture, in rows of equal cells."""

import re
from collections.abc import Sequence
from typing import TypedDict

from PIL import Image, ImageColor

from twinpix.errors import UsageError
from twinpix.imaging import MAX_PIXELS
from twinpix.ui.thumbnails import Missing, look

Colour = tuple[int, int, int]

INTERPOLATIONS = {  # OpenCV's names, without INTER_, and what they are here
    "NEAREST": Image.Resampling.NEAREST,
    "NEAREST_EXACT": Image.Resampling.NEAREST,
    "LINEAR": Image.Resampling.BILINEAR,
    "LINEAR_EXACT": Image.Resampling.BILINEAR,
    "AREA": Image.Resampling.BOX,
    "CUBIC": Image.Resampling.BICUBIC,
    "LANCZOS4": Image.Resampling.LANCZOS,
}


class Tiling(TypedDict, total=False):
    """How `tile` lays images out."""

    size: tuple[int, int]
    space: int
    space_color: str
    columns: int
    interpolation: str
    keep_aspect: bool


def parse_size(text: str) -> tuple[int, int]:
    """The width and height that a text like 256x256 names; raises `UsageError` for another text."""
    if match := re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text):
        return int(match[1]), int(match[2])
    raise UsageError(f"{text!r} is no size: give width x height in pixels, like 256x256")


def check(space_color: str, interpolation: str) -> None:
    """Raise `UsageError` for names that `tile` does not know."""
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
    """All images on one picture, row by row, each in a cell of `size` with `space` pixels left of it and above.

    An image fills its cell as far as its shape allows, or altogether without `keep_aspect`; one that cannot be read
    is a black cell. Raises `UsageError` for what cannot be drawn.
    """
    width, height = size
    columns = min(columns, len(paths))
    if columns < 1:
        raise UsageError("a tile needs at least one image and one column")
    if width < 1 or height < 1 or space < 0:
        raise UsageError("a tile's size starts at 1x1, its space at 0")
    resampling, ground = _resampling(interpolation), _colour(space_color)
    rows = -(-len(paths) // columns)
    whole = (columns * (space + width), rows * (space + height))
    if whole[0] * whole[1] > MAX_PIXELS:
        raise UsageError(f"the tile would be {whole[0]}x{whole[1]} pixels: choose a smaller size or fewer images")
    out = Image.new("RGB", whole, ground)
    for at, path in enumerate(paths):
        row, column = divmod(at, columns)
        cell = _cell(path, size, ground, resampling, keep_aspect)
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
    path: str, size: tuple[int, int], ground: Colour, resampling: Image.Resampling, keep_aspect: bool
) -> Image.Image:
    image = look(path, MAX_PIXELS)  # at its full size, so that the one scaling is the one asked for
    if isinstance(image, Missing):
        return Image.new("RGB", size, "black")
    if not keep_aspect:
        return image.resize(size, resampling)
    scaled, corner = _fitted(image.size, size)
    out = Image.new("RGB", size, ground)
    out.paste(image.resize(scaled, resampling), corner)
    return out


def _fitted(size: tuple[int, int], cell: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size that fills the cell one way, and where it starts; in square cells to the pixel as imgdupes has it."""
    if size[0] * cell[1] >= size[1] * cell[0]:
        height = size[1] * (cell[0] / size[0])
        return (cell[0], max(1, int(height))), (0, int((cell[1] - height) / 2))
    width = size[0] * (cell[1] / size[1])
    return (max(1, int(width)), cell[1]), (int((cell[0] - width) / 2), 0)
