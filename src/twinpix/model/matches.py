"""Distances, relations, and pairs of images that match."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]  # codes, one row each
Relation = Literal[
    "identical-file",
    "identical-pixels",
    "re-encoded",
    "resized",
    "cropped",
    "padded",
    "rotated",
    "mirrored",
    "recoloured",
    "edited",
    "similar-scene",
]
"""How two images differ; images of a `similar-scene` are not copies, and are not grouped."""

IDENTICAL: frozenset[Relation] = frozenset({"identical-file", "identical-pixels"})
"""The relations of images that show the same pixels."""

Strictness = Literal["exact", "strict", "normal", "loose"]
Decode = Literal["fast", "reference"]
DistanceUnit = Literal["bits", "cosine", "share"]
"""The unit of a distance: bits, a cosine distance, or the share of the overlap that differs."""


DIGITS = 4  # decimals of a cosine distance


@dataclass(frozen=True, slots=True)
class Matches:
    """Accepted pairs in columns: indices i < j, distance, and orientation of j under which it matches i (0: unchanged).

    A match takes 13 bytes, because there may be tens of millions.
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    distance: NDArray[Any]  # int32 bits, or float32 cosine distances; UNKNOWN if the codes have no distance
    turn: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.i)

    def where(self, chosen: NDArray[Any]) -> "Matches":
        """Return the matches of a mask, or at these indices in this order."""
        return Matches(self.i[chosen], self.j[chosen], self.distance[chosen], self.turn[chosen])

    @classmethod
    def none(cls) -> "Matches":
        """Return no matches."""
        return cls.between(np.empty((0, 2), np.int64), np.empty(0, np.int32))

    @classmethod
    def between(cls, ends: NDArray[Any], distance: NDArray[Any]) -> "Matches":
        """Return matches of pairs `(n, 2)` without rotation or mirroring."""
        i, j = ends.astype(np.int32).T
        return cls(i, j, distance, np.zeros(len(ends), np.int8))

    @classmethod
    def concatenate(cls, parts: Sequence["Matches"]) -> "Matches":
        """Concatenate matches; copies nothing if only one part has any."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) == 1:
            return parts[0]
        columns = zip(*((part.i, part.j, part.distance, part.turn) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def numbers(distances: NDArray[Any]) -> list[float]:
    """Return distances as Python numbers: integers, or floats with four decimals."""
    values: list[float] = distances.tolist()
    return values if distances.dtype.kind == "i" else [round(value, DIGITS) for value in values]


UNKNOWN = -1
"""The distance in `Matches` of a pair that matches on the pixels and not by its codes; None in a `Match`."""


def numbers_or_none(distances: NDArray[Any]) -> list[float | None]:
    """Return the same as `numbers`, with None for unknown distances."""
    values = numbers(distances)
    return [None if value < 0 else value for value in values] if (distances < 0).any() else list(values)


def format_distance(distance: float) -> str:
    """Return a distance or radius as text: bits as integers, others with up to four decimals."""
    return f"{distance:.10g}" if distance % 1 == 0 or not math.isfinite(distance) else f"{distance:.4f}".rstrip("0")
