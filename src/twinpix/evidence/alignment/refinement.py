"""Refine a transform to a fraction of a pixel, and check that it is exact."""

import numpy as np

from twinpix.evidence.alignment.affine import Affine
from twinpix.evidence.alignment.blocks import BLOCK
from twinpix.evidence.alignment.warp import WarpedPair, warp_pair
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import ALIGNMENT

_SCALE = 0.5  # at which transforms are refined
_ITERATIONS, _TOLERANCE = 25, 1e-3  # of ECC: at most, and the least gain of the correlation


def is_exact(pair: WarpedPair) -> bool:
    """True if no quarter of the overlap is shifted, by phase correlation."""
    cv2 = opencv()
    height, width = (length // 2 for length in pair.a.shape)
    if min(height, width) < BLOCK:
        return False
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    for y in (0, pair.a.shape[0] - height):
        for x in (0, pair.a.shape[1] - width):
            parts = (grey[y : y + height, x : x + width].copy() for grey in (pair.a, pair.b))
            (right, down), strength = cv2.phaseCorrelate(*parts, window)
            if strength > ALIGNMENT.shift_response and max(abs(right), abs(down)) > ALIGNMENT.max_shift:
                return False
    return True


def refine(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Affine | None:
    """Refine a transform by ECC; None if it does not converge.

    Source: G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient
    maximization", PAMI 2008, https://doi.org/10.1109/TPAMI.2008.113
    """
    cv2 = opencv()
    pair = warp_pair(a, b, a_to_b)
    warp = np.eye(2, 3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _TOLERANCE)
    size = tuple(max(1, round(length * _SCALE)) for length in pair.a.shape[::-1])
    small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (pair.a, pair.b)]
    common = cv2.resize(pair.common.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    try:
        cv2.findTransformECC(*small, warp, cv2.MOTION_AFFINE, steps, common, 5)
    except cv2.error:  # no convergence
        return None
    shares = [length / whole for length, whole in zip(size, pair.a.shape[::-1], strict=True)]
    to_small = np.diag([*shares, 1.0])
    to_small[:2, 2] = [(share - 1) / 2 for share in shares]
    # `warp` leads from pixels of the overlap to the pixels of b that they show.
    fine = np.linalg.inv(to_small) @ np.vstack([warp.astype(np.float64), [0, 0, 1]]) @ to_small
    first = np.vstack([pair.a_to_b, [0, 0, 1]])  # from a to the overlap
    second = np.vstack([a_to_b, [0, 0, 1]]) @ np.linalg.inv(first)  # from the overlap to b
    return np.asarray((second @ fine @ first)[:2])
