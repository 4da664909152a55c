"""Measure which share of a truncated image is missing, and decode the rest."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from twinpix.errors import ImageError
from twinpix.imaging.decoder_errors import reason
from twinpix.imaging.formats import jpeg
from twinpix.imaging.opening import open_image
from twinpix.imaging.picture import BASE

MOST = 0.5  # maximum share of missing pixels
_LARGEST = 1 << 26  # pixels: a larger truncated image is refused, because it is decoded twice
_LAST_ROWS = 16  # pixel rows in one row of JPEG blocks
_GREY = 128  # the value that a JPEG decoder fills in where data is missing


def salvage(data: bytes, name: str, error: Exception, draft: int | None) -> Image.Image:
    """Decode a truncated file; the missing part is grey.

    Raises `ImageError` if more than `MOST` of the pixels are missing or nothing can be decoded.
    """
    image = open_image(data, name)
    if not draft and image.width * image.height > _LARGEST:
        raise ImageError("decode", reason(error)) from None
    rows = _on_two_backgrounds(data, name, draft)
    if rows is None:
        raise ImageError("decode", reason(error)) from None
    image, missing = rows
    if missing > MOST:
        there = f"only {1 - missing:.0%}" if missing < 0.995 else "nothing"
        raise ImageError("decode", f"truncated: {there} of the image is present")
    return image


def _on_two_backgrounds(data: bytes, name: str, draft: int | None) -> tuple[Image.Image, float] | None:
    """Decode twice, into a black and into a white image: pixels that differ were not decoded.

    Returns the image with those pixels grey, and their share; None if it cannot be decoded.
    """
    _, progressive = jpeg.first_scan(data) if data[:2] == b"\xff\xd8" else (-1, False)
    if progressive:  # decoded only as a whole: end the file here; the first scan covers the whole image
        if jpeg.scans(data) < 2:
            return None
        data = data + jpeg.EOI
    try:
        dark, light = (_load_over(data, name, background, draft) for background in (0, 255))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError):
        return None
    lost = np.asarray(dark) != np.asarray(light)
    if lost.ndim == 3:
        lost = lost.any(axis=2)
    if dark.mode in ("L", "RGB") and lost.any():
        dark.paste(_GREY if dark.mode == "L" else (_GREY,) * 3, mask=Image.fromarray(lost))
    return dark, float(lost.mean())


def _load_over(data: bytes, name: str, background: int, draft: int | None) -> Image.Image:
    """Decode as far as possible into an image that is filled with `background` before."""
    image = open_image(data, name)
    if draft:
        image.draft("L", (draft, draft))
    image.im = Image.core.fill(  # type: ignore[attr-defined]
        image.mode, image.size, _fill(image.mode, background)
    )
    if image.format in ("JPEG", "MPO"):  # tolerant loading would fill the missing part with grey
        with suppress(OSError):
            image.load()
        return image._new(image.im)
    with allow_truncated():
        image.load()
    return image


def _fill(mode: str, background: int) -> Any:
    bands = Image.getmodebands(mode)
    return background if bands == 1 else (background,) * bands


@contextmanager
def allow_truncated() -> Iterator[None]:
    """Make Pillow decode truncated files without an error; pixels without data keep their value."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def grey_rows(luma: Image.Image) -> float:
    """Return the share of rows at the bottom that have exactly the grey that decoders fill in for missing data."""
    if luma.crop((0, luma.height - 1, *luma.size)).getextrema() != (_GREY, _GREY):
        return 0.0
    values = np.asarray(luma)
    plain = (values == _GREY).all(axis=1)
    return float(np.argmin(plain[::-1]) if not plain.all() else len(plain)) / len(plain)


def missing_of(data: bytes, name: str, grey: float, height: int) -> float:
    """Return the share of the image that is missing from a JPEG with grey rows at the bottom; 0 if the rows are real.

    `grey` is the share of grey rows and `height` the full height in pixels. A baseline JPEG is decoded again up to the
    real end of its first scan.
    """
    scan, progressive = jpeg.first_scan(data)
    if scan < 0:
        return 0.0
    if progressive:
        return grey if jpeg.scans(data) < 2 else 0.0
    found = _on_two_backgrounds(data[: jpeg.entropy_end(data, scan)], name, BASE)
    if found is None:
        return 0.0
    return max(0.0, found[1] - _LAST_ROWS / height)  # the decoder may hold back one row of blocks until the end marker
