"""Remove broken optional chunks from a PNG, and count its frames.

Source: PNG, third edition (https://www.w3.org/TR/png-3/), sections 5 and 13.
"""

import zlib
from collections.abc import Iterator

from twinpix.errors import ImageError

_SIGNATURE = 8
_MOST_CHUNKS = 1 << 20  # 8 GB of image data as encoders write it; a file of more has empty chunks and takes minutes
_COLOUR_TYPE = slice(25, 26)  # its position in the file
_TRANSPARENCY = {b"\0": 2, b"\2": 6}  # minimum bytes of the transparent colour, by colour type
_FRAMES = (b"acTL", b"fcTL", b"fdAT")  # the chunks of an animation
_NEEDED = (b"tRNS",)  # optional, but it changes the visible pixels


def mend(data: bytes) -> tuple[bytes, str]:
    """Return the file without its broken optional chunks, and a description of them; the file and "" if there are none.

    A chunk is broken if its checksum is wrong or if a transparent colour is truncated. Viewers ignore these chunks; a
    decoder that checks them refuses the whole image. If a chunk of an animation is broken, the whole animation is
    removed, except for the default image, which viewers show in its place. Raises `ImageError` for an endless number.
    """
    broken = []
    for number, (name, start, end) in enumerate(_chunks(data)):
        if number >= _MOST_CHUNKS:
            raise ImageError("decode", f"the PNG file has more than {_MOST_CHUNKS:,} chunks")
        wrong_sum = name[0] & 0x20 and zlib.crc32(data[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big")
        if wrong_sum or (name == b"tRNS" and end - start < _TRANSPARENCY.get(data[_COLOUR_TYPE], 0)):
            broken.append((name, start))
    if not broken:
        return data, ""
    names = sorted({name.decode("latin-1") for name, _ in broken})
    starts = {start for _, start in broken}
    without = _FRAMES if any(name in _FRAMES for name, _ in broken) else ()
    kept = [(start, end) for name, start, end in _chunks(data) if start not in starts and name not in without]
    return _join_chunks(data, kept), f"broken chunks: {', '.join(names)}"


def frames_of(data: bytes) -> int:
    """Return the number of frames by their fcTL chunks, not by the animation header; at least 1.

    The default image counts as one more if it is not the first frame.
    """
    frames, shown, is_first = 0, False, False
    for name, _, _ in _chunks(data):
        frames += name == b"fcTL"
        if name == b"IDAT" and not shown:
            shown, is_first = True, frames > 0
    return max(1, frames + (not is_first if frames else 0))


def strip_metadata(data: bytes) -> bytes:
    """Return the file with its pixels only: no metadata, no colour profile, no further frames."""
    return _join_chunks(
        data, [(start, end) for name, start, end in _chunks(data) if not name[0] & 0x20 or name in _NEEDED]
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each complete chunk, and start and end of its content."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        yield data[at + 4 : start], start, end
        at = end + 4


def _join_chunks(data: bytes, kept: list[tuple[int, int]]) -> bytes:
    """Return a file of the chunks `kept`, and of a truncated chunk at the end of the file."""
    last = max((end + 4 for _, _, end in _chunks(data)), default=_SIGNATURE)
    return data[:_SIGNATURE] + b"".join(data[start - 8 : end + 4] for start, end in kept) + data[last:]
