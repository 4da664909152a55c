"""Open an image from its bytes without decoding it, with Pillow or an optional library."""

import io
from functools import cache

from PIL import Image, ImageFile

from twinpix.errors import ImageError
from twinpix.formats import sniff
from twinpix.imaging.formats import png
from twinpix.imaging.limits import check_head, check_opened

FAULT = "twinpix-fault"  # key in `Image.info`: the defect of a file whose pixels are complete
METADATA = "metadata or further frames that cannot be read"
HALVED = "twinpix-halved"  # key in `Image.info`: a camera RAW, developed at half size

# Formats that are never opened: their plugins start other programs, read other files or are stubs.
_SHUT = frozenset({"EPS", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "FPX", "MIC", "MPEG", "PDF", "WALIMAGE"})
_EXTRA = {  # display name, and the optional library that decodes it
    "HEIF": ("HEIC", "pillow-heif"),
    "AVIF": ("AVIF", "pillow-heif"),
    "JXL": ("JPEG XL", "pillow-jxl-plugin"),
    "RAW": ("camera RAW", "rawpy"),
}


def open_image(data: bytes, name: str) -> ImageFile.ImageFile | Image.Image:
    """Open an image without decoding it: format, mode and size come from the header. A camera RAW is developed.

    Raises `ImageError` for formats that are never opened, for more pixels or bytes than `limits` allows, and for a
    missing optional library. Exceptions of the decoder are passed on.
    """
    kind = sniff(data[:512], name)
    if kind in _EXTRA:
        _register(kind)
    if kind == "RAW":
        return _open_raw(data)
    check_head(data, kind)
    if kind == "?":
        Image.init()
    image = (
        _open_png(data) if kind == "PNG" else Image.open(io.BytesIO(data), formats=_formats() if kind == "?" else None)
    )
    if image.format in _SHUT:
        raise ImageError("decode", f"{image.format} files are not read")
    check_opened(image, data, image.format or kind or "")
    return image


def _open_png(data: bytes) -> ImageFile.ImageFile:
    """Open a PNG without its broken optional chunks, as viewers do; `FAULT` in its `info` describes them."""
    whole, fault = png.mend(data)
    try:
        image = Image.open(io.BytesIO(whole), formats=["PNG"])
    except (OSError, SyntaxError, ValueError):  # a chunk with a correct checksum has invalid content
        image, fault = Image.open(io.BytesIO(png.strip_metadata(data)), formats=["PNG"]), METADATA
    if fault:
        image.info[FAULT] = fault
    return image


@cache
def _formats() -> tuple[str, ...]:
    return tuple(sorted(set(Image.ID) - _SHUT))


def load_pixels(image: Image.Image, data: bytes, name: str) -> Image.Image:
    """Load the pixels and return the image; a PNG with broken metadata or further frames is loaded without them.

    Exceptions of the decoder are passed on.
    """
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, IndexError):
        if image.format != "PNG":
            raise
        again = open_image(png.strip_metadata(data), name)
        again.load()
        again.info[FAULT] = METADATA
        return again
    return image


def format_of(data: bytes, name: str, image: Image.Image) -> str:
    """Return the file format, also if an optional library does not report it; "" if it is not known."""
    return image.format or (sniff(data[:512], name) or "").strip("?")


def extra_decoder(data: bytes, name: str) -> str:
    """Return name and version of the optional library that decodes these bytes; "" if none is needed or installed."""
    kind = sniff(data[:512], name)
    return _version_of(kind) if kind in _EXTRA else ""


def is_installed(decoder: str) -> bool:
    """True if the library that `extra_decoder` returned is still installed in that version."""
    return any(decoder == _version_of(kind) for kind in _EXTRA)


@cache
def _version_of(kind: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    package = _EXTRA[kind][1]
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


@cache
def _register(kind: str) -> None:
    """Load the optional library that decodes `kind`. Raises `ImageError` if it is not installed."""
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
    image.info[HALVED] = True
    return image
