"""Encoders of the script: their thresholds, and the conversion of codes from and to files of encodings."""

import re
from functools import cache
from typing import Any, ClassVar, Protocol

import numpy as np

from twinpix.compat import _own
from twinpix.errors import UsageError
from twinpix.model import format_distance
from twinpix.search import radius_of_cosine


class Encoder(Protocol):
    """A fingerprint method of the script. A code is bytes, as twinpix compares them."""

    method: ClassVar[str]
    width: ClassVar[int]  # bytes of a code
    encoding: ClassVar[str]  # description of an encoding in a file, for errors

    def radius(self, threshold: float | None) -> float:
        """Return the radius of a threshold (None: the default one); raises `UsageError` for an invalid threshold."""

    def code(self, value: Any) -> bytes | None:
        """Convert a value of a file of encodings to a code; None if it is not an encoding of this method."""

    def text(self, code: bytes) -> str:
        """Convert a code to JSON; `code` converts it back to the same code."""

    def same(self, a: bytes, b: bytes) -> bool:
        """True for codes of equal images, which may differ in rounding between processors."""


class DHash:
    """The 64-bit DHash; with the reference decode it equals imagededup's."""

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
    """The package's network with all of its dimensions, as `twinpix.compat.imagededup` uses it."""

    method: ClassVar[str] = _own.SPEC
    width: ClassVar[int] = 2 * _own.NUMBERS
    encoding: ClassVar[str] = f"a list of {_own.NUMBERS} numbers, which twinpix's network gives"

    _usual: ClassVar[float] = 0.9
    _same: ClassVar[float] = 0.999  # smallest cosine of codes that count as equal
    _rounding: ClassVar[float] = 2e-3  # largest deviation of a code's length from 1

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
        except ValueError:  # nested lists of different lengths
            return None
        if numbers.ndim != 1 or numbers.dtype.kind not in "fi" or not np.isfinite(numbers).all() or not numbers.any():
            return None
        direction = numbers / np.abs(numbers).max()
        direction /= np.linalg.norm(direction)
        with np.errstate(over="ignore"):
            length = np.linalg.norm(numbers.astype(np.float64))
        if abs(length - 1) < self._rounding:
            direction = numbers  # a code already: rounding it again would change it
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
    """Return the shortest decimal text of every float16, indexed by its bits."""
    return [str(number) for number in np.arange(1 << 16, dtype=np.uint16).view(np.float16)]
