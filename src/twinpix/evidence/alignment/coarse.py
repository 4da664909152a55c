"""Compare two small images after an affine alignment: a cheap test before verification.

Alignment: G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient
maximization", IEEE PAMI 30 (10), 2008, by OpenCV's `findTransformECC`, with an affine transform.
"""

import numpy as np

from twinpix.evidence.masks import erode
from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D
from twinpix.thresholds import COARSE

_SIDE = 64  # pixels of either side: alignment takes 1.2 ms a pair
_BLOCKS = 16  # along either side
_ITERATIONS, _TOLERANCE, _BLUR = 30, 1e-3, 5  # of ECC: at most, least gain of the correlation, pixels of its filter


def differing_places(a: Bytes2D, b: Bytes2D) -> float:
    """Return the share of the overlap, in 16×16 blocks, in which two aligned square images differ.

    Gain and bias are compensated. The result is 0 for equal images, and 1 for images that cannot be aligned. For copies
    that were cropped, padded, captioned or rotated by a few degrees, the median is 0.04 and two thirds are below 0.1.
    For 49 pairs of different images with near hashes, the least is 0.17.
    """
    cv2 = opencv()
    first, second = (cv2.resize(each, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for each in (a, b))
    a_to_b = np.eye(2, 3, dtype=np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _TOLERANCE)
    try:
        _, a_to_b = cv2.findTransformECC(second, first, a_to_b, cv2.MOTION_AFFINE, until, None, _BLUR)
    except cv2.error:  # no texture, or no convergence
        return 1.0
    size, back = (_SIDE, _SIDE), cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(first.astype(np.float32), a_to_b, size, flags=cv2.INTER_LINEAR | back)
    shown = cv2.warpAffine(np.ones((_SIDE, _SIDE), np.uint8), a_to_b, size, flags=cv2.INTER_NEAREST | back)
    known = erode(shown, 3, beyond=False)
    if known.mean() < COARSE.min_overlap or moved[known].std() < COARSE.min_texture:
        return 1.0
    x, y = moved[known], second[known].astype(np.float32)
    gain, bias = np.polyfit(x, y, 1)
    difference = np.zeros((_SIDE, _SIDE), np.float32)
    difference[known] = np.abs(gain * x + bias - y)
    side = _SIDE // _BLOCKS
    places, covered = (
        each.reshape(_BLOCKS, side, _BLOCKS, side).mean(axis=(1, 3)) for each in (difference, known.astype(np.float32))
    )
    least = COARSE.edit_features * max(float(y.std()), COARSE.min_deviation)
    return float((places[covered > COARSE.min_coverage] > least).mean())
