"""A PNG without those of its chunks that are broken, and that no viewer needs.

Source: PNG, third edition (https://www.w3.org/TR/png-3/), sections 5 and 13.
"""

import zlib
from collections.abc import Iterator

_SIGNATURE = 8
_COLOUR_TYPE = slice(25, 26)  # where the header has it
_TRANSPARENCY = {b"\0": 2, b"\2": 6}  # bytes that the transparent colour takes at least, by colour type
_FRAMES = (b"acTL", b"fcTL", b"fdAT")  # of an animation
_NEEDED = (b"tRNS",)  # optional, but pixels look different without it


def mended(data: bytes) -> tuple[bytes, str]:
    """The file without optional chunks that are broken, and what was left out; itself and "" for none.

    Their checksum is wrong, or a transparent colour is cut off. Viewers ignore such chunks; a decoder that checks them
    refuses the whole image. Where a chunk of an animation is
    broken, all of the animation is left out, but for the image that viewers show in its place.
    """
    broken = []
    for name, start, end in _chunks(data):
        wrong_sum = name[0] & 0x20 and zlib.crc32(data[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big")
        if wrong_sum or (name == b"tRNS" and end - start < _TRANSPARENCY.get(data[_COLOUR_TYPE], 0)):
            broken.append((name, start))
    if not broken:
        return data, ""
    names = sorted({name.decode("latin-1") for name, _ in broken})
    starts = {start for _, start in broken}
    without = _FRAMES if any(name in _FRAMES for name, _ in broken) else ()
    kept = [(start, end) for name, start, end in _chunks(data) if start not in starts and name not in without]
    return _written(data, kept), f"broken chunks: {', '.join(names)}"


def frames_of(data: bytes) -> int:
    """The frames that are there, whatever an animation's header says: each has a chunk of its own that begins it.

    The image that viewers without animation show is one more where it is not the first frame.
    """
    frames, shown, is_first = 0, False, False
    for name, _, _ in _chunks(data):
        frames += name == b"fcTL"
        if name == b"IDAT" and not shown:
            shown, is_first = True, frames > 0
    return max(1, frames + (not is_first if frames else 0))


def bare(data: bytes) -> bytes:
    """The file with nothing but its pixels: no metadata, no colour profile, no further frames."""
    return _written(data, [(start, end) for name, start, end in _chunks(data) if not name[0] & 0x20 or name in _NEEDED])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk, and where its content starts and ends; a last one that is cut off is not among them."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        yield data[at + 4 : start], start, end
        at = end + 4


def _written(data: bytes, kept: list[tuple[int, int]]) -> bytes:
    """These chunks, and what is left at the end of a file that is cut off."""
    last = max((end + 4 for _, _, end in _chunks(data)), default=_SIGNATURE)
    return data[:_SIGNATURE] + b"".join(data[start - 8 : end + 4] for start, end in kept) + data[last:]
