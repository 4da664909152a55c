"""Sizes of the pages of a Parquet column, from their headers alone: pyarrow gives only the sum of a row group.

A page header is a struct of Thrift's compact protocol, and its fields 2 and 3 are the sizes
(https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from collections.abc import Iterator
from typing import BinaryIO

_LONGEST_HEADER = 64 << 10  # bytes; statistics of long values are not written
_DEEPEST = 16  # structs and lists in each other; a page header has 3
_BOOLEANS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 12


def page_sizes(file: BinaryIO, start: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the compressed and the plain size of each page of a column that begins at `start`, in bytes.

    Ends at the first header that cannot be read: pyarrow cannot read that page either.
    """
    at = start
    while at < start + length:
        file.seek(at)
        header = _Header(file.read(_LONGEST_HEADER))
        try:
            fields = header.struct()
        except (IndexError, ValueError):
            return
        plain, packed = fields.get(2, -1), fields.get(3, -1)
        if plain < 0 or packed < 0:
            return
        yield packed, plain
        at += header.at + packed


class _Header:
    """The bytes of a header and the position in them; methods raise `IndexError` at the end, and `ValueError`."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, int]:
        """Read a struct; return its integers by the numbers of their fields."""
        if depth > _DEEPEST:
            raise ValueError("too deep")
        found: dict[int, int] = {}
        field = 0
        while first := self.byte():
            field = field + (first >> 4) if first >> 4 else self.integer()
            found[field] = self.value(first & 15, depth)
        return found

    def value(self, kind: int, depth: int) -> int:
        """Read a value; return an integer, 0 for a value of another kind."""
        if kind in _INTEGERS:
            return self.integer()
        if kind == _STRUCT:
            self.struct(depth + 1)
        elif kind in _LISTS:
            first = self.byte()
            for _ in range(first >> 4 if first >> 4 < 15 else self.varint()):
                self.value(_BYTE if first & 15 in _BOOLEANS else first & 15, depth + 1)
        elif kind == _BYTE:
            self.byte()
        elif kind in (_DOUBLE, _BINARY):
            self.at += 8 if kind == _DOUBLE else self.varint()
        elif kind not in _BOOLEANS:
            raise ValueError("unknown kind")
        return 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        number = shift = 0
        while (byte := self.byte()) > 127:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("too long")
        return number | byte << shift

    def integer(self) -> int:
        number = self.varint()
        return number >> 1 ^ -(number & 1)
