"""Pages, forms and windows of one design: what is written in the same places of two pictures is not the same."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.agreement import Floats, laid
from twinpix.verify.maps import Map, rescaled
from twinpix.verify.tones import toned
from twinpix.verify.views import View

CONFLICT = 0.0003
"""Share of the overlap that either picture has written on a ground on which the other has nothing: they differ."""

_STANDS_OUT = 24.0  # grey levels beyond all that lies around
_FLAT = 14.0  # grey levels that a plain ground varies by
_GROUND = 14.0  # grey levels between the grounds of two pictures that have the same
_AROUND, _NEAR = 5, 9  # pixels a side of what lies around a pixel, and of where its ground is looked for
_JOINED = 15  # pixels: what stands out no further apart is one thing
_ONE = 0.12  # of the overlap: one thing no larger may have been put there


def conflict(a: View, b: View, there: Map, within: NDArray[np.bool_]) -> float:
    """The share of the overlap on which each picture has something of its own, where the other has plain ground.

    An edit puts something on a picture, or takes it away: one of the two has it. Where both have things that the
    other lacks, all over the place, they are two pictures of one design. One thing, however much it differs, may be
    an edit and does not count.
    """
    cv2 = opencv()
    close = a.closer, b.closer
    there = rescaled(there, (a.sides, close[0].sides), (b.sides, close[1].sides))
    pair = laid(*close, there)
    between = cv2.resize(within.astype(np.uint8), pair.a.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    inner = cv2.erode((pair.common & between).astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1).astype(bool)
    if inner.sum() < 64 or min(inner.shape) < 8:
        return 0.0
    mapped, _ = toned(pair, inner)
    mine, theirs = _own(mapped, pair.b) & inner, _own(pair.b, mapped) & inner
    if not mine.any() or not theirs.any():
        return 0.0
    other = ~_largest(mine | theirs, inner)
    return float(min((mine & other).sum(), (theirs & other).sum()) / inner.sum())


def _own(values: Floats, other: Floats) -> NDArray[np.bool_]:
    """Where a picture has something that stands out of its ground, and the other has that ground alone."""
    cv2 = opencv()
    around, near = np.ones((_AROUND, _AROUND), np.uint8), np.ones((_NEAR, _NEAR), np.uint8)
    values, other = (cv2.GaussianBlur(each, (0, 0), 0.6) for each in (values, other))
    high, low = cv2.dilate(other, around), cv2.erode(other, around)
    stands_out = np.asarray(np.maximum(values - high, low - values) > _STANDS_OUT, dtype=bool)
    if not stands_out.any():
        return stands_out
    brightest, darkest = cv2.dilate(values, near), cv2.erode(values, near)
    same_ground = (np.abs(brightest - other) < _GROUND) | (np.abs(darkest - other) < _GROUND)
    return np.asarray(stands_out & (high - low < _FLAT) & same_ground, dtype=bool)


def _largest(marked: NDArray[np.bool_], inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest thing among what is marked, unless it is too large to be one."""
    cv2 = opencv()
    joined = cv2.dilate(marked.astype(np.uint8), np.ones((_JOINED, _JOINED), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    if count < 2:
        return np.zeros_like(marked)
    areas = facts[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    if areas[largest] > _ONE * inner.sum():
        return np.zeros_like(marked)
    return np.asarray(labels == largest + 1, dtype=bool)
