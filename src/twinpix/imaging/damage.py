"""How much of a picture is there, and what can be shown of it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from twinpix.errors import ImageError
from twinpix.imaging.formats import jpeg
from twinpix.imaging.guard import reason
from twinpix.imaging.opening import open_image
from twinpix.imaging.picture import BASE

MOST = 0.5  # a truncated picture must still have this share of its pixels
_LARGEST = 1 << 26  # pixels of a truncated picture, which is decoded twice
_LAST_ROWS = 16  # of pixels, in one row of a JPEG's blocks
_GREY = 128  # what a JPEG decoder shows where data is missing


def salvage(data: bytes, name: str, error: Exception, draft: int | None) -> Image.Image:
    """What can be decoded of a truncated file: the missing part grey, at least `MOST` of it there."""
    image = open_image(data, name)
    if not draft and image.width * image.height > _LARGEST:
        raise ImageError("decode", reason(error)) from None
    rows = _on_two_grounds(data, name, draft)
    if rows is None:
        raise ImageError("decode", reason(error)) from None
    image, missing = rows
    if missing > MOST:
        there = f"only {1 - missing:.0%}" if missing < 0.995 else "nothing"
        raise ImageError("decode", f"truncated: {there} of the image is present")
    return image


def _on_two_grounds(data: bytes, name: str, draft: int | None) -> tuple[Image.Image, float] | None:
    """Decode twice, over black and over white: where the results differ, nothing was decoded.

    Returns the picture with grey there, and the share of pixels missing; None when it cannot be opened.
    """
    _, progressive = jpeg.first_scan(data) if data[:2] == b"\xff\xd8" else (-1, False)
    if progressive:  # decoded only as a whole: end it here, and let its first scan answer for the rest
        if jpeg.scans(data) < 2:
            return None
        data = data + jpeg.EOI
    try:
        dark, light = (_load_over(data, name, ground, draft) for ground in (0, 255))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError):
        return None
    lost = np.asarray(dark) != np.asarray(light)
    if lost.ndim == 3:
        lost = lost.any(axis=2)
    if dark.mode in ("L", "RGB") and lost.any():
        dark.paste(_GREY if dark.mode == "L" else (_GREY,) * 3, mask=Image.fromarray(lost))
    return dark, float(lost.mean())


def _load_over(data: bytes, name: str, ground: int, draft: int | None) -> Image.Image:
    """Decode as far as it goes into an image that is all `ground` before."""
    image = open_image(data, name)
    if draft:
        image.draft("L", (draft, draft))
    image.im = Image.core.fill(  # type: ignore[attr-defined]
        image.mode, image.size, _fill(image.mode, ground)
    )
    if image.format in ("JPEG", "MPO"):  # its tolerant way paints the missing part grey: break off instead
        with suppress(OSError):
            image.load()
        return image._new(image.im)
    with truncated_allowed():
        image.load()
    return image


def _fill(mode: str, ground: int) -> Any:
    bands = Image.getmodebands(mode)
    return ground if bands == 1 else (ground,) * bands


@contextmanager
def truncated_allowed() -> Iterator[None]:
    """Pillow decodes what there is of a file, and leaves the rest as it was."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def grey_rows(luma: Image.Image) -> float:
    """The share of rows at the bottom that are one exact mid-grey, as decoders leave missing data."""
    if luma.crop((0, luma.height - 1, *luma.size)).getextrema() != (_GREY, _GREY):
        return 0.0
    values = np.asarray(luma)
    plain = (values == _GREY).all(axis=1)
    return float(np.argmin(plain[::-1]) if not plain.all() else len(plain)) / len(plain)


def missing_of(data: bytes, name: str, grey: float, height: int) -> float:
    """Whether grey rows at the bottom were never there: decode only up to the first scan's real end."""
    scan, progressive = jpeg.first_scan(data)
    if scan < 0:
        return 0.0
    if progressive:
        return grey if jpeg.scans(data) < 2 else 0.0
    found = _on_two_grounds(data[: jpeg.entropy_end(data, scan)], name, BASE)
    if found is None:
        return 0.0
    return max(0.0, found[1] - _LAST_ROWS / height)  # at most one row of blocks waits for the end marker
