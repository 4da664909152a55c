"""Decode one image from its bytes, in one of two modes.

`fast`: upright, alpha composited over white, first frame, every mode and depth scaled to 8-bit luma; JPEG by DCT
scaling, luma only. `reference`: the input of imagededup and ImageHash: Pillow's pixels, without the EXIF orientation,
alpha dropped.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from twinpix.errors import ImageError
from twinpix.formats import sniff
from twinpix.imaging.channels import (
    deep_rgb,
    orientation,
    reduce_rgb_to,
    reduce_to,
    to_luma,
    to_rgb,
    turn_upright,
    upright,
)
from twinpix.imaging.damage import MOST, allow_truncated, grey_rows, missing_of, salvage
from twinpix.imaging.decoder_errors import convert_exceptions, silence_warnings
from twinpix.imaging.depth import TooDeepError, deep_frame, loses_depth, stored_depth
from twinpix.imaging.formats import jpeg
from twinpix.imaging.lost import lost_part
from twinpix.imaging.opening import FAULT, HALVED, format_of, load_pixels, open_image
from twinpix.imaging.picture import BASE, Picture
from twinpix.imaging.traits import traits_of
from twinpix.model import Decode

VERSION = 4  # increase it whenever the same bytes may decode to other pixels

_DARK = 64  # of 255: an image of 16 bits whose maximum is below this probably has fewer bits in use
_MISSING = "part of the data is missing or broken"


def decoder_name(mode: Decode) -> str:
    """Return a name for the decoder and its version; stored codes of another decoder are not reused."""
    import PIL

    return f"{mode}-{VERSION}/pillow-{PIL.__version__}"


def decode(data: bytes, mode: Decode = "fast", name: str = "", colour: int = 0, detail: int = 0) -> Picture:
    """Decode an image; a fast decode keeps only luma of at least `BASE` pixels along the shorter side.

    With `colour`, a fast decode also keeps RGB of at least `colour` pixels along the shorter side; with `detail`, luma
    of at least `detail` pixels along the longer side, where the image has that many. Neither changes the other fields.

    Raises `ImageError` for bytes that are not an image, that hold less than half of one, or that need more than
    `MAX_PIXELS`. If part of the image is missing, `damaged` is set.
    """
    with silence_warnings():
        return convert_exceptions(lambda: _decode(data, mode, name, colour, detail))


def _decode(data: bytes, mode: Decode, name: str, colour: int, detail: int) -> Picture:
    kind = sniff(data[:512], name)
    if mode == "fast" and kind == "JPEG":
        return _decode_jpeg(data, name, colour, detail)
    image = open_image(data, name)
    scale = 2 if image.info.get(HALVED) else 1
    full, damaged = (scale * image.width, scale * image.height), False
    try:
        image = load_pixels(image, data, name)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        image, damaged = salvage(data, name, error, None), True
    fault = _MISSING if damaged else lost_part(data, format_of(data, name, image), image)
    damaged = damaged or bool(fault)
    fault = fault or str(image.info.get(FAULT, ""))
    if mode == "reference":
        traits = traits_of(image, data, format_of(data, name, image), fault=fault)
        return Picture(image, *full, image.format or "", mode, data, name, damaged, traits=traits)
    turn = orientation(image)
    image = _brighten(image, data, format_of(data, name, image))
    whole = turn_upright(to_luma(image), turn)
    colours = reduce_rgb_to(image, turn, colour) if colour else None
    fine = _longer(whole, detail) if detail else None
    form = format_of(data, name, image)
    traits = traits_of(image, data, form, fault=fault)
    return Picture(reduce_to(whole), *upright(full, turn), form, mode, data, name, damaged, colours, fine, traits)


def _brighten(image: Image.Image, data: bytes, kind: str) -> Image.Image:
    """Rescale colours of 10, 12 or 14 bits stored in 16, of which Pillow reads the upper 8; return others unchanged."""
    if image.mode not in ("RGB", "RGBA") or not loses_depth(image, stored_depth(image, data, kind)):
        return image
    if max(high for _, high in image.getextrema()[:3]) >= _DARK:  # type: ignore[misc]
        return image
    try:
        values = deep_frame(data, kind, 0)
    except TooDeepError:
        return image
    if values.shape != (image.height, image.width, len(image.getbands())):
        return image
    out = deep_rgb(values)
    out.info, out.format = image.info, image.format
    return out


def _decode_jpeg(data: bytes, name: str, colour: int, detail: int) -> Picture:
    image = opened = open_image(data, name)
    full, turn, form = image.size, orientation(image), image.format or "JPEG"
    both = 0 < colour <= BASE and _is_ycc(image)  # one decode gives luma and colours
    channels = "YCbCr" if both else "L"
    image.draft(channels, (BASE, BASE))
    if 8 * image.width <= full[0] + 7 and (short := jpeg.coarse(data)) is not data:
        image = open_image(short, name)
        image.draft(channels, (BASE, BASE))
    damaged, colours = False, None
    try:
        image.load()
        if both:
            colours, luma = image.convert("RGB"), image.getchannel(0)
        else:
            luma = to_luma(image)
        if (grey := grey_rows(luma)) > 0.1 and (missing := missing_of(data, name, grey, full[1])) > 0.02:
            if missing > MOST:
                raise ImageError("decode", f"only {1 - missing:.0%} of the image is present")
            damaged = True
    except (OSError, SyntaxError, ValueError) as error:
        luma, damaged, colours = to_luma(salvage(data, name, error, BASE)), True, None
    if colour:
        colours = reduce_to(turn_upright(colours, turn) if colours else _colours(data, name, colour), colour)
    luma = turn_upright(luma, turn)
    fine = None
    if detail:
        enough = max(luma.size) >= min(detail, max(full)) or damaged
        fine = _longer(luma if enough else turn_upright(_detail(data, name, detail), turn), detail)
    fault = _MISSING if damaged else lost_part(data, form, opened)
    traits, damaged = traits_of(opened, data, form, colours, fault), damaged or bool(fault)
    return Picture(reduce_to(luma), *upright(full, turn), form, "fast", data, name, damaged, colours, fine, traits)


def _detail(data: bytes, name: str, side: int) -> Image.Image:
    """Decode the luma of a JPEG again, with `side` pixels or more along the longer side."""
    image = open_image(data, name)
    share = side / max(image.size)
    image.draft("L", (round(image.width * share), round(image.height * share)))
    with allow_truncated():
        image.load()
    return to_luma(image)


def _longer(image: Image.Image, side: int) -> Image.Image:
    """Shrink by an integer factor so that the longer side has at least `side` pixels, or its own size if smaller."""
    factor = max(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def _is_ycc(image: Image.Image) -> bool:
    """True if a JPEG certainly stores YCbCr, so that one decode gives both luma and colours."""
    ids = [layer[0] for layer in getattr(image, "layer", [])]
    stored_rgb = image.info.get("adobe_transform", 1) == 0 or ids == [82, 71, 66]
    return image.mode == "RGB" and len(ids) == 3 and not stored_rgb


def read_header(data: bytes, name: str = "") -> Picture:
    """Return a `Picture` from the header alone, with a blank image; its size is 0 × 0 if the header cannot be read."""
    blank = Image.new("L", (1, 1))
    try:
        with silence_warnings():
            image = convert_exceptions(lambda: _open_header(data, name))
    except ImageError:
        return Picture(blank, 0, 0, "", "fast", data, name)
    size = upright(image.size, orientation(image))
    return Picture(blank, *size, format_of(data, name, image), "fast", data, name)


def _open_header(data: bytes, name: str) -> Image.Image:
    if sniff(data[:512], name) == "RAW":  # its size is known only after it is developed
        raise ImageError("decode", "the header of a camera RAW does not have its size")
    return open_image(data, name)


def picture_of(image: Image.Image | NDArray[Any], mode: Decode = "fast", colour: int = 0, detail: int = 0) -> Picture:
    """Return a `Picture` of a Pillow image or an array `(rows, columns[, 3 or 4])`, not rotated; see `decode`.

    Raises `ImageError` for an array of another shape or dtype.
    """

    def convert() -> Picture:
        given = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        size = given.size
        if not min(size):
            raise ImageError("decode", "the image has no pixels")
        if mode == "reference":
            return Picture(given, *size, given.format or "", mode, b"")
        colours = reduce_to(to_rgb(given), colour) if colour else None
        luma = to_luma(given)
        fine = _longer(luma, detail) if detail else None
        return Picture(reduce_to(luma), *size, given.format or "", mode, b"", colours=colours, detail=fine)

    return convert_exceptions(convert)


def thumbnail(data: bytes, side: int, name: str = "") -> Image.Image:
    """Return a thumbnail: RGB, upright, alpha over white, at most `side` pixels wide and high; also of damaged files.

    Raises `ImageError` like `decode`.
    """
    with silence_warnings():
        return convert_exceptions(lambda: _thumbnail(data, side, name))


def _thumbnail(data: bytes, side: int, name: str) -> Image.Image:
    out = _colours(data, name, side)
    out.thumbnail((side, side), Image.Resampling.BICUBIC)
    return out


def _colours(data: bytes, name: str, side: int) -> Image.Image:
    """Decode to RGB, upright, also if truncated; a JPEG is decoded at a reduced scale of about `side` pixels."""
    image = open_image(data, name)
    if isinstance(image, ImageFile.ImageFile):
        image.draft("RGB", (side, side))
    with allow_truncated():
        image.load()
    return turn_upright(to_rgb(image), orientation(image))
