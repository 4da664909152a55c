"""Codes of many images."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from twinpix.model.refs import Failure, Refs
from twinpix.model.report import Traits


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of many images: `codes` is uint8 `(n, bytes)`, or `(n, 8, bytes)` with the eight orientations."""

    refs: Refs
    codes: NDArray[Any]
    spec: str
    failures: list[Failure]
    formats: list[str] = field(default_factory=list)  # of each image
    damaged: list[bool] = field(default_factory=list)  # whether part of it is missing
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height
    digests: list[str] = field(default_factory=list)  # of the encoded files, in hexadecimal digits
    traits: list[Traits | None] = field(default_factory=list)  # None: not known
