"""SIFT keypoints with RootSIFT descriptors, which are invariant to crops, rotation, scale and moderate recolouring.

The compiled loops are in `scale_space` and `descriptor`, which name the sources.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinpix.model import Bytes2D

DESCRIPTOR = 128
LEAST_SIDE = 192  # pixels: a smaller image is enlarged before detection, since its keypoints would be few
_MOST_ENLARGED = 4.0  # times: beyond, there is nothing but the interpolation to detect
_TINY = 32  # pixels of the longer side: the keypoints of fewer prove nothing
_CONTRAST = 1.0  # grey levels: low, since the strongest are kept anyway, but above the steps of 8 bits
_EDGE = 10.0  # ratio of principal curvatures: a point on an edge has no stable position along it
_FEW = 24  # with fewer keypoints, detection is repeated with the thresholds below, for example for gradients
_FAINT, _FAINT_EDGE = 0.04, 20.0
_EXTREMA = 0.5  # a pixel, at most: noise has 0.3
_SIDE, _BINS = 4, 8  # a descriptor is 4 rows × 4 columns × 8 orientation bins, relative to the keypoint's orientation


class Keypoints(NamedTuple):
    """Keypoints, the strongest first."""

    place: NDArray[np.float32]  # (n, 2): x and y in pixels; the centre of the first pixel is 0, 0
    size: NDArray[np.float32]  # (n,): diameter in pixels
    angle: NDArray[np.float32]  # (n,): radians, from the x axis to the y axis
    descriptors: NDArray[np.float32]  # (n, 128): unit vectors


def detect_keypoints(grey: Bytes2D, most: int) -> Keypoints:
    """Return the `most` strongest keypoints of a grey image `(rows, columns)`; there may be fewer, or none.

    An image of less than 32 pixels along its longer side has none.
    """
    if max(grey.shape) < _TINY or min(grey.shape) < 3:
        return _none()
    grey = np.ascontiguousarray(grey)
    found = _detect(grey, most, _CONTRAST, _EDGE)
    if len(found.size) >= min(_FEW, most):
        return found
    # The soft blobs of a gradient have no sharp position: they are searched among twice as many pixels a side.
    large = _resize(grey, 2 * grey.shape[1], 2 * grey.shape[0])
    return _scale_down(_detect(large, most, _FAINT, _FAINT_EDGE), np.array([2, 2], np.float32))


def enlarge(grey: Bytes2D) -> Bytes2D:
    """Return a small image enlarged to `LEAST_SIDE` along its longer side, at most four times; others as they are."""
    height, width = grey.shape
    factor = min(LEAST_SIDE / max(height, width), _MOST_ENLARGED)
    if factor <= 1:
        return grey
    return _resize(grey, max(1, round(width * factor)), max(1, round(height * factor)))


def detect_in_small(grey: Bytes2D, most: int) -> Keypoints:
    """Return the strongest keypoints of an image that may be small, detected in the enlarged image, in its pixels."""
    large = enlarge(grey) if max(grey.shape) >= _TINY else grey
    found = detect_keypoints(large, most)
    if large is grey:
        return found
    return _scale_down(found, np.array([large.shape[1] / grey.shape[1], large.shape[0] / grey.shape[0]], np.float32))


def is_compiled() -> bool:
    """True if the loops of the detection need not be compiled."""
    from twinpix.localfeatures.descriptor import describe
    from twinpix.localfeatures.scale_space import find_extrema
    from twinpix.search.kernels import jit

    return jit.is_compiled(find_extrema) and jit.is_compiled(describe)


def load() -> None:
    """Load the compiled loops, so that worker processes that are forked later need not."""
    detect_keypoints(np.zeros((32, 32), np.uint8), 1)


def mirror_keypoints(points: Keypoints, width: int) -> Keypoints:
    """Return the keypoints of the horizontally mirrored image; `width` is the width of the image in pixels."""
    place = points.place * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    angle = np.mod(np.float32(np.pi) - points.angle, np.float32(2 * np.pi))
    return Keypoints(place, points.size, angle, points.descriptors[:, MIRROR])


def _mirror() -> NDArray[np.int64]:
    """Return the permutation that mirrors a descriptor: rows and orientation bins are reversed."""
    at = np.arange(DESCRIPTOR).reshape(_SIDE, _SIDE, _BINS)
    return np.asarray(at[::-1][..., -np.arange(_BINS) % _BINS]).reshape(-1)


MIRROR = _mirror()


def _detect(grey: Bytes2D, most: int, contrast: float, edge: float) -> Keypoints:
    from twinpix.localfeatures.descriptor import describe
    from twinpix.localfeatures.scale_space import RESPONSE, find_extrema, octaves

    grey = grey.view()
    grey.flags.writeable = False  # always: otherwise the loops are compiled twice
    sizes = octaves(*grey.shape)
    space = np.empty(sizes[-1, 2], np.float32)
    found = np.empty((math.ceil(_EXTREMA * grey.size), 6), np.float32)
    count = find_extrema(grey, sizes, np.float32(contrast), np.float32(edge), space, found)
    order = np.argsort(-found[:count, RESPONSE], kind="stable")
    out = _none(most)
    count = describe(space, sizes, found, order, *out)
    return Keypoints(*(part[:count] for part in out))


def _resize(grey: Bytes2D, width: int, height: int) -> Bytes2D:
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))


def _scale_down(points: Keypoints, factor: NDArray[np.float32]) -> Keypoints:
    """Return keypoints of an enlarged image in pixels of the image; `factor` `(2,)` is that of width and height."""
    half = np.float32(0.5)
    return points._replace(place=(points.place + half) / factor - half, size=points.size / factor.max())


def _none(count: int = 0) -> Keypoints:
    one = np.float32
    return Keypoints(
        np.empty((count, 2), one), np.empty(count, one), np.empty(count, one), np.empty((count, DESCRIPTOR), one)
    )
