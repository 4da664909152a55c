"""Decode one image from its bytes, in one of two named ways.

`fast`: upright, alpha laid on white, first frame, every mode and depth scaled to 8-bit luma, JPEG by its
own scaled luma-only decoder. `reference`: what imagededup and ImageHash see: Pillow's pixels, not turned,
alpha dropped.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from twinpix.errors import ImageError
from twinpix.imaging import jpeg
from twinpix.imaging.picture import BASE, Picture
from twinpix.imaging.sniff import sniff
from twinpix.model import Decode

T = TypeVar("T")

VERSION = 2  # raised whenever the same bytes may decode to other pixels
MAX_PIXELS = 1 << 28  # larger pictures are refused: a decompression bomb fills memory before it shows
GROUND = (255, 255, 255)  # what lies under transparent pixels
MOST = 0.5  # a truncated picture must still have this share of its pixels

# Formats that start other programs, read other files or are mere stubs stay shut.
_SHUT = frozenset({"EPS", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "FPX", "MIC", "MPEG", "PDF", "WALIMAGE"})
_LAST_ROWS = 16  # of pixels, in one row of a JPEG's blocks
_GREY = 128  # what a JPEG decoder shows where data is missing
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HALVED = "twinpix-halved"  # a camera's mosaic, decoded at half its size
_EXTRA = {  # what it is called, and the optional library that reads it
    "HEIF": ("HEIC", "pillow-heif"),
    "AVIF": ("AVIF", "pillow-heif"),
    "JXL": ("JPEG XL", "pillow-jxl-plugin"),
    "RAW": ("camera RAW", "rawpy"),
}


def decoder_name(mode: Decode) -> str:
    """Identifies a decode: codes from another one are never reused."""
    import PIL

    return f"{mode}-{VERSION}/pillow-{PIL.__version__}"


def extra_decoder(data: bytes, name: str) -> str:
    """Name and version of the optional library that reads these bytes; nothing when none is needed."""
    kind = sniff(data[:512], name)
    return _version_of(kind) if kind in _EXTRA else ""


def is_installed(decoder: str) -> bool:
    """True when what `extra_decoder` said is still so."""
    return any(decoder == _version_of(kind) for kind in _EXTRA)


@cache
def _version_of(kind: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    package = _EXTRA[kind][1]
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def undecoded(data: bytes, name: str = "") -> Picture:
    """A picture of which only the header is looked at; its size is 0 where that cannot be read."""
    blank = Image.new("L", (1, 1))
    try:
        with _quiet():
            image = _guard(lambda: _open_header(data, name))
    except ImageError:
        return Picture(blank, 0, 0, "", "fast", data, name)
    size = _upright(image.size, _orientation(image))
    return Picture(blank, *size, _format(data, name, image), "fast", data, name)


def _open_header(data: bytes, name: str) -> Image.Image:
    if sniff(data[:512], name) == "RAW":  # its size is known once it is developed
        raise ImageError("decode", "camera RAW has no header to look at")
    return _open(data, name)


def decode(data: bytes, mode: Decode = "fast", name: str = "", colour: int = 0) -> Picture:
    """Decode an image; with `colour`, a fast decode keeps its colours too, at so many pixels along the shorter side.

    Its luma is the same with and without colours.

    Raises `ImageError` for bytes that are no image, that hold less than half of one, or that would need
    more than `MAX_PIXELS`. A picture of which part is missing comes back with `damaged` set.
    """
    with _quiet():
        return _guard(lambda: _decode(data, mode, name, colour))


def pixel_digest(data: bytes, name: str = "") -> bytes:
    """16 bytes that are equal exactly when upright size, depth and every visible pixel are equal."""
    with _quiet():
        return _guard(lambda: _pixel_digest(data, name))


def picture_of(image: Image.Image | NDArray[Any], mode: Decode = "fast", colour: int = 0) -> Picture:
    """A picture in memory, as it lies: a Pillow image, or an array `(rows, columns[, 3 or 4])`; see `decode`.

    Raises `ImageError` for an array of another shape or type.
    """

    def made() -> Picture:
        given = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        size = given.size
        if not min(size):
            raise ImageError("decode", "the picture has no pixels")
        if mode == "reference":
            return Picture(given, *size, given.format or "", mode, b"")
        colours = _reduced(_to_rgb(given), colour) if colour else None
        return Picture(_reduced(_to_luma(given)), *size, given.format or "", mode, b"", colours=colours)

    return _guard(made)


def thumbnail(data: bytes, side: int, name: str = "") -> Image.Image:
    """The picture for people: RGB, upright, alpha on white, at most `side` pixels wide and high, damaged or not.

    Raises `ImageError` like `decode`.
    """
    with _quiet():
        return _guard(lambda: _thumbnail(data, side, name))


def _thumbnail(data: bytes, side: int, name: str) -> Image.Image:
    out = _colours(data, name, side)
    out.thumbnail((side, side), Image.Resampling.BICUBIC)
    return out


def _colours(data: bytes, name: str, side: int) -> Image.Image:
    """The picture in RGB, whatever of it there is, upright; of a JPEG no more than about `side` pixels a side."""
    image = _open(data, name)
    if isinstance(image, ImageFile.ImageFile):
        image.draft("RGB", (side, side))
    with _truncated_allowed():
        image.load()
    return _turned(_to_rgb(image), _orientation(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _to_luma(image).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        ground = Image.new("RGBA", image.size, (*GROUND, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _decode(data: bytes, mode: Decode, name: str, colour: int) -> Picture:
    kind = sniff(data[:512], name)
    if mode == "fast" and kind == "JPEG":
        return _decode_jpeg(data, name, colour)
    image = _open(data, name)
    scale = 2 if image.info.get(_HALVED) else 1
    full, damaged = (scale * image.width, scale * image.height), False
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        image, damaged = _salvage(data, name, error, None), True
    if mode == "reference":
        return Picture(image, *full, image.format or "", mode, data, name, damaged)
    turn = _orientation(image)
    luma = _reduced(_turned(_to_luma(image), turn))
    colours = _reduced(_turned(_to_rgb(image), turn), colour) if colour else None
    return Picture(luma, *_upright(full, turn), _format(data, name, image), mode, data, name, damaged, colours)


def _decode_jpeg(data: bytes, name: str, colour: int) -> Picture:
    image = _open(data, name)
    full, turn, form = image.size, _orientation(image), image.format or "JPEG"
    both = 0 < colour <= BASE and _is_ycc(image)  # one decode gives luma and colours
    channels = "YCbCr" if both else "L"
    image.draft(channels, (BASE, BASE))
    if 8 * image.width <= full[0] + 7 and (short := jpeg.coarse(data)) is not data:
        image = _open(short, name)
        image.draft(channels, (BASE, BASE))
    damaged, colours = False, None
    try:
        image.load()
        if both:
            colours, luma = image.convert("RGB"), image.getchannel(0)
        else:
            luma = _to_luma(image)
        if (grey := _grey_rows(luma)) > 0.1 and (missing := _missing(data, name, grey, full[1])) > 0.02:
            if missing > MOST:
                raise ImageError("decode", f"only {1 - missing:.0%} of the picture is there")
            damaged = True
    except (OSError, SyntaxError, ValueError) as error:
        luma, damaged, colours = _to_luma(_salvage(data, name, error, BASE)), True, None
    if colour:
        colours = _reduced(_turned(colours, turn) if colours else _colours(data, name, colour), colour)
    luma = _reduced(_turned(luma, turn))
    return Picture(luma, *_upright(full, turn), form, "fast", data, name, damaged, colours)


def _is_ycc(image: Image.Image) -> bool:
    """True when a JPEG surely stores luma and two colour differences, so that its luma is at hand beside them."""
    ids = [layer[0] for layer in getattr(image, "layer", [])]
    stored_rgb = image.info.get("adobe_transform", 1) == 0 or ids == [82, 71, 66]
    return image.mode == "RGB" and len(ids) == 3 and not stored_rgb


def _open(data: bytes, name: str) -> ImageFile.ImageFile | Image.Image:
    """Open without decoding: the header's word on format, mode and size."""
    kind = sniff(data[:512], name)
    if kind in _EXTRA:
        _register(kind)
    if kind == "RAW":
        return _open_raw(data)
    if kind == "?":
        Image.init()
    image = Image.open(io.BytesIO(data), formats=None if kind != "?" else _allowed())
    if image.format in _SHUT:
        raise ImageError("decode", f"{image.format} files are not read")
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            "decode",
            f"{image.width}×{image.height} pixels are more than the limit of {MAX_PIXELS // 10**6} million",
        )
    if image.width < 1 or image.height < 1:
        raise ImageError("decode", "the picture has no pixels")
    return image


@cache
def _allowed() -> tuple[str, ...]:
    return tuple(sorted(set(Image.ID) - _SHUT))


@cache
def _register(kind: str) -> None:
    """Load the optional library that reads `kind`."""
    if kind == "AVIF":
        from PIL import features

        if features.check("avif"):
            return
    try:
        if kind == "HEIF":
            from pillow_heif import register_heif_opener

            register_heif_opener()
        elif kind == "JXL":
            import pillow_jxl  # noqa: F401
        elif kind == "RAW":
            import rawpy  # noqa: F401
        else:
            raise ImportError(kind)
    except ImportError:
        raise ImageError(
            "decode", f"{_EXTRA[kind][0]} needs an optional library: pip install 'twinpix[formats]'", lasting=False
        ) from None


def _open_raw(data: bytes) -> Image.Image:
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            image = Image.fromarray(raw.postprocess(use_camera_wb=True, half_size=True))
    except rawpy.LibRawError as error:
        text = error.args[0] if error.args else ""
        text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        raise ImageError("decode", f"camera RAW: {text.lower() or 'cannot be read'}") from None
    image.format = "RAW"
    image.info[_HALVED] = True
    return image


def _format(data: bytes, name: str, image: Image.Image) -> str:
    return image.format or (sniff(data[:512], name) or "").strip("?")


# -- upright, and one channel ------------------------------------------------------------------------


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or EXIF cannot be read."""
    try:
        value = image.getexif().get(0x0112, 1)
    except (SyntaxError, ValueError, OSError, KeyError, TypeError, EOFError, OverflowError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def _upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    return (size[1], size[0]) if turn >= 5 else size


def _reduced(image: Image.Image, side: int = BASE) -> Image.Image:
    """Shrink by a whole factor so that `side` pixels or a little more are left along the shorter side."""
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def _to_luma(image: Image.Image) -> Image.Image:
    """8-bit luma: alpha over white, high depths scaled, never clipped."""
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image), image.mode))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (*GROUND, 255))
        return Image.alpha_composite(ground, rgba).convert("L")
    return image.convert("RGB" if image.mode in ("CMYK", "LAB", "HSV", "YCbCr") else "L").convert("L")


def _scaled(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scale deep integers and floats to 0..255: 16 bits by their range, anything else by its own extremes."""
    if mode != "F" and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
        return (values.astype(np.uint32) >> 8).astype(np.uint8)
    real = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = (0.0, 1.0) if real.min() >= 0 and real.max() <= 1 else (float(real.min()), float(real.max()))
    return np.rint((real - low) * (255 / (high - low or 1))).astype(np.uint8)


# -- damage ------------------------------------------------------------------------------------------


def _salvage(data: bytes, name: str, error: Exception, draft: int | None) -> Image.Image:
    """What can be decoded of a truncated file: the missing part grey, at least `MOST` of it there."""
    rows = _on_two_grounds(data, name, draft)
    if rows is None:
        raise ImageError("decode", _reason(error)) from None
    image, missing = rows
    if missing > MOST:
        there = f"only {1 - missing:.0%}" if missing < 0.995 else "nothing"
        raise ImageError("decode", f"truncated: {there} of the picture is there")
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
    image = _open(data, name)
    if draft:
        image.draft("L", (draft, draft))
    image.im = Image.core.fill(  # type: ignore[attr-defined]
        image.mode, image.size, _fill(image.mode, ground)
    )
    if image.format in ("JPEG", "MPO"):  # its tolerant way paints the missing part grey: break off instead
        with suppress(OSError):
            image.load()
        return image._new(image.im)
    with _truncated_allowed():
        image.load()
    return image


def _fill(mode: str, ground: int) -> Any:
    bands = Image.getmodebands(mode)
    return ground if bands == 1 else (ground,) * bands


@contextmanager
def _truncated_allowed() -> Iterator[None]:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _grey_rows(luma: Image.Image) -> float:
    """The share of rows at the bottom that are one exact mid-grey, as decoders leave missing data."""
    if luma.crop((0, luma.height - 1, *luma.size)).getextrema() != (_GREY, _GREY):
        return 0.0
    values = np.asarray(luma)
    plain = (values == _GREY).all(axis=1)
    return float(np.argmin(plain[::-1]) if not plain.all() else len(plain)) / len(plain)


def _missing(data: bytes, name: str, grey: float, height: int) -> float:
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


# -- identity ----------------------------------------------------------------------------------------


def _pixel_digest(data: bytes, name: str) -> bytes:
    import xxhash

    image = _open(data, name)
    image.load()
    turn = _orientation(image)
    if image.mode.startswith(("I", "F")):
        pixels: NDArray[Any] = np.asarray(_turned(image, turn))
    else:
        rgba = np.array(_turned(image.convert("RGBA"), turn))
        rgba[rgba[..., 3] == 0] = 0  # colours that nobody can see
        pixels = rgba
    state = xxhash.xxh3_128(f"{pixels.dtype.str}{pixels.shape}".encode())
    state.update(np.ascontiguousarray(pixels).data)
    return state.digest()


# -- errors ------------------------------------------------------------------------------------------


def _guard(work: Callable[[], T]) -> T:
    """Run a decoder; whatever it raises becomes an `ImageError` with a reason."""
    try:
        return work()
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("decode", "not an image that can be read") from None
    except MemoryError:
        raise ImageError("decode", "needs more memory than there is", lasting=False) from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything for bad bytes; a failure is a row
        raise ImageError("decode", _reason(error)) from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Decoders warn of odd metadata; what matters becomes a failure or a mark instead."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # our own limit holds; Pillow's warns at sizes that phones take
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
