"""How light and dark of one picture became those of another."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.agreement import Floats, Laid

_SAMPLE = 6000  # pixels that tell how light and dark were changed
_CUTS = 24  # levels at which they tell it


def toned(pair: Laid, inner: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Picture `a` with the light and dark of picture `b`, and how far the two were apart, in levels on average.

    `inner` marks the pixels that tell it: those of places on which the two agree.
    """
    cv2 = opencv()
    a, b = (cv2.GaussianBlur(grey, (0, 0), 1.0) for grey in (pair.a, pair.b))
    x, y = a[inner], b[inner]
    if len(x) < 10 * _CUTS:
        return pair.a, 0.0
    some = np.arange(0, len(x), max(1, len(x) // _SAMPLE))
    some = some[np.argsort(x[some], kind="stable")]
    cuts = some[: len(some) // _CUTS * _CUTS].reshape(_CUTS, -1)  # as many pixels of each range of levels
    at, to = np.median(x[cuts], axis=1), np.median(y[cuts], axis=1)
    to = (np.maximum.accumulate(to) + np.minimum.accumulate(to[::-1])[::-1]) / 2  # lighter places stay lighter
    tone = float(np.abs(to - at).mean())
    at, keep = np.unique(at, return_index=True)
    to = to[keep]
    # Beyond the darkest and the lightest the curve goes on as steeply as between them.
    slope = (to[-1] - to[0]) / max(at[-1] - at[0], 1.0)
    levels = np.arange(256.0)
    curve = np.interp(levels, at, to) + slope * (np.minimum(levels - at[0], 0) + np.maximum(levels - at[-1], 0))
    mapped = cv2.LUT(np.clip(pair.a + 0.5, 0, 255).astype(np.uint8), np.clip(curve, 0, 255).astype(np.float32))
    return mapped, tone
