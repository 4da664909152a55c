"""Properties of one image and its file that the keep rules compare.

They are read from the bytes and the pixels of an image that is already decoded; nothing is decoded again.
Sources: EXIF 2.32 (CIPA DC-008), ITU-T T.81, PNG (ISO/IEC 15948), WebP container (RFC 9649).
"""

import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image

from twinpix.errors import ImageError
from twinpix.imaging.decoder_errors import convert_exceptions
from twinpix.imaging.depth import stored_depth
from twinpix.imaging.seconds import frames_of, has_video
from twinpix.model import Traits

_EXIF, _GPS = 0x8769, 0x8825
_ORIGINAL, _DIGITIZED, _SUBSECONDS, _SUBSECONDS_DIGITIZED = 0x9003, 0x9004, 0x9291, 0x9292
_MAKE, _MODEL, _SOFTWARE = 0x010F, 0x0110, 0x0131
_EXPOSURE, _F_NUMBER, _SENSITIVITY = 0x829A, 0x829D, 0x8827
_LATITUDE, _LONGITUDE = 2, 4
_DESCRIPTIVE = frozenset({0x010E, _MAKE, _MODEL, _SOFTWARE, 0x0132, 0x013B, 0x8298})  # of the first directory
_WANTED = frozenset(
    {_EXIF, _GPS, _ORIGINAL, _DIGITIZED, _SUBSECONDS, _SUBSECONDS_DIGITIZED, _MAKE, _MODEL, _SOFTWARE}
    | {_EXPOSURE, _F_NUMBER, _SENSITIVITY}
)
_MOST_TAGS = 1000  # of one directory; data with more is not EXIF
_ASCII, _SHORT, _LONG, _RATIONAL = 2, 3, 4, 5
_FAULTS = (SyntaxError, ValueError, OSError, KeyError, TypeError, EOFError, OverflowError, AttributeError, IndexError)
_LOSSLESS = frozenset(
    {"PNG", "BMP", "DIB", "GIF", "PPM", "QOI", "TGA", "SGI", "PSD", "PCX", "RAW", "ICO", "SUN", "XBM", "XPM", "ICNS"}
)
_LOSSY_TIFF = frozenset({"jpeg", "tiff_jpeg", "old_jpeg", "webp"})
_TEXT = 80  # maximum characters of a text
_COLOURS = 256  # maximum colours of a palette
_GREY_LEVELS = 4  # of 255: maximum spread of R, G and B in a grey image, after lossy compression
_TONED_LEVELS = 10.0  # maximum deviation of the chroma at one luma level in a sepia or otherwise toned image
_ONE_TONE = 0.9  # minimum ratio of luma levels to colours in a toned image; in palette images colours share levels
_SIDE = 64  # maximum side in pixels at which the colours are compared
# The sum of the 64 entries of the luma table of ITU-T T.81, annex K.1, whose multiples most encoders use.
_STANDARD_SUM = 3689
_LUMA = np.array([19595, 38470, 7471], dtype=np.int64)  # weights of red, green and blue, in 65,536ths: ITU-R BT.601
_DEFAULTS = {name: getattr(Traits(), name) for name in Traits.__slots__}

Tags = dict[int, Any]


def traits_of(image: Image.Image, data: bytes, kind: str, colours: Image.Image | None = None, fault: str = "") -> str:
    """Return the traits of an opened image as compact JSON, without those at their defaults.

    `kind` is its format; `colours` is an RGB version of it, if the decode made one. For a JPEG decoded to luma alone,
    the colour is not known. `fault` describes a defect of the file. Invalid values in the file are left out; nothing
    is raised.
    """
    try:
        traits = convert_exceptions(lambda: _traits(image, data, kind, colours))
    except ImageError:
        traits = {}
    traits["fault"] = fault
    return _pack(traits)


def to_text(traits: Traits) -> str:
    """Return the traits as JSON that `from_text` reads."""
    return _pack({name: getattr(traits, name) for name in _DEFAULTS})


def _pack(traits: dict[str, Any]) -> str:
    given = {name: value for name, value in traits.items() if value != _DEFAULTS[name]}
    return json.dumps(given, separators=(",", ":"))


def from_text(text: str) -> Traits | None:
    """Return the traits that `traits_of` wrote; None if the text is empty or from another version."""
    if not text:
        return None
    try:
        return Traits(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _traits(image: Image.Image, data: bytes, kind: str, colours: Image.Image | None) -> dict[str, Any]:
    is_jpeg = kind in ("JPEG", "MPO")
    out = {
        "frames": frames_of(image, data, kind),
        "video": has_video(image, data, kind),
        "depth": stored_depth(image, data, kind),
        "mode": _mode(image, kind),
        "lossless": _is_lossless(image, data, kind),
        **_exif_of(image, data, kind),
    }
    if profile := image.info.get("icc_profile"):
        out["icc"] = _profile_name(profile)
    if is_jpeg:
        out |= {"quality": _quality(image), "subsampling": _subsampling(image)}
    else:
        out |= {"palette": _palette(image, kind), "alpha": _has_alpha(image)}
    out["colour"] = _is_coloured(image, out["mode"], colours, is_jpeg)
    return out


# -- EXIF ------------------------------------------------------------------------------------------------


def _exif_of(image: Image.Image, data: bytes, kind: str) -> dict[str, Any]:
    """Return the traits from EXIF; an empty dict if there is none or it cannot be read.

    Not read by Pillow, which takes a millisecond per file to convert every tag of three directories to an object.
    """
    block = data if kind in ("TIFF", "RAW") else image.info.get("exif")
    if not isinstance(block, bytes) or len(block) < 14:
        return {}
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return {}
    try:
        first, described = _directory(block, order, struct.unpack_from(f"{order}I", block, 4)[0])
        details, noted = _directory(block, order, first.get(_EXIF, 0))
        place, placed = _directory(block, order, first.get(_GPS, 0), wanted=False)
    except (struct.error, ValueError):
        return {}
    return {
        "captured": _capture_time(details),
        "exposure": _exposure(details),
        "camera": " ".join(filter(None, (_text(first.get(_MAKE)), _text(first.get(_MODEL))))),
        "software": _text(first.get(_SOFTWARE)),
        "gps": _LATITUDE in place and _LONGITUDE in place,
        "exif": len(described & _DESCRIPTIVE) + len(noted) + len(placed),
    }


def _directory(block: bytes, order: str, start: int, *, wanted: bool = True) -> tuple[Tags, set[int]]:
    """Return the wanted tags of the directory at `start` (0: none) with their values, and the set of all its tags."""
    if not start:
        return {}, set()
    (count,) = struct.unpack_from(f"{order}H", block, start)
    if count > _MOST_TAGS:
        raise ValueError("no directory")
    values: Tags = {}
    there = set()
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", block, at)
        there.add(tag)
        if not wanted or tag in _WANTED:
            with suppress(struct.error):  # the offset of the value is outside the block
                values[tag] = _value(block, order, kind, length, at + 8)
    return values, there


def _value(block: bytes, order: str, kind: int, length: int, at: int) -> Any:
    """Return a text as bytes, or the first number of a value; None for a type that is not read."""
    if kind == _ASCII:
        start = at if length <= 4 else struct.unpack_from(f"{order}I", block, at)[0]
        return block[start : start + min(length, 4 * _TEXT)]
    if kind == _RATIONAL:
        above, below = struct.unpack_from(f"{order}II", block, struct.unpack_from(f"{order}I", block, at)[0])
        return above / below if below else 0.0
    if kind in (_SHORT, _LONG):
        if length * (2 if kind == _SHORT else 4) > 4:
            at = struct.unpack_from(f"{order}I", block, at)[0]
        return struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, at)[0]
    return None


def _capture_time(details: Tags) -> str:
    """Return the time at which the photo was taken or digitized, as `2019-07-01T12:30:00.25`; "" if unknown."""
    for tag, parts in ((_ORIGINAL, _SUBSECONDS), (_DIGITIZED, _SUBSECONDS_DIGITIZED)):
        text = _digits(details.get(tag))
        if len(text) < 14 or text.startswith("0000"):  # cameras without a clock write zeros or blanks
            continue
        fraction = _digits(details.get(parts))
        day, hour = f"{text[:4]}-{text[4:6]}-{text[6:8]}", f"{text[8:10]}:{text[10:12]}:{text[12:14]}"
        return f"{day}T{hour}" + (f".{fraction}" if fraction else "")
    return ""


def _digits(value: object) -> str:
    return "".join(character for character in _text(value) if character in "0123456789")


def _exposure(details: Tags) -> str:
    """Return exposure time in seconds, aperture and sensitivity, as far as known: `1/250 f/2.8 ISO100`."""
    parts = []
    if isinstance(time := details.get(_EXPOSURE), float) and time > 0:
        parts.append(f"1/{1 / time:.0f}" if time < 0.3 else f"{time:.4g}")
    if isinstance(aperture := details.get(_F_NUMBER), float) and aperture > 0:
        parts.append(f"f/{aperture:.3g}")
    if isinstance(sensitivity := details.get(_SENSITIVITY), int) and sensitivity > 0:
        parts.append(f"ISO{sensitivity}")
    return " ".join(parts)


def _text(value: object) -> str:
    """Return a text tag on one line; "" for anything else."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join(value.partition("\0")[0].split())[:_TEXT]


# -- the container ---------------------------------------------------------------------------------------


def _mode(image: Image.Image, kind: str) -> str:
    """Return the stored channels as a Pillow mode: RGB for a colour JPEG, also if it was decoded to luma."""
    if kind in ("JPEG", "MPO"):
        return {1: "L", 3: "RGB", 4: "CMYK"}.get(getattr(image, "layers", 0), image.mode)
    return image.mode


def _is_lossless(image: Image.Image, data: bytes, kind: str) -> bool:
    if kind == "WEBP":
        return _is_lossless_webp(data)
    if kind == "TIFF":
        return image.info.get("compression") not in _LOSSY_TIFF
    if kind == "JPEG2000":
        at = data.find(b"\xff\x52", 0, 65536)  # COD: its last byte names the wavelet, 1 for the reversible one
        return at > 0 and data[at + 13 : at + 14] == b"\x01"
    return kind in _LOSSLESS


def _is_lossless_webp(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data):
        name = data[at : at + 4]
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        if name == b"ANMF":  # a frame: 16 bytes, then its own chunks
            at += 24
            continue
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + (size & 1)
    return False


def _profile_name(profile: bytes) -> str:
    """Return the description of a colour profile, or a digest of the profile if it has none."""
    count = min(int.from_bytes(profile[128:132], "big"), 100)  # number of tags
    for at in range(132, 132 + 12 * count, 12):
        if profile[at : at + 4] == b"desc":
            start, size = (int.from_bytes(profile[at + step : at + step + 4], "big") for step in (4, 8))
            if name := _description(profile[start : start + size]):
                return name
    import xxhash

    return xxhash.xxh3_64_hexdigest(profile)[:8]


def _description(tag: bytes) -> str:
    if tag[:4] == b"desc":
        length = int.from_bytes(tag[8:12], "big")
        return _text(tag[12 : 12 + length])
    if tag[:4] == b"mluc" and len(tag) >= 28:
        length, start = (int.from_bytes(tag[at : at + 4], "big") for at in (20, 24))
        return _text(tag[start : start + length].decode("utf-16-be", "replace"))
    return ""


def _quality(image: Image.Image) -> int:
    """Return the JPEG quality, 1 to 100, assuming scaled standard tables; 0 if there are no tables."""
    tables: dict[int, list[int]] | None = getattr(image, "quantization", None)
    if not tables or 0 not in tables:
        return 0
    scale = 100 * sum(tables[0]) / _STANDARD_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return min(100, max(1, round(quality)))


def _subsampling(image: Image.Image) -> str:
    from PIL import JpegImagePlugin

    if not isinstance(image, JpegImagePlugin.JpegImageFile) or getattr(image, "layers", 0) != 3:
        return ""
    return {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(JpegImagePlugin.get_sampling(image), "")


# -- the pixels ------------------------------------------------------------------------------------------


def _palette(image: Image.Image, kind: str) -> int:
    """Return the number of colours, if at most 256; 0 for more, and for lossy compression.

    Also 0 for a grey or toned (sepia) image, which has about as many colours as luma levels.
    """
    if image.mode not in ("P", "PA", "RGB", "RGBA") or kind in ("WEBP", "HEIF", "AVIF", "JXL", "RAW"):
        return 0
    colours = image.convert("RGB").getcolors(_COLOURS) if image.getcolors(_COLOURS) else None
    if not colours:
        return 0
    rgb = np.array([colour for _, colour in colours], dtype=np.int64)
    levels = len(np.unique((rgb @ _LUMA) >> 16))
    return len(colours) if levels < _ONE_TONE * len(colours) else 0


def _has_alpha(image: Image.Image) -> bool:
    """True if some pixel is not opaque."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        low: Any = image.getchannel(len(image.getbands()) - 1).getextrema()[0]
        return bool(low < 255)
    clear = image.info.get("transparency")
    if clear is not None and image.mode == "P":
        counts = image.histogram()
        if isinstance(clear, int):
            return counts[clear] > 0
        return any(count and alpha < 255 for count, alpha in zip(counts, clear, strict=False))
    return clear is not None


def _is_coloured(image: Image.Image, stored: str, colours: Image.Image | None, is_jpeg: bool) -> bool | None:
    """True for a colour image, False for a grey or toned one, however it is stored; None if not known."""
    if stored in ("1", "L", "LA", "La", "I", "F") or stored.startswith("I;"):
        return False
    if colours is not None:
        return is_coloured(colours)
    if is_jpeg:  # decoded to luma alone
        return None
    small = image if max(image.size) <= _SIDE else image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    return is_coloured(small.convert("RGB"))


def is_coloured(image: Image.Image) -> bool:
    """True if an RGB image is neither grey nor toned (sepia)."""
    small = image if max(image.size) <= _SIDE else image.resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    rgb = np.asarray(small, dtype=np.int16).reshape(-1, 3)
    spread = rgb.max(axis=1) - rgb.min(axis=1)
    if int(np.quantile(spread, 0.999)) <= _GREY_LEVELS:
        return False
    luma = (rgb @ _LUMA) >> 16
    tone = np.stack([rgb[:, 2] - luma, rgb[:, 0] - luma], axis=1).astype(np.float64)
    level = luma >> 3
    counts = np.maximum(np.bincount(level, minlength=32), 1)
    for channel in range(2):
        mean = np.bincount(level, weights=tone[:, channel], minlength=32) / counts
        if float(np.quantile(np.abs(tone[:, channel] - mean[level]), 0.95)) > _TONED_LEVELS:
            return True
    return False
