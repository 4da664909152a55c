"""Masks of pixels, and filters over the square window around each pixel."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Level = TypeVar("Level", np.uint8, np.float32)


def window(side: int) -> NDArray[np.uint8]:
    """Return the structuring element of a square of `side` pixels."""
    return np.ones((side, side), np.uint8)


def dilate(marked: NDArray[Any], side: int) -> Mask:
    """Dilate a mask by a square of `side` pixels."""
    return np.asarray(opencv().dilate(marked.astype(np.uint8), window(side)), dtype=bool)


def erode(marked: NDArray[Any], side: int, *, beyond: bool) -> Mask:
    """Erode a mask by a square of `side` pixels; `beyond`: pixels outside the image count as marked."""
    return np.asarray(opencv().erode(marked.astype(np.uint8), window(side), borderValue=int(beyond)), dtype=bool)


def extremes(values: NDArray[Level], side: int) -> tuple[NDArray[Level], NDArray[Level]]:
    """Return the largest and the smallest value within the window of each pixel."""
    cv2 = opencv()
    return cv2.dilate(values, window(side)), cv2.erode(values, window(side))


def local_range(values: NDArray[Level], side: int) -> NDArray[Level]:
    """Return the largest less the smallest value within the window of each pixel."""
    high, low = extremes(values, side)
    return np.asarray(high - low)


def window_mean(values: Floats, side: int) -> Floats:
    """Return the mean of the window of each pixel."""
    out: Floats = opencv().blur(values, (side, side))
    return out


def hull(marked: Mask) -> Mask:
    """Return the convex hull of a mask."""
    cv2 = opencv()
    out = np.zeros(marked.shape, np.uint8)
    rows = np.flatnonzero(marked.any(axis=1))
    if len(rows):  # the ends of each row have the same hull as all pixels
        left, right = (each[rows].argmax(axis=1) for each in (marked, marked[:, ::-1]))
        columns = np.concatenate([left, marked.shape[1] - 1 - right])
        ends = np.column_stack([columns, np.tile(rows, 2)])
        cv2.fillConvexPoly(out, cv2.convexHull(ends.astype(np.int32)), 1)
    return np.asarray(out, dtype=bool)


def part_of(marked: Mask, whole: Mask) -> float:
    """Return the share of `whole` that is marked."""
    return float((marked & whole).sum() / max(1, whole.sum()))


def sample_pixels(marked: Mask, count: int) -> NDArray[np.int64]:
    """Return the flat indices of marked pixels, evenly spaced: at most `count` of them."""
    at = np.flatnonzero(marked)
    return at[:: max(1, -(-len(at) // count))]


def pixels_of(blocks: Mask, shape: tuple[int, ...]) -> Mask:
    """Enlarge a mask of blocks to pixels."""
    cv2 = opencv()
    return np.asarray(cv2.resize(blocks.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=bool)
