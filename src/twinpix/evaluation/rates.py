"""Recall at fixed false-match rates, from all distances of originals to copies."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.model import Bytes2D
from twinpix.search.base import unit, words

_STEPS = 1000  # steps in a cosine distance of 1


class Point(NamedTuple):
    """The largest radius whose false-match rate is at most `rate`, and the recall there; the radius is -1 for none."""

    rate: float
    radius: float
    recall: float


def distances(method: Fingerprint, originals: Bytes2D, copies: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return the distances `(n, m)` of originals to the nearest orientation of each copy, in steps of `step_of`.

    `originals` is `(n, bytes)`, `copies` is `(m, orientations, bytes)`.
    """
    if method.unit == "cosine":
        return nearest_directions(method.comparable(originals), method.comparable(copies))
    return nearest(words(originals), words(copies))


def step_of(method: Fingerprint) -> float:
    """Return the unit in which distances are counted: 1 bit, or 0.001 of cosine distance."""
    return 1 / _STEPS if method.unit == "cosine" else 1


def radius_of(method: Fingerprint, steps: int) -> float:
    """Convert steps to a radius of the method."""
    return round(steps * step_of(method), 3)  # an int remains an int


def steps_of(method: Fingerprint, distances: NDArray[Any]) -> NDArray[Any]:
    """Convert distances to whole steps, rounded up, so that a radius of that many steps includes them."""
    return _in_steps(distances).astype(np.int32) if method.unit == "cosine" else distances


def nearest_directions(codes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.uint16]:
    """Return `(n, m)`: cosine distances, in steps, of vectors `(n, d)` to the nearest orientation of others.

    `others` is `(m, orientations, d)`.
    """
    best = np.full((len(codes), len(others)), -1, np.float32)
    left = unit(codes)
    for turn in range(others.shape[1]):
        np.maximum(best, left @ unit(others[:, turn]).T, out=best)
    return _in_steps(np.clip(1 - best, 0, 2)).astype(np.uint16)


def _in_steps(distances: NDArray[Any]) -> NDArray[np.float64]:
    """Convert cosine distances to steps, rounded up; tolerates 0.001 of a step of single-precision error."""
    steps: NDArray[np.float64] = np.ceil(np.maximum(distances.astype(np.float64) * _STEPS - 1e-3, 0))
    return steps


def nearest(codes: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return `(n, m)`: bits between codes `(n, words)` and the nearest orientation of `(m, orientations, words)`."""
    out = np.full((len(codes), len(others)), np.iinfo(np.uint16).max, np.uint16)
    for turn in range(others.shape[1]):
        gap = np.zeros(out.shape, np.uint16)
        for word in range(codes.shape[1]):
            gap += np.bitwise_count(codes[:, word, None] ^ others[:, turn, word])
        np.minimum(out, gap, out=out)
    return out


def points(gaps: NDArray[np.uint16], same: NDArray[np.bool_], rates: tuple[float, ...]) -> list[Point]:
    """Return a point for each rate at which at least one of the negative pairs may match; lower rates are left out.

    `gaps` are the distances in steps; `same`, of the same shape, marks the positive pairs.
    """
    false = np.cumsum(np.bincount(gaps[~same]))
    out = []
    for rate in rates:
        if rate * false[-1] >= 1:
            radius = int(np.searchsorted(false, int(rate * false[-1]), side="right")) - 1
            out.append(Point(rate, radius, float((gaps[same] <= radius).mean())))
    return out
