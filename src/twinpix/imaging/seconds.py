"""Find the content of a file other than its main image: gain maps, depth maps, the second image of a stereo pair, an
attached video, layers and other sizes; and count its frames or pages.

Sources: CIPA DC-007 (multi-picture format), ISO 21496-1 and its forerunners (gain maps), ISO/IEC 23008-12 (HEIF).
"""

import io
import struct
from collections.abc import Iterator
from contextlib import suppress

from PIL import Image

from twinpix.imaging.formats import jpeg, jxl, png
from twinpix.imaging.formats.bmff import boxes

_FAULTS = (SyntaxError, ValueError, OSError, KeyError, TypeError, EOFError, IndexError, struct.error, AttributeError)
_MPF, _EXTENDED_XMP = b"MPF\0", b"http://ns.adobe.com/xmp/extension/\0"
_MP_ENTRIES = 0xB002
_LARGE_THUMBNAILS = (0x010001, 0x010002)  # the main image at a smaller size
_REDUCED, _SUBFILE = 1, 254  # the bit and the TIFF tag that mark a page as a reduced version of another page
_VIDEO, _SAMSUNG, _VIDEO_BOX = b"ftyp", b"SEFT", b"mpvd"
_MOTION = (b"MotionPhoto", b"MicroVideo")  # https://developer.android.com/media/platform/motion-photo-format
_MOST_PAGES = 1 << 16
_CUBE_OR_VOLUME = 0x200 | 0x200000  # caps2 of a DDS file


def frames_of(image: Image.Image, data: bytes, kind: str) -> int:
    """Return the number of frames, pages, layers or sizes of an opened image; at least 1.

    Reduced versions of the main image (pages and large thumbnails marked as such) are not counted.
    """
    with suppress(*_FAULTS):
        if kind in ("JPEG", "MPO"):
            return 1 + sum(_is_frame(kind, other, data) for kind, other in mp_images(data))
        if kind == "PNG" and getattr(image, "n_frames", 1) > 1:
            return png.frames_of(data)
        if kind == "JXL":
            return 2 if jxl.header_of(data).animated else 1  # its library does not count them
        if kind == "ICO":
            return max(1, len(image.ico.entry))  # type: ignore[attr-defined]
        if kind == "ICNS":
            return max(1, len(image.info.get("sizes", ())))
        if kind == "TIFF":
            return _pages(data)
        if kind == "GIF":  # counting seeks through the file: use a second reader
            with Image.open(io.BytesIO(data), formats=["GIF"]) as walked:
                return max(1, int(getattr(walked, "n_frames", 1)))
        return max(1, int(getattr(image, "n_frames", 1)))
    return 1


def _is_frame(kind: int, second: bytes, data: bytes) -> bool:
    """True if an entry of a JPEG's multi-picture index is an image of its own: no thumbnail, gain map or depth map.

    Gain maps and depth maps have type 0, and so have images of some cameras; the maps differ by size or are grey.
    """
    if kind:
        return kind not in _LARGE_THUMBNAILS
    with Image.open(io.BytesIO(second), formats=["JPEG"]) as other, Image.open(io.BytesIO(data)) as first:
        return other.size == first.size and other.mode != "L"


def has_video(image: Image.Image, data: bytes, kind: str) -> bool:
    """True for a motion photo: a still image with an embedded video."""
    if kind in ("HEIF", "AVIF"):
        return any(name == _VIDEO_BOX for name, _, _ in boxes(data))
    if kind not in ("JPEG", "MPO"):
        return False
    # A search for the video itself would read every JPEG in full: first check the mark that phones write.
    xmp = image.info.get("xmp", b"")
    if not (data.endswith(_SAMSUNG) or (isinstance(xmp, bytes) and any(mark in xmp for mark in _MOTION))):
        return False
    return _VIDEO in data[jpeg.end_of(data) :]


def _pages(data: bytes) -> int:
    """Return the number of pages of a TIFF file, without reduced versions. Reads only the directories."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"\x2b\0", b"\0\x2b")
    word, count_size, entry = ("Q", 8, 20) if big else ("I", 2, 12)
    width = struct.calcsize(word)
    at: int = struct.unpack_from(order + word, data, 8 if big else 4)[0]
    pages, seen = 0, set[int]()
    while at and at not in seen and at + count_size <= len(data) and pages < _MOST_PAGES:
        seen.add(at)
        count: int = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
        reduced = False
        start = at + count_size
        for each in range(start, min(start + count * entry, len(data) - entry + 1), entry):
            tag: int = struct.unpack_from(order + "H", data, each)[0]
            if tag == _SUBFILE:
                reduced = bool(struct.unpack_from(order + "I", data, each + entry - width)[0] & _REDUCED)
            if tag >= _SUBFILE:
                break
        pages += not reduced
        after = start + count * entry
        at = struct.unpack_from(order + word, data, after)[0] if after + width <= len(data) else 0
    return max(1, pages)


def mp_images(data: bytes) -> list[tuple[int, bytes]]:
    """Return type and bytes of each image in a JPEG's multi-picture index after the first one."""
    for start, end in jpeg.segments(data, 0xE2):
        if data[start : start + 4] == _MPF:
            return list(_mp_images(data, start + 4, end))
    return []


def _mp_images(data: bytes, base: int, end: int) -> Iterator[tuple[int, bytes]]:
    order = "<" if data[base : base + 2] == b"II" else ">"
    at = base + struct.unpack_from(order + "I", data, base + 4)[0]
    for tag in range(at + 2, at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0], 12):
        number, _, size, start = struct.unpack_from(order + "HHII", data, tag)
        if number != _MP_ENTRIES:
            continue
        for entry in range(base + start + 16, min(base + start + size, end), 16):
            attribute, length, offset = struct.unpack_from(order + "III", data, entry)
            yield attribute & 0xFFFFFF, data[base + offset : base + offset + length]
        return


def seconds_of(data: bytes, kind: str) -> Iterator[bytes]:
    """Yield the content other than the main image, as bytes to compare.

    If its position in the file is not known, `data` itself is yielded.
    """
    if kind in ("JPEG", "MPO"):
        yield from _of_jpeg(data)
    elif kind in ("AVIF", "HEIF"):
        if any(mark in data for mark in (b"tmap", b"moov")) or (kind == "AVIF" and b":aux:hdrgainmap" in data):
            yield data  # a gain map or a sequence
    elif kind == "JXL":
        header = jxl.header_of(data)
        if header.animated or b"jhgm" in data[:65536]:
            yield data
    elif (kind == "PSD" and _has_layers(data)) or (
        kind == "DDS" and int.from_bytes(data[112:116], "little") & _CUBE_OR_VOLUME
    ):
        yield data


def _of_jpeg(data: bytes) -> Iterator[bytes]:
    images = [image for kind, image in mp_images(data) if kind not in _LARGE_THUMBNAILS]
    yield from images
    for start, end in jpeg.segments(data, 0xE1):
        if data.startswith(_EXTENDED_XMP, start) and any(
            mark in data[start:end] for mark in (b"GDepth:Data", b"GImage:Data", b"GAudio:Data")
        ):
            yield b"".join(
                data[a + len(_EXTENDED_XMP) + 40 : b]
                for a, b in jpeg.segments(data, 0xE1)
                if data.startswith(_EXTENDED_XMP, a)
            )
            break
    rest = data[jpeg.end_of(data) :]
    if (at := rest.find(_VIDEO)) >= 4:
        yield rest[at - 4 :]
    elif rest[-4:] == _SAMSUNG:
        yield rest
    elif not mp_images(data) and (at := rest.find(b"\xff\xd8\xff")) >= 0:
        yield rest[at:]


def _has_layers(data: bytes) -> bool:
    """True if the layer section of a Photoshop file is not empty."""
    at = 26
    for _ in range(2):  # colours, resources
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return int.from_bytes(data[at : at + 4], "big") > 4 and data[at + 8 : at + 10] not in (b"", b"\0\0")
