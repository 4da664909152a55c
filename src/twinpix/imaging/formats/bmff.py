"""Boxes of HEIC and AVIF files, and the position of the data of each item.

Source: ISO/IEC 14496-12 (boxes, iinf, iloc).
"""

from collections.abc import Iterator
from typing import NamedTuple

_MOST_ITEMS = 1 << 16


class Item(NamedTuple):
    """One item: its type, and the byte ranges of its data in the file."""

    kind: bytes
    extents: list[tuple[int, int]]  # start and end


def boxes(data: bytes, start: int = 0, end: int = -1) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box, and start and end of its content."""
    at, end = start, len(data) if end < 0 else min(end, len(data))
    while at + 8 <= end:
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        after = at + size if size else end
        if after < at + head:
            return
        yield data[at + 4 : at + 8], at + head, min(after, end)
        at = after


def items(data: bytes) -> list[Item]:
    """Return the items whose data is stored directly in the file; an empty list if there is no `meta` box.

    Raises `ValueError` or `IndexError` if a box is truncated.
    """
    meta = next(((start, end) for name, start, end in boxes(data) if name == b"meta"), None)
    if meta is None:
        return []
    kinds, places = dict[int, bytes](), dict[int, list[tuple[int, int]]]()
    for name, start, end in boxes(data, meta[0] + 4, meta[1]):
        if name == b"iinf":
            kinds = dict(_kinds(data, start, end))
        elif name == b"iloc":
            places = dict(_places(_Reader(data, start, end)))
    return [Item(kinds.get(number, b""), extents) for number, extents in places.items()]


def _kinds(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    count = 2 if data[start] == 0 else 4
    for name, at, _ in boxes(data, start + 4 + count, end):
        if name == b"infe" and data[at] >= 2:
            wide = 2 if data[at] == 2 else 4
            number = int.from_bytes(data[at + 4 : at + 4 + wide], "big")
            yield number, data[at + 6 + wide : at + 10 + wide]


class _Reader:
    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.at, self.end = data, start, end

    def take(self, size: int) -> int:
        if self.at + size > self.end:
            raise ValueError("a box ends early")
        out = int.from_bytes(self.data[self.at : self.at + size], "big")
        self.at += size
        return out


def _places(reader: _Reader) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    version = reader.take(1)
    reader.take(3)
    sizes = reader.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    for _ in range(min(reader.take(wide), _MOST_ITEMS)):
        number = reader.take(wide)
        method = reader.take(2) & 15 if version in (1, 2) else 0
        reader.take(2)
        base, extents = reader.take(base_size), []
        for _ in range(reader.take(2)):
            reader.take(index_size)
            start, length = base + reader.take(offset_size), reader.take(length_size)
            extents.append((start, start + length))
        if method == 0:  # file offset; not in the `idat` box or derived from other items
            yield number, extents
