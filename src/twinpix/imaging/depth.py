"""Read pixels at their full bit depth, for files whose colours Pillow reads with 8 bits per channel only."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.imaging.formats.jxl import header_of
from twinpix.imaging.opencv import opencv

_BITS_PER_SAMPLE = 258  # a TIFF tag

_HEADER = 65536  # the bytes searched for the boxes with the bit depth of AVIF and JPEG 2000
_NOT_FOUND = (ValueError, IndexError, TypeError)
_OF_MODES = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16, "I": 32, "F": 32}


class TooDeepError(Exception):
    """Raised when part of the file's content cannot be read, for example its channels at full depth."""


def stored_depth(image: Image.Image, data: bytes, kind: str) -> int:
    """Return the bits per channel of the file; if the file does not state them, those of Pillow's mode."""
    with suppress(*_NOT_FOUND):
        if kind == "PNG":
            return 8 if data[25] == 3 else data[24]  # a palette's colours have 8 bits each
        if kind == "TIFF":
            bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
            return max(int(each) for each in (bits if isinstance(bits, tuple) else (bits,)))
        if kind in ("JPEG", "MPO"):
            return int(getattr(image, "bits", 8))
        if kind == "PPM":
            return _depth_of_ppm(data)
        if kind == "JPEG2000":
            siz = data.index(b"\xff\x4f\xff\x51", 0, _HEADER)
            count = int.from_bytes(data[siz + 40 : siz + 42], "big")
            return max((depth & 0x7F) + 1 for depth in data[siz + 42 : siz + 42 + 3 * count : 3])
        if kind == "AVIF":
            flags = data[data.index(b"av1C", 0, _HEADER) + 6]
            return 12 if flags & 0x20 else 10 if flags & 0x40 else 8
        if kind == "HEIF":
            return int(image.info.get("bit_depth", 8))
        if kind == "JXL":
            return header_of(data).depth
        if kind == "SGI":
            return 8 * data[3]
    return _OF_MODES.get(image.mode, 8)


def _depth_of_ppm(data: bytes) -> int:
    """Return the bits per channel of a PPM file, from the maximum value in its header."""
    if data[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        return 8
    words = b" ".join(line.partition(b"#")[0] for line in data[:1024].split(b"\n")).split()
    return max(8, int(words[3]).bit_length())


def loses_depth(image: Image.Image, depth: int) -> bool:
    """True if Pillow's mode has fewer bits per channel than the file."""
    return depth > 8 and not image.mode.startswith(("I", "F"))


def deep_frame(data: bytes, kind: str, page: int) -> NDArray[np.uint16]:
    """Return a frame of more than 8 bits per channel as `(rows, columns[, channels])`, RGB order, not rotated.

    Raises `TooDeepError` if no decoder supports it.
    """
    if kind == "TIFF":
        found, pages = opencv().imdecodemulti(np.frombuffer(data, np.uint8), -1, range=(page, page + 1))
        values = pages[0] if found and len(pages) == 1 else None
    elif kind in ("PNG", "PPM", "AVIF", "JPEG2000") and page == 0:
        values = opencv().imdecode(np.frombuffer(data, np.uint8), -1)
    else:
        raise TooDeepError
    if values is None or values.dtype != np.uint16:
        raise TooDeepError
    if values.ndim == 3 and values.shape[2] >= 3:  # OpenCV returns BGR
        order = [2, 1, 0, *range(3, values.shape[2])]
        values = values[..., order]
    return np.asarray(values)


def deep_heif(data: bytes) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Yield each image of a HEIC file as a `pillow_heif` image, with its pixels at full depth, upright."""
    import pillow_heif

    for image in pillow_heif.open_heif(data, convert_hdr_to_8bit=False):
        yield image, np.asarray(image)
