"""Light and dark turned over: of negatives and solarized pictures no block is lighter where it was."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.content.blocks import Floats, Laid, inside
from twinpix.verify.pyramid import View

_RANGES = 32  # of levels, of which each tells one of the curve
_SOME = 16  # pixels: with fewer a range tells nothing
_MANY, _VARIED = 0.005, 8  # of the pixels; ranges with as many: of a few colours of drawings any may stand for any
_EXPLAINED = 0.8  # of how the one picture varies, by the levels of the other: where they lie rightly on each other
_FALLS, _DEEP = 0.2, 32  # of all that a curve rises and falls; and levels: with less lighter places stay lighter


class _Curve(NamedTuple):
    """The levels of one picture that those of another say."""

    levels: NDArray[np.float64]  # (256,)
    explained: float  # of how the one varies
    falls: bool


def relit(a: View, b: View, pair: Laid, least: float = _EXPLAINED) -> tuple[View, View] | None:
    """Both pictures, one with the levels of the other; None where those are no turned over ones of the same place.

    A curve of any shape is laid on the levels of one of them, if it says so much of how the other varies where they
    lie on each other. Source: A. Roche and others, "The correlation ratio as a new similarity measure for multimodal
    image registration", MICCAI 1998, https://doi.org/10.1007/BFb0056301
    """
    cv2 = opencv()
    inner = inside(pair.common)
    if not inner.any():
        return None
    x, y = (cv2.GaussianBlur(grey, (0, 0), 1.0)[inner] for grey in (pair.a, pair.b))
    of_a, of_b = _curve(x, y), _curve(y, x)
    best = max(of_a, of_b, key=lambda curve: curve.explained)
    if best.explained < least or not best.falls:
        return None
    return (_through(a, best), b) if best is of_a else (a, _through(b, best))


def _curve(x: Floats, y: Floats) -> _Curve:
    """What levels `x` say of levels `y`, `(n,)`."""
    width = 256 // _RANGES
    ranges = np.clip(x, 0, 255).astype(np.int64) // width
    counts = np.bincount(ranges, minlength=_RANGES)
    sums = np.bincount(ranges, weights=y, minlength=_RANGES)
    told, many = counts >= _SOME, counts >= max(_SOME, _MANY * len(x))
    if many.sum() < _VARIED:
        return _Curve(np.arange(256.0), 0.0, falls=False)
    means = sums / np.maximum(counts, 1)
    levels = np.interp(np.arange(256), (np.flatnonzero(told) + 0.5) * width - 0.5, means[told])
    left = y - np.interp(x, np.arange(256), levels)
    steps = np.diff(means[many])
    fall, all_steps = -float(steps[steps < 0].sum()), float(np.abs(steps).sum())
    explained = 1 - float(left.var()) / max(float(y.var()), 1e-6)
    return _Curve(levels, explained, fall >= max(_DEEP, _FALLS * all_steps))


def _through(view: View, curve: _Curve) -> View:
    cv2 = opencv()
    levels = np.rint(curve.levels).clip(0, 255).astype(np.uint8)
    return replace(view, grey=cv2.LUT(view.grey, levels), fine=cv2.LUT(view.fine, levels))
