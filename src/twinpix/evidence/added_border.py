"""Tell an added border from a part of the image: is what lies outside the overlap of a pair plain?"""

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, inverse
from twinpix.evidence.masks import dilate, window_mean
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import DESCRIBE

_BORDER_WINDOW = 31  # pixels a side of the window in which the level of a border is measured
_EPSILON = 1e-6  # divisor above 0


def is_added_border(a: Pyramid, b: Pyramid, a_to_b: Affine) -> bool:
    """True if the part of `a` outside the overlap is plain: a border, a band, a window's background."""
    cv2 = opencv()
    shown = cv2.warpAffine(
        np.ones(b.grey.shape, np.uint8), inverse(a_to_b), a.size, flags=cv2.INTER_NEAREST, borderValue=0
    )
    alone = ~dilate(shown, 3)
    if not alone.any():
        return False
    if _plain_share(a.grey[alone]) < DESCRIBE.border_flat:
        return False
    # If the levels outside continue right inside the overlap, the plain part belongs to the image.
    inside = dilate(alone, 15) & ~dilate(alone, 7) & (shown == 1)
    beyond = alone.astype(np.float32)
    sums, weight = (window_mean(values, _BORDER_WINDOW) for values in (a.grey * beyond, beyond))
    goes_on = np.abs(a.grey[inside] - sums[inside] / np.maximum(weight[inside], _EPSILON)) <= DESCRIBE.border_step
    return not inside.any() or float(goes_on.mean()) < DESCRIBE.border_continues


def _plain_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of pixels with one of the three most frequent levels."""
    counts = np.bincount(pixels, minlength=256)
    wide = np.convolve(counts, np.ones(2 * DESCRIBE.border_level + 1, np.int64), "same")
    found = 0
    for _ in range(3):
        best = int(wide.argmax())
        found += int(wide[best])
        wide[max(0, best - 2 * DESCRIBE.border_level) : best + 2 * DESCRIBE.border_level + 1] = 0
    return found / len(pixels)
