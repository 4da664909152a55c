"""How one picture lies on another, from the points that both have."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.localfeatures.keypoints import Points, mirrored
from twinpix.verify.alignment.affine import Map, chained, overlap
from twinpix.verify.pyramid import View

_RATIO = 0.8  # nearest to second nearest descriptor: the nearest is unlike all others
_NEAR = 4.0  # pixels between where a point should be and where it is
_SQUEEZED = 1e-3  # times the area of the one picture on the other
_LEAST = 4  # pairs of points that a map is made of


class Found(NamedTuple):
    """A map and the pairs of points that agree with it."""

    there: Map
    a: NDArray[np.float64]  # (n, 2): places in the one picture
    b: NDArray[np.float64]  # and in the other


def found(a: View, b: View) -> Found | None:
    """The map that most points agree with, mirrored or not; None when no four do."""
    plain = _found(a.points, b.points)
    width = b.sides[0]
    other = _found(a.points, mirrored(b.points, width))
    if other is not None and (plain is None or len(other.a) > len(plain.a)):
        back = np.array([[-1.0, 0, width - 1], [0, 1, 0]])  # what was mirrored, mirrored again
        return Found(chained(other.there, back), other.a, other.b * np.array([-1.0, 1]) + np.array([width - 1, 0]))
    return plain


def fits(by_points: Found, a: View, b: View) -> bool:
    """True for a map that leaves the pictures on each other, and neither squeezed to nothing."""
    there = by_points.there
    return abs(float(np.linalg.det(there[:, :2]))) > _SQUEEZED and max(overlap(there, a.sides, b.sides)) > 0


def _found(a: Points, b: Points) -> Found | None:
    cv2 = opencv()
    i, j = _pairs(a, b)
    if len(i) < _LEAST:
        return None
    left, right = a.place[i].astype(np.float64), b.place[j].astype(np.float64)
    rough, inside = cv2.estimateAffinePartial2D(left, right, method=cv2.RANSAC, ransacReprojThreshold=2 * _NEAR)
    if rough is None or inside.sum() < _LEAST:
        return None
    kept = inside[:, 0].astype(bool)
    there = rough
    if kept.sum() >= 2 * _LEAST:
        fine, inside = cv2.estimateAffine2D(left, right, method=cv2.RANSAC, ransacReprojThreshold=_NEAR)
        if fine is not None and inside.sum() >= 0.8 * kept.sum() and _is_sane(fine):
            there, kept = fine, inside[:, 0].astype(bool)
    return Found(np.asarray(there, np.float64), left[kept], right[kept])


def _pairs(a: Points, b: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each point of `a` with the one of `b` that looks like it and like no other; no point of `b` twice."""
    empty = np.empty(0, np.int64)
    if len(a.size) < _LEAST or len(b.size) < _LEAST:
        return empty, empty
    likeness = a.around @ b.around.T
    rows, j = np.arange(len(a.size)), likeness.argmax(axis=1)
    best = likeness[rows, j]
    likeness[rows, j] = -1
    second = likeness.max(axis=1)
    # Two points of one place, which look two ways, are no rival for each other.
    alone = (2 - 2 * best) < _RATIO**2 * (2 - 2 * second)
    i = np.flatnonzero(alone)
    i = i[np.lexsort((i, -best[i]))]
    _, first = np.unique(j[i], return_index=True)
    i = np.sort(i[first])
    return i, j[i]


def _is_sane(there: Map) -> bool:
    """True for a map that does not squeeze a picture flat."""
    large, small = np.linalg.svd(there[:, :2], compute_uv=False)
    return bool(small > 0.02 and large < 4 * small)
