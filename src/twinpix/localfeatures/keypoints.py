"""Points of a picture that are found again when it is cropped, turned, shrunk or recoloured, and what surrounds each.

Source: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004,
https://doi.org/10.1023/B:VISI.0000029664.99615.94; descriptors by their square roots: R. Arandjelović, A. Zisserman,
"Three things everyone should know to improve object retrieval", CVPR 2012.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D

DESCRIPTOR = 128
_CONTRAST = 0.012  # of a point: low, since the strongest are kept anyway and soft pictures have no others
_EDGE = 10  # times as steep across it as along it: more is an edge, on which a point may lie anywhere
_FEW = 24  # points: with fewer, those that hardly stand out are looked for, as in gradients
_FAINT, _FAINT_EDGE = 0.0005, 20
_SIDE, _BINS = 4, 8  # a descriptor is 4 rows × 4 columns × 8 directions, rows along its own direction


class Keypoints(NamedTuple):
    """Points, the strongest first."""

    place: NDArray[np.float32]  # (n, 2): x and y in pixels; the middle of the first pixel is 0, 0
    size: NDArray[np.float32]  # (n,): diameter in pixels
    angle: NDArray[np.float32]  # (n,): radians, from the x axis to the y axis
    descriptors: NDArray[np.float32]  # (n, 128): what surrounds each, of length 1


def detect_keypoints(grey: Bytes2D, most: int) -> Keypoints:
    """The `most` strongest points of a grey picture `(rows, columns)`; there may be fewer, or none."""
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
    """The points of the mirrored picture (left is right), of which the picture as it is was `width` pixels wide."""
    place = points.place * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    angle = np.mod(np.float32(np.pi) - points.angle, np.float32(2 * np.pi))
    return Keypoints(place, points.size, angle, points.descriptors[:, MIRROR])


def _mirror() -> NDArray[np.int64]:
    """Where each number of a descriptor comes from in that of the mirrored picture: rows and directions run back."""
    at = np.arange(DESCRIPTOR).reshape(_SIDE, _SIDE, _BINS)
    return np.asarray(at[::-1][..., -np.arange(_BINS) % _BINS]).reshape(-1)


MIRROR = _mirror()


def _rooted(descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square roots of the shares, so that a product of two descriptors is their Hellinger kernel."""
    rooted: NDArray[np.float32] = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    return rooted


@cache
def _detector(most: int, contrast: float, edge: float) -> Any:
    return opencv().SIFT_create(
        nfeatures=most, contrastThreshold=contrast, edgeThreshold=edge, enable_precise_upscale=True
    )
