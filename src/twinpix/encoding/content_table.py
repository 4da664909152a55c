"""A column table with the facts and codes of each distinct content of a run."""

from array import array
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.model import Bytes2D, ContentId
from twinpix.store import Result

_FACTS = ("width", "height", "format", "damaged", "detail_score")
_DIGEST = 16


class ContentTable:
    """Encoded contents, by number.

    Stored in columns, and converted to `Result` one at a time, since millions of objects would fill the memory.
    """

    def __init__(self) -> None:
        self._digests, self._codes, self._facts = bytearray(), bytearray(), array("i")
        self._formats: dict[str, int] = {}
        self._pixels: dict[int, bytes] = {}
        self._traits, self._traits_end = bytearray(), array("q")  # concatenated ASCII texts, and the end of each

    def add(self, digest: bytes, result: Result) -> ContentId:
        """Add a content with its code; return its number."""
        number = ContentId(len(self))
        self._digests += digest
        self._codes += result.code or b""
        form = self._formats.setdefault(result.format, len(self._formats))
        self._facts.extend((result.width, result.height, form, result.damaged, result.detail_score))
        if result.pixels is not None:
            self._pixels[number] = result.pixels
        self._traits += result.traits.encode("ascii", "replace")
        self._traits_end.append(len(self._traits))
        return number

    def __len__(self) -> int:
        return len(self._digests) // _DIGEST

    def __getitem__(self, number: ContentId) -> Result:
        number = ContentId(range(len(self))[number])
        width, height, form, damaged, detail_score = self._facts[5 * number : 5 * number + 5]
        size = len(self._codes) // len(self)
        code = bytes(self._codes[size * number : size * (number + 1)])
        pixels = self._pixels.get(number)
        known = code, width, height, list(self._formats)[form], bool(damaged), detail_score, pixels
        return Result(*known, traits=self.traits(number))

    def numbers(self) -> list[ContentId]:
        """Return the number of each content."""
        return [ContentId(number) for number in range(len(self))]

    def take(self, numbers: Iterable[ContentId]) -> "ContentTable":
        """Return a table of these contents, numbered from 0 in this order."""
        out = ContentTable()
        for number in numbers:
            out.add(self.digest(number), self[number])
        return out

    def digest(self, number: ContentId) -> bytes:
        return bytes(self._digests[_DIGEST * number : _DIGEST * (number + 1)])

    def traits(self, number: ContentId) -> str:
        """Return the traits of a content, in the text form of `imaging.traits`."""
        start = self._traits_end[number - 1] if number else 0
        return self._traits[start : self._traits_end[number]].decode("ascii")

    def pixels(self, number: ContentId) -> bytes | None:
        """Return the digest of a content's pixels; None if it is not known."""
        return self._pixels.get(number)

    def set_pixels(self, number: ContentId, pixels: bytes | None) -> None:
        if pixels is not None:
            self._pixels[number] = pixels

    def column(self, name: str) -> NDArray[Any]:
        """Return a column `(n,)` of int32: `width`, `height`, `damaged` or `detail_score`."""
        return np.array(self._facts, dtype=np.int32).reshape(-1, len(_FACTS))[:, _FACTS.index(name)]

    def codes(self, width: int) -> Bytes2D:
        """Return the codes `(n, orientations, width)`, with `width` in bytes.

        The array is a read-only view of the table: while it exists, `add` raises `BufferError`.
        """
        flat = np.frombuffer(self._codes, dtype=np.uint8)
        flat.flags.writeable = False
        return flat.reshape(len(self), -1, width) if len(flat) else np.empty((0, 1, width), np.uint8)


class File(NamedTuple):
    """A file, with the digest and the size of its content."""

    path: str  # or the URI of a member of a container
    digest: bytes
    size: int  # bytes
