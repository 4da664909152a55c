"""Recall at a fixed share of false matches, from all distances of originals to copies."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.fingerprints import Fingerprint
from twinpix.model import Bytes2D
from twinpix.search.base import unit, words

_STEPS = 1000  # to a cosine distance of 1


class Point(NamedTuple):
    """The largest radius whose share of false matches is at most the rate, and the recall there; -1 for none."""

    rate: float
    radius: float
    recall: float


def distances(method: Fingerprint, originals: Bytes2D, copies: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """`(n, m)`: steps between each code `(n, bytes)` and the nearest turn of each copy `(m, turns, bytes)`.

    A step is a bit, or `step_of` the method.
    """
    if method.unit == "cosine":
        return nearest_directions(method.comparable(originals), method.comparable(copies))
    return nearest(words(originals), words(copies))


def step_of(method: Fingerprint) -> float:
    """What distances are counted in: bits, or thousandths of cosine distance."""
    return 1 / _STEPS if method.unit == "cosine" else 1


def radius_of(method: Fingerprint, steps: int) -> float:
    """So many steps as a radius of the method."""
    return round(steps * step_of(method), 3)  # a whole number stays one


def steps_of(method: Fingerprint, distances: NDArray[Any]) -> NDArray[Any]:
    """Distances in whole steps, rounded up, so that a radius of so many steps holds them."""
    return _in_steps(distances).astype(np.int32) if method.unit == "cosine" else distances


def nearest_directions(codes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.uint16]:
    """`(n, m)`: thousandths of cosine distance between each direction `(n, d)` and the nearest turn of each other."""
    best = np.full((len(codes), len(others)), -1, np.float32)
    left = unit(codes)
    for turn in range(others.shape[1]):
        np.maximum(best, left @ unit(others[:, turn]).T, out=best)
    return _in_steps(np.clip(1 - best, 0, 2)).astype(np.uint16)


def _in_steps(distances: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine distances in thousandths, rounded up but for what single precision adds to a whole one."""
    steps: NDArray[np.float64] = np.ceil(np.maximum(distances.astype(np.float64) * _STEPS - 1e-3, 0))
    return steps


def nearest(codes: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """`(n, m)`: bits between each code `(n, words)` and the nearest turn of each other `(m, turns, words)`."""
    out = np.full((len(codes), len(others)), np.iinfo(np.uint16).max, np.uint16)
    for turn in range(others.shape[1]):
        gap = np.zeros(out.shape, np.uint16)
        for word in range(codes.shape[1]):
            gap += np.bitwise_count(codes[:, word, None] ^ others[:, turn, word])
        np.minimum(out, gap, out=out)
    return out


def points(gaps: NDArray[np.uint16], same: NDArray[np.bool_], rates: tuple[float, ...]) -> list[Point]:
    """A point for each rate that so many pairs can tell; `same` marks the true pairs among `gaps`."""
    false = np.cumsum(np.bincount(gaps[~same]))
    out = []
    for rate in rates:
        if rate * false[-1] >= 1:
            radius = int(np.searchsorted(false, int(rate * false[-1]), side="right")) - 1
            out.append(Point(rate, radius, float((gaps[same] <= radius).mean())))
    return out
