"""Detect lost parts of compressed data: sectors that a disk, a copy or a memory card replaced with constant bytes.

Decoders continue after such a part and only warn. Compressed data has high entropy: it has no runs of 64 equal bytes,
except where a flat area repeats a short Huffman code, which is recognised here. Uncompressed data may hold any run;
its damage is found only by comparison with a copy of the same size (`twinpix.sources.bit_rot`).

Sources: ITU-T T.81 (JPEG), RFC 9649 (WebP), ISO/IEC 14496-12 and 23008-12 (HEIF), TIFF 6.0.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from PIL.Image import Image

from twinpix.imaging.formats import bmff, jpeg

_COMPRESSION, _STRIP_OFFSETS, _STRIP_BYTES = 259, 273, 279  # TIFF tags

_LEAST = 64  # minimum length of a suspicious run, in equal bytes
_CERTAIN = 512  # bytes, one disk sector: the minimum where shorter runs occur in intact files
# Minimum run in AC scans of a progressive JPEG, in bytes: intact photos have runs of up to 64. A lost sector of 512
# bytes gives a run of at least 504, if it is not aligned with the words compared here.
_IN_DETAIL = 256
_WORD = 8  # bytes compared at once
_TAIL = 32  # equal bytes at the end of a JPEG file without an end marker
_LZW, _OLD_JPEG, _JPEG = 5, 6, 7  # compression of a TIFF
_CODED = frozenset({b"hvc1", b"hev1", b"av01"})  # items of HEIC and AVIF
_ARITHMETIC = frozenset({"WEBP", "AVIF", "JPEG2000"})
_DENSE = 0.25  # bits per pixel: images with fewer are mostly flat
_MOST_STRIPS = 100_000


class Run(NamedTuple):
    """A run of equal bytes; its ends are accurate to `_WORD` bytes."""

    start: int
    end: int
    byte: int

    def __str__(self) -> str:
        return f"{self.end - self.start} bytes of {self.byte:#04x} from byte {self.start} on"


def lost_part(data: bytes, kind: str, image: Image) -> str:
    """Return a description of the evidence that compressed data was lost; "" if there is none."""
    if kind in ("JPEG", "MPO"):
        return _in_jpeg(data)
    least = _least(data, image) if kind in _ARITHMETIC else _LEAST
    for start, end in _compressed_ranges(data, kind, image):
        for run in runs(data, start, end, least):
            if run.byte in (0, 0xFF):
                return str(run)
    return ""


def _least(data: bytes, image: Image) -> int:
    """Return a run length in bytes that arithmetic coding does not reach: a byte codes about 12,000 flat pixels."""
    pixels = image.width * image.height
    if 8 * len(data) >= _DENSE * pixels:
        return max(_LEAST, pixels // 8192)
    return max(_CERTAIN, pixels // 2048)


def runs(data: bytes, start: int, end: int, least: int) -> Iterator[Run]:
    """Yield the runs of at least about `least` equal bytes between `start` and `end`."""
    count = (min(end, len(data)) - start) // _WORD
    needed = least // _WORD - 1
    if count <= needed:
        return
    words = np.frombuffer(data, "<u8", count, start)
    same = words[1:] == words[:-1]
    if not np.count_nonzero(same):
        return
    steps = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).view(np.int8)))
    for first, last in zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True):
        byte = data[start + _WORD * first]
        if last - first >= needed and int(words[first]) == byte * 0x0101010101010101:
            yield Run(start + _WORD * first, start + _WORD * (last + 1), byte)


# -- JPEG ------------------------------------------------------------------------------------------------


def _in_jpeg(data: bytes) -> str:
    if not _is_suspicious(data):
        return ""
    layout = jpeg.layout_of(data)
    if not layout.huffman or not layout.scans:
        return ""
    if layout.odd >= 0:
        return f"a marker that no encoder writes, at byte {layout.odd}"
    tail = data[-_TAIL:]
    if not layout.complete and len(tail) == _TAIL and tail in (bytes(_TAIL), b"\xff" * _TAIL):
        return f"no end marker, but {tail[:1].hex()} bytes at the end"
    for scan in layout.scans:
        if not jpeg.restarts_in_order(data, scan):
            return f"restart markers are missing after byte {scan.start}"
        for run in runs(data, scan.start, scan.end, _LEAST):
            if not _may_be_intact(scan, run):
                return str(run)
    return ""


def _is_suspicious(data: bytes) -> bool:
    """Fast pre-check: False, for most files, if there are no runs, no restart markers and no unexpected markers."""
    scan = jpeg.first_scan(data)[0]
    if scan < 0:
        return True
    markers = data.count(b"\xff", scan) - data.count(b"\xff\0", scan)
    one_scan = markers == 2 and data.endswith(jpeg.EOI)  # those of the scan and of the end
    return (
        not (one_scan or _is_in_order(jpeg.markers_from(data, scan)))
        or data.find(b"\xff\xdd", 0, scan) >= 0
        or next(runs(data, scan, len(data), _LEAST), None) is not None
    )


def _is_in_order(markers: bytes) -> bool:
    """True if only markers that encoders write between scans stand before the end; `markers` are the second bytes."""
    end = markers.find(jpeg.EOI[1:])
    return end >= 0 and not markers[:end].strip(jpeg.BETWEEN_SCANS)


def _may_be_intact(scan: jpeg.Scan, run: Run) -> bool:
    """True if an intact scan can contain this run: its Huffman codes for a flat area repeat to these bytes."""
    if scan.first == 0 and scan.refines:  # one more bit of each DC coefficient: all equal in a flat area
        return True
    if scan.first > 0:  # encoders write one end-of-band code for a series of empty blocks, so long runs are rare
        return run.end - run.start < _IN_DETAIL
    flat = jpeg.flat_bits(scan)
    if not flat or len(flat) > 8 * _LEAST:
        return False
    bits = 8 * format(run.byte, "08b")
    return bits in flat * (len(bits) // len(flat) + 2)


# -- other formats ---------------------------------------------------------------------------------------


def _compressed_ranges(data: bytes, kind: str, image: Image) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges in which an intact file has no long runs of 0x00 or 0xFF."""
    if kind == "WEBP":
        yield from _in_webp(data)
    elif kind in ("HEIF", "AVIF"):
        yield from _in_items(data)
    elif kind == "JPEG2000":
        at = data.find(b"\xff\x4f\xff\x51")
        start = data.find(b"\xff\x93", at) if at >= 0 else -1
        if start >= 0:
            yield start, len(data)
    elif kind == "TIFF":
        yield from _strips(data, image)


def _in_webp(data: bytes, start: int = 12, end: int = -1) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges of the lossy frames; intact lossless frames may have long runs."""
    at, end = start, len(data) if end < 0 else end
    while at + 8 <= end:
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"VP8 ":  # 10 bytes, the modes, which may have long runs, then the coefficients
            modes = int.from_bytes(data[at + 8 : at + 11], "little") >> 5
            yield at + 18 + modes, min(at + 8 + size, end)
        elif name == b"ANMF":
            yield from _in_webp(data, at + 24, min(at + 8 + size, end))
        at += 8 + size + (size & 1)


def _in_items(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges of the compressed images, without metadata and uncompressed images."""
    with suppress(ValueError, IndexError):
        for item in bmff.items(data):
            if item.kind in _CODED:
                yield from item.extents


def _strips(data: bytes, image: Image) -> Iterator[tuple[int, int]]:
    tags = getattr(image, "tag_v2", {})
    if tags.get(_COMPRESSION) not in (_LZW, _OLD_JPEG, _JPEG):
        return
    for starts, sizes in ((_STRIP_OFFSETS, _STRIP_BYTES), (324, 325)):
        for start, size in list(zip(_many(tags.get(starts)), _many(tags.get(sizes)), strict=False))[:_MOST_STRIPS]:
            if 0 <= start < len(data):
                yield start, start + size


def _many(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()
