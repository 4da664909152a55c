"""Recall at a fixed share of false matches, from all distances of originals to copies."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.model import Bytes2D
from twinpix.search.base import words


class Point(NamedTuple):
    """The largest radius whose share of false matches is at most the rate, and the recall there; -1 for none."""

    rate: float
    radius: int
    recall: float


def distances(originals: Bytes2D, copies: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """`(n, m)`: bits between each code `(n, bytes)` and the nearest turn of each copy `(m, turns, bytes)`."""
    return nearest(words(originals), words(copies))


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
