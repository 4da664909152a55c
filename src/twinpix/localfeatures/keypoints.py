"""SIFT keypoints with RootSIFT descriptors, which are invariant to crops, rotation, scale and moderate recolouring.

Source: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004,
https://doi.org/10.1023/B:VISI.0000029664.99615.94; RootSIFT: R. Arandjelović, A. Zisserman,
"Three things everyone should know to improve object retrieval", CVPR 2012.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D

DESCRIPTOR = 128
_CONTRAST = 0.012  # SIFT contrast threshold: low, since the strongest are kept anyway and soft images have no others
_EDGE = 10  # SIFT edge threshold, a ratio of principal curvatures: a point on an edge has no stable position along it
_FEW = 24  # with fewer keypoints, detection is repeated with the thresholds below, for example for gradients
_FAINT, _FAINT_EDGE = 0.0005, 20
_SIDE, _BINS = 4, 8  # a descriptor is 4 rows × 4 columns × 8 orientation bins, relative to the keypoint's orientation


class Keypoints(NamedTuple):
    """Keypoints, the strongest first."""

    place: NDArray[np.float32]  # (n, 2): x and y in pixels; the centre of the first pixel is 0, 0
    size: NDArray[np.float32]  # (n,): diameter in pixels
    angle: NDArray[np.float32]  # (n,): radians, from the x axis to the y axis
    descriptors: NDArray[np.float32]  # (n, 128): unit vectors


def detect_keypoints(grey: Bytes2D, most: int) -> Keypoints:
    """Return the `most` strongest keypoints of a grey image `(rows, columns)`; there may be fewer, or none."""
    grey = np.ascontiguousarray(grey)
    found, descriptors = _detector(most, _CONTRAST, _EDGE).detectAndCompute(grey, None)
    if len(found) < _FEW:
        found, descriptors = _detector(most, _FAINT, _FAINT_EDGE).detectAndCompute(grey, None)
    if not len(found):
        empty = np.empty(0, np.float32)
        return Keypoints(np.empty((0, 2), np.float32), empty, empty, np.empty((0, DESCRIPTOR), np.float32))
    facts = np.array([(*p.pt, p.size, np.deg2rad(p.angle), p.response) for p in found], dtype=np.float32)
    order = np.lexsort((facts[:, 3], facts[:, 2], facts[:, 1], facts[:, 0], -facts[:, 4]))[:most]
    facts = facts[order]
    return Keypoints(facts[:, :2], facts[:, 2], facts[:, 3], _rooted(descriptors[order]))


def mirrored(points: Keypoints, width: int) -> Keypoints:
    """Return the keypoints of the horizontally mirrored image; `width` is the width of the image in pixels."""
    place = points.place * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    angle = np.mod(np.float32(np.pi) - points.angle, np.float32(2 * np.pi))
    return Keypoints(place, points.size, angle, points.descriptors[:, MIRROR])


def _mirror() -> NDArray[np.int64]:
    """Return the permutation that mirrors a descriptor: rows and orientation bins are reversed."""
    at = np.arange(DESCRIPTOR).reshape(_SIDE, _SIDE, _BINS)
    return np.asarray(at[::-1][..., -np.arange(_BINS) % _BINS]).reshape(-1)


MIRROR = _mirror()


def _rooted(descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    """L1-normalise and take square roots, so that the dot product of two descriptors is their Hellinger kernel."""
    rooted: NDArray[np.float32] = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    return rooted


@cache
def _detector(most: int, contrast: float, edge: float) -> Any:
    return opencv().SIFT_create(
        nfeatures=most, contrastThreshold=contrast, edgeThreshold=edge, enable_precise_upscale=True
    )
