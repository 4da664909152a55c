"""Check the header against limits before memory is allocated for pixels.

The header of a file of a few bytes can declare billions of pixels. Three values are checked: the number of pixels, the
bytes of memory, and whether the file is long enough to hold at least half of the declared pixels at the maximum
compression ratio of its format.
"""

import struct
from typing import Any

from PIL import Image

from twinpix.errors import ImageError
from twinpix.imaging.formats import jxl

_COMPRESSION, _TILE_WIDTH, _TILE_LENGTH = 259, 322, 323  # TIFF tags

MAX_PIXELS = 1 << 28  # larger images are refused, as a protection against decompression bombs
MAX_BYTES = 1 << 31  # memory for the pixels in the decoder, copies included
_THERE = 0.5  # minimum share of the pixels in a truncated file; as in `damage`
_MAX_TILE = 1 << 26  # pixels of one TIFF tile, which libtiff decodes as a whole

# Bytes per pixel that a library allocates at the same time, in addition to Pillow's.
_LIBRARY = {"WEBP": 8, "AVIF": 8, "HEIF": 8, "JXL": 16, "JPEG2000": 12, "PSD": 0}
_PILLOW = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # bytes per pixel; 4 for all others

# Maximum compression ratio (bytes of pixels per byte of the file) by the name of Pillow's decoder.
_SAVING = {
    "raw": 1,
    "zip": 1032,  # RFC 1951: 258 bytes in two bits
    "packbits": 64,
    "sgi_rle": 127,
    "sun_rle": 128,
    "tga_rle": 128,
    "pcx": 63,
    "qoi": 62 * 4,
    "ppm": 1,
    "dds_rgb": 1,
    "gif": 4096,
}
# Formats that Pillow decodes from the file when the pixels are loaded; AVIF, for example, is decoded when opened.
_READ_IN_PLACE = frozenset({"PNG", "BMP", "DIB", "TGA", "PPM", "SGI", "SUN", "PCX", "QOI", "DDS", "GIF", "PSD", "TIFF"})
_SAVING_TIFF = {1: 1, 5: 4096, 8: 1032, 32946: 1032, 32773: 64}  # by the Compression tag
_PIXELS_OF_JPEG = 512  # maximum pixels per byte: one bit per block of 64 pixels, in a flat area
_BLOCKS_OF_EIGHT = (1, 4)  # DDS: these block compressions take 8 bytes for 16 pixels, others 16


def check_head(data: bytes, kind: str | None) -> None:
    """Check the header without a library, for formats whose library allocates memory when it opens a file.

    Raises `ImageError` if a limit is exceeded.
    """
    if kind == "WEBP" and (size := _webp_size(data)):
        _check_size(*size, "RGBA", kind)
    elif kind == "JXL":
        try:
            header = jxl.header_of(data)
        except ValueError as error:
            raise ImageError("decode", str(error)) from None
        _check_size(header.width, header.height, "RGBA", kind)


def check_opened(image: Image.Image, data: bytes, kind: str) -> None:
    """Check an image that is opened, but not decoded. Raises `ImageError` if a limit is exceeded."""
    if image.width < 1 or image.height < 1:
        raise ImageError("decode", "the image has no pixels")
    _check_size(image.width, image.height, image.mode, kind)
    if kind == "TIFF":
        _check_tiles(image)
    there = _share_there(image, data, kind)
    if there < _THERE:
        raise ImageError("decode", f"truncated: at most {there:.0%} of the image is present")


def _check_size(width: int, height: int, mode: str, kind: str) -> None:
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise ImageError("decode", f"{width}×{height} pixels are more than the limit of {MAX_PIXELS // 10**6} million")
    needed = pixels * (_PILLOW.get(mode, 4) + _LIBRARY.get(kind, 0))
    if needed > MAX_BYTES:
        raise ImageError(
            "decode", f"{width}×{height} pixels need {needed / 2**30:.1f} GiB, more than the limit of {MAX_BYTES >> 30}"
        )


def _check_tiles(image: Image.Image) -> None:
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 1)) * int(tags.get(_TILE_LENGTH, 1))
    if tile > max(_MAX_TILE, 4 * image.width * image.height) or tile > MAX_PIXELS:
        raise ImageError("decode", f"a tile of {tile} pixels is more than the limit of {_MAX_TILE // 10**6} million")


def _share_there(image: Image.Image, data: bytes, kind: str) -> float:
    """Return the maximum share of the image that a file of this length can hold; 1 if it is not known."""
    pixels, size = image.width * image.height, len(data)
    if kind in ("JPEG", "MPO"):
        return size * _PIXELS_OF_JPEG / pixels
    tiles: list[Any] = getattr(image, "tile", [])
    if not tiles or kind not in _READ_IN_PLACE:
        return 1.0
    codec, args = tiles[0][0], tiles[0][3]
    pixels = sum((box[2] - box[0]) * (box[3] - box[1]) for _, box, *_ in tiles)  # of this frame, not of the canvas
    if codec == "bcn":
        block = 8 if args[0] in _BLOCKS_OF_EIGHT else 16
        return size / (block * -(-image.width // 4) * -(-image.height // 4))
    if kind == "TIFF":
        tags = getattr(image, "tag_v2", {})
        saving = _SAVING_TIFF.get(int(tags.get(_COMPRESSION, 1)))
    else:
        saving = _SAVING.get(codec)
    if saving is None:
        return 1.0
    return size * saving / max(1.0, pixels * _bits(image, data, kind, args) / 8)


def _bits(image: Image.Image, data: bytes, kind: str, args: Any) -> int:
    """Return a lower bound on the bits per pixel in the file."""
    if kind == "PNG" and len(data) > 25:
        return data[24] * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(data[25], 1)
    rawmode = args if isinstance(args, str) else args[0] if isinstance(args, tuple) and args else ""
    if image.mode == "1" or (isinstance(rawmode, str) and ";" in rawmode and image.mode in ("L", "P")):
        return 1
    return 8


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of the canvas of a WebP file; None if the header is not known."""
    head = data[12:16]
    if head == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if head == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
