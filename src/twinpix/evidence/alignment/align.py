"""Align two images by their keypoints: descriptor matching with the ratio test, then RANSAC.

Matching: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60 (2), 2004. RANSAC by OpenCV: a
similarity transform first, then an affine one, which is kept if it explains the same matches.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, compose, overlap
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.localfeatures.keypoints import Keypoints, mirror_keypoints
from twinpix.thresholds import ALIGNMENT


class KeypointAlignment(NamedTuple):
    """A transform and its inliers."""

    a_to_b: Affine
    a: NDArray[np.float64]  # (n, 2): pixels of the first pyramid
    b: NDArray[np.float64]  # (n, 2): pixels of the second pyramid


def align_keypoints(a: Pyramid, b: Pyramid) -> KeypointAlignment | None:
    """Return the transform with the most inliers, of the second image as it is or mirrored; None without one."""
    plain = _align(a.keypoints, b.keypoints)
    width = b.size[0]
    other = _align(a.keypoints, mirror_keypoints(b.keypoints, width))
    if other is not None and (plain is None or len(other.a) > len(plain.a)):
        back = np.array([[-1.0, 0, width - 1], [0, 1, 0]])  # undo the mirroring
        return KeypointAlignment(
            compose(other.a_to_b, back), other.a, other.b * np.array([-1.0, 1]) + np.array([width - 1, 0])
        )
    return plain


def fits(by_keypoints: KeypointAlignment, a: Pyramid, b: Pyramid) -> bool:
    """True if the images overlap under the transform and neither collapses to a point or a line."""
    a_to_b = by_keypoints.a_to_b
    area = abs(float(np.linalg.det(a_to_b[:, :2])))
    return area > ALIGNMENT.min_area_ratio and max(overlap(a_to_b, a.size, b.size)) > 0


def spread_of(by_keypoints: KeypointAlignment, a: Pyramid, b: Pyramid) -> float:
    """Return the share of the overlap inside the hull of the inliers: a caption or a logo is a small part of it."""
    cv2 = opencv()
    hull = cv2.convexHull(by_keypoints.a.astype(np.float32))
    shared = overlap(by_keypoints.a_to_b, a.size, b.size)[0] * a.size[0] * a.size[1]
    return float(cv2.contourArea(hull)) / max(shared, 1.0)


def _align(a: Keypoints, b: Keypoints) -> KeypointAlignment | None:
    cv2 = opencv()
    i, j = _pairs(a, b)
    if len(i) < ALIGNMENT.min_matches:
        return None
    left, right = a.place[i].astype(np.float64), b.place[j].astype(np.float64)
    far, near = ALIGNMENT.similarity_distance, ALIGNMENT.inlier_distance
    rough, inside = cv2.estimateAffinePartial2D(left, right, method=cv2.RANSAC, ransacReprojThreshold=far)
    if rough is None or inside.sum() < ALIGNMENT.min_matches:
        return None
    kept = inside[:, 0].astype(bool)
    a_to_b = rough
    if kept.sum() >= ALIGNMENT.affine_matches:
        fine, inside = cv2.estimateAffine2D(left, right, method=cv2.RANSAC, ransacReprojThreshold=near)
        if fine is not None and inside.sum() >= ALIGNMENT.affine_inliers * kept.sum() and _is_sane(fine):
            a_to_b, kept = fine, inside[:, 0].astype(bool)
    return KeypointAlignment(np.asarray(a_to_b, np.float64), left[kept], right[kept])


def _pairs(a: Keypoints, b: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Match descriptors by the ratio test, one to one: rows of `a` and rows of `b`."""
    empty = np.empty(0, np.int64)
    if len(a.size) < ALIGNMENT.min_matches or len(b.size) < ALIGNMENT.min_matches:
        return empty, empty
    likeness = a.descriptors @ b.descriptors.T
    rows, j = np.arange(len(a.size)), likeness.argmax(axis=1)
    best = likeness[rows, j]
    likeness[rows, j] = -1
    second = likeness.max(axis=1)
    # Two keypoints of one place with two orientations have different descriptors: neither is the other's second best.
    alone = (2 - 2 * best) < ALIGNMENT.match_ratio**2 * (2 - 2 * second)
    i = np.flatnonzero(alone)
    i = i[np.lexsort((i, -best[i]))]
    _, first = np.unique(j[i], return_index=True)
    i = np.sort(i[first])
    return i, j[i]


def _is_sane(a_to_b: Affine) -> bool:
    """True if the transform neither shrinks an image to nothing nor stretches it beyond recognition."""
    large, small = np.linalg.svd(a_to_b[:, :2], compute_uv=False)
    return bool(small > ALIGNMENT.min_scale and large < ALIGNMENT.max_anisotropy * small)
