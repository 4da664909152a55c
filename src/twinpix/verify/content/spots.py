"""One small place that differs: another digit of a time stamp, which no block of a small view shows."""

import numpy as np

from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D

# Measured on 80 photos: at these numbers JPEG 12 to 88, WebP 5 and 40, twice the sharpness and a fifth more light make
# no spot; JPEG 5 and a half-size copy enlarged again make one in 3 % and 9 %. A digit of 10 pixels that is another one
# makes one in 50 % to 80 %.
_LEVELS = 24  # grey levels, at least
_TIMES, _OF_ALL = 3.0, 99  # times what this percentage of all pixels differs by at most
_OF_RANGE, _FAINT = 0.3, 8  # of the levels around a pixel; levels added to these
_AROUND = 9  # pixels a side
_AREA = 4  # pixels that touch
_EVERY, _ROWS = 37, 3  # pixels of which one tells of the light, and rows and columns of which one tells of the noise

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of an image."""


def spot(a: Bytes2D, b: Bytes2D) -> Box | None:
    """Left, top, right and bottom, as shares, of where two images of one size differ as no encoder makes them.

    None where they do not, or where they do all over.
    """
    cv2 = opencv()
    light = _light(a, b)
    apart = cv2.absdiff(light, b)
    strong = apart > max(_LEVELS, _TIMES * float(np.percentile(apart[::_ROWS, ::_ROWS], _OF_ALL)))
    if not strong.any():
        return None
    around = np.ones((_AROUND, _AROUND), np.uint8)
    ranges = [cv2.subtract(cv2.dilate(each, around), cv2.erode(each, around)) for each in (light, b)]
    strong &= apart > _OF_RANGE * (np.maximum(*ranges).astype(np.float32) + _FAINT)
    count, _, facts, _ = cv2.connectedComponentsWithStats(strong.astype(np.uint8), connectivity=8)
    large = facts[1:count][facts[1:count, cv2.CC_STAT_AREA] >= _AREA]
    if not len(large):
        return None
    left, top, width, height = large[:, :4].T
    shape = b.shape[1], b.shape[0]
    ends = left.min() / shape[0], top.min() / shape[1], (left + width).max() / shape[0], (top + height).max() / shape[1]
    return float(ends[0]), float(ends[1]), float(ends[2]), float(ends[3])


def _light(a: Bytes2D, b: Bytes2D) -> Bytes2D:
    """The first image with the light and contrast of the second, as most of their pixels tell."""
    x, y = (each.ravel()[::_EVERY].astype(np.float64) for each in (a, b))
    kept, gain, bias = np.ones(len(x), dtype=bool), 1.0, 0.0
    for _ in range(2):
        if x[kept].std() < 1:
            return a
        gain, bias = np.polyfit(x[kept], y[kept], 1)
        off = np.abs(gain * x + bias - y)
        kept = off <= 3 * np.median(off) + 2
    return np.asarray(np.clip(gain * np.arange(256) + bias, 0, 255).round(), dtype=np.uint8)[a]
