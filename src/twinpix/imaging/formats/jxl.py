"""Read the header of a JPEG XL file; its library reads it only together with all pixels.

Source: ISO/IEC 18181-1:2022, annex D (codestream headers), and 18181-2 (boxes).
"""

from typing import NamedTuple

_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, by number from 1
_NEEDED = 64  # bytes of the codestream that contain all fields read here


class Header(NamedTuple):
    """The fields of the header that are read here."""

    width: int
    height: int
    depth: int = 8  # bits per channel; 0 if not read
    animated: bool = False
    of_jpeg: bool = False  # a losslessly transcoded JPEG, whose EXIF orientation applies


def header_of(data: bytes) -> Header:
    """Read the header. Raises `ValueError` if there is none."""
    stream, of_jpeg = _codestream(data)
    if stream[:2] != b"\xff\x0a":
        raise ValueError("no JPEG XL codestream")
    bits = _Bits(stream[2:])
    width, height = _size(bits)
    if bits.take(1):  # all_default
        return Header(width, height, of_jpeg=of_jpeg)
    animated = bool(bits.take(1)) and _has_animation(bits)
    return Header(width, height, 0 if animated else _depth(bits), animated, of_jpeg)


def _codestream(data: bytes) -> tuple[bytes, bool]:
    """Return the first bytes of the codestream, without boxes, and whether there is a JPEG reconstruction box."""
    if not data.startswith(_SIGNATURE):
        return data[:_NEEDED], False
    out, of_jpeg, at = b"", False, len(_SIGNATURE)
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        if end <= at:
            break
        if kind == b"jxlc":
            out += data[at + head : min(end, at + head + _NEEDED)]
        elif kind == b"jxlp":
            out += data[at + head + 4 : min(end, at + head + 4 + _NEEDED)]
        of_jpeg |= kind == b"jbrd"
        at = end
    return out, of_jpeg


class _Bits:
    """Reads numbers from bytes, the least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:_NEEDED], "little"), 8 * min(len(data), _NEEDED)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the JPEG XL header ends early")
        out = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return out

    def choose(self, *choices: tuple[int, int]) -> int:
        """Read a number in one of four encodings, each an offset and a number of extra bits."""
        offset, count = choices[self.take(2)]
        return offset + self.take(count)


def _size(bits: _Bits) -> tuple[int, int]:
    lengths = ((1, 9), (1, 13), (1, 18), (1, 30))
    small = bits.take(1)

    def side() -> int:
        return 8 * (1 + bits.take(5)) if small else bits.choose(*lengths)

    height = side()
    if ratio := bits.take(3):
        across, up = _RATIOS[ratio - 1]
        return height * across // up, height
    return side(), height


def _has_animation(bits: _Bits) -> bool:
    bits.take(3)  # orientation
    if bits.take(1):
        _size(bits)  # intrinsic size for display
    if bits.take(1):  # the size of a preview
        eighths = bits.take(1)
        sides = ((16, 0), (32, 0), (1, 5), (33, 9)) if eighths else ((1, 6), (65, 8), (321, 10), (1345, 12))
        bits.choose(*sides)
        if not bits.take(3):
            bits.choose(*sides)
    return bool(bits.take(1))


def _depth(bits: _Bits) -> int:
    if bits.take(1):  # floating point
        return bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
    return bits.choose((8, 0), (10, 0), (12, 0), (1, 6))
