"""Undo a tone inversion: negatives, solarised images."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.warp import WarpedPair
from twinpix.evidence.masks import Floats, sample_pixels
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import TONE_INVERSION

_CURVE_PIXELS = 8000  # pixels to which a curve is fitted
_RANGES = 32  # ranges of grey levels, with one mean each
_GREY_LEVELS, _EPSILON = 256.0, 1e-6  # of 8 bits; divisor above 0


class _Curve(NamedTuple):
    """A tone curve that was fitted to a pair."""

    levels: NDArray[np.float64]  # (256,)
    explained: float  # share of the variance (the correlation ratio)
    falls: bool


def undo_inversion(
    a: Pyramid, b: Pyramid, pair: WarpedPair, least: float | None = None
) -> tuple[Pyramid, Pyramid] | None:
    """Map one image's grey levels onto the other's with a fitted curve of any shape.

    None if the curve explains less than `least` of the variance (default: `TONE_INVERSION.min_explained`) or never
    decreases. Source: A. Roche and others, "The correlation ratio as a new similarity measure for multimodal
    image registration", MICCAI 1998, https://doi.org/10.1007/BFb0056301
    """
    cv2 = opencv()
    least = TONE_INVERSION.min_explained if least is None else least
    inner = pair.inner
    if not inner.any():
        return None
    at = sample_pixels(inner, _CURVE_PIXELS)
    x, y = (cv2.GaussianBlur(grey, (0, 0), 1.0).ravel()[at] for grey in (pair.a, pair.b))
    of_a, of_b = _fit_curve(x, y), _fit_curve(y, x)
    best = max(of_a, of_b, key=lambda curve: curve.explained)
    if best.explained < least or not best.falls:
        return None
    return (_apply_curve(a, best), b) if best is of_a else (a, _apply_curve(b, best))


def _fit_curve(x: Floats, y: Floats) -> _Curve:
    """Fit levels `y` by the means over ranges of levels `x`, both `(n,)`."""
    width = 256 // _RANGES
    ranges = np.clip(x, 0, 255).astype(np.int64) // width
    counts = np.bincount(ranges, minlength=_RANGES)
    sums = np.bincount(ranges, weights=y, minlength=_RANGES)
    usable, many = (
        counts >= TONE_INVERSION.min_range_pixels,
        counts >= max(TONE_INVERSION.min_range_pixels, TONE_INVERSION.range_share * len(x)),
    )
    if many.sum() < TONE_INVERSION.min_ranges:
        return _Curve(np.arange(_GREY_LEVELS), 0.0, falls=False)
    means = sums / np.maximum(counts, 1)
    levels = np.interp(np.arange(256), (np.flatnonzero(usable) + 0.5) * width - 0.5, means[usable])
    left = y - np.interp(x, np.arange(256), levels)
    steps = np.diff(means[many])
    fall, all_steps = -float(steps[steps < 0].sum()), float(np.abs(steps).sum())
    explained = 1 - float(left.var()) / max(float(y.var()), _EPSILON)
    return _Curve(levels, explained, fall >= max(TONE_INVERSION.fall_levels, TONE_INVERSION.fall_share * all_steps))


def _apply_curve(view: Pyramid, curve: _Curve) -> Pyramid:
    cv2 = opencv()
    levels = np.rint(curve.levels).clip(0, 255).astype(np.uint8)
    return replace(view, grey=cv2.LUT(view.grey, levels), fine=cv2.LUT(view.fine, levels))
