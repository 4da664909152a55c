"""What pictures are compared by: how near is near, and what of a code stands in a file of encodings."""

import re
from functools import cache
from typing import Any, ClassVar, Protocol

import numpy as np

from twinpix.compat import _own
from twinpix.errors import UsageError
from twinpix.model import format_distance
from twinpix.search import radius_of_cosine


class Encoder(Protocol):
    """A method by the script's name for it. A code is bytes, as twinpix compares them."""

    method: ClassVar[str]
    width: ClassVar[int]  # bytes of a code
    encoding: ClassVar[str]  # what stands in a file, in words

    def radius(self, threshold: float | None) -> float:
        """How far codes of duplicates are apart at most, by the threshold or the usual one; raises `UsageError`."""

    def code(self, value: Any) -> bytes | None:
        """The code that a value of a file of encodings says, or None when it says none."""

    def text(self, code: bytes) -> str:
        """A code as JSON; `code` makes the same code of it."""

    def same(self, a: bytes, b: bytes) -> bool:
        """True for codes of equal pictures, whatever the order in which a processor adds."""


class DHash:
    """64 bits; decoded as a reference these are imagededup's."""

    method: ClassVar[str] = "dhash"
    width: ClassVar[int] = 8
    encoding: ClassVar[str] = "a hash of DHash, which has 16 hexadecimal digits"

    _usual: ClassVar[int] = 10
    _bits: ClassVar[int] = 64
    _hash: ClassVar[re.Pattern[str]] = re.compile("[0-9a-fA-F]{16}")

    def radius(self, threshold: float | None) -> float:
        if threshold is None:
            return self._usual
        if not (threshold.is_integer() and 0 <= threshold <= self._bits):
            raise UsageError(
                f"the threshold of DHash is a whole number of bits from 0 to {self._bits}, not {threshold:g}"
            )
        return int(threshold)

    def code(self, value: Any) -> bytes | None:
        return bytes.fromhex(value) if isinstance(value, str) and self._hash.fullmatch(value) else None

    def text(self, code: bytes) -> str:
        return f'"{code.hex()}"'

    def same(self, a: bytes, b: bytes) -> bool:
        return a == b


class CNN:
    """The package's network with all of its numbers: what `twinpix.compat.imagededup` gives for a picture."""

    method: ClassVar[str] = _own.SPEC
    width: ClassVar[int] = 2 * _own.NUMBERS
    encoding: ClassVar[str] = f"a list of {_own.NUMBERS} numbers, which twinpix's network gives"

    _usual: ClassVar[float] = 0.9
    _same: ClassVar[float] = 0.999  # the least cosine
    _rounding: ClassVar[float] = 2e-3  # by which the length of a code is not 1

    def radius(self, threshold: float | None) -> float:
        if threshold is None:
            threshold = self._usual
        if not -1 <= threshold <= 1:
            bits = ": bits are for --encoder DHash" if threshold > 1 else ""
            raise UsageError(f"the threshold of CNN is a cosine from -1 to 1, not {format_distance(threshold)}{bits}")
        return radius_of_cosine(threshold)

    def code(self, value: Any) -> bytes | None:
        if not isinstance(value, list) or len(value) != _own.NUMBERS:
            return None
        try:
            numbers = np.array(value)
        except ValueError:  # lists of several lengths
            return None
        if numbers.ndim != 1 or numbers.dtype.kind not in "fi" or not np.isfinite(numbers).all() or not numbers.any():
            return None
        direction = numbers / np.abs(numbers).max()
        direction /= np.linalg.norm(direction)
        with np.errstate(over="ignore"):
            length = np.linalg.norm(numbers.astype(np.float64))
        if abs(length - 1) < self._rounding:
            direction = numbers  # a code already: rounded twice it would be another
        code: bytes = direction.astype("<f2").tobytes()
        return code

    def text(self, code: bytes) -> str:
        words = _words()
        return f"[{', '.join([words[number] for number in np.frombuffer(code, '<u2').tolist()])}]"

    def same(self, a: bytes, b: bytes) -> bool:
        if a == b:
            return True
        left, right = (np.frombuffer(code, "<f2").astype(np.float32) for code in (a, b))
        return bool(left @ right >= self._same * np.linalg.norm(left) * np.linalg.norm(right))


ENCODERS: dict[str, Encoder] = {"CNN": CNN(), "DHash": DHash()}


@cache
def _words() -> list[str]:
    """Every number of half precision in as few digits as tell it from its neighbours; by its bits."""
    return [str(number) for number in np.arange(1 << 16, dtype=np.uint16).view(np.float16)]
