"""Photometric alignment: fit the tone curve, and the vignette, between two aligned images."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.blocks import Agreement, correlate
from twinpix.evidence.alignment.warp import WarpedPair
from twinpix.evidence.masks import Floats, Mask, pixels_of, sample_pixels
from twinpix.evidence.quadratic import monomials_at
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import PHOTOMETRIC

_CURVE_PIXELS = 4000  # pixels from which a tone curve is fitted
_KNOTS = 24  # of the tone curve
_ITERATIONS = 3  # of the robust fit of a vignette
_OUTLIER, _SLACK = 3, 1  # of a robust fit: medians of the residual that are kept, and grey levels beyond them
_RIDGE = 1.0  # squared grey levels, beside sums over thousands of pixels: the system is never singular
_GREY_LEVELS = 256.0


class ToneMatch(NamedTuple):
    """A pair after photometric alignment."""

    a: Floats
    b: Floats
    tone_change: float  # mean difference of levels that the tone curve removes
    removes_vignette: bool = False  # a vignette of one image was applied to the other


def match_light(pair: WarpedPair, agrees: Agreement) -> ToneMatch:
    """Align tones, fitted to the blocks that agree."""
    return match_tones(pair, pair.inner & pixels_of(agrees.fits == 1, pair.common.shape))


def untextured_correlation(pair: WarpedPair, tones: ToneMatch, agrees: Agreement) -> float:
    """Correlate the mean levels of blocks without texture; 1 if these are few or of one level.

    With the same words on two different skies, all textured blocks agree.
    """
    cv2 = opencv()
    whole = pair.inner.astype(np.float32)
    size = agrees.fits.shape[::-1]
    a, b, covered = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (tones.a, tones.b, whole))
    covered = covered > PHOTOMETRIC.flat_coverage
    plain = covered & (agrees.fits < 0)
    if plain.sum() <= PHOTOMETRIC.flat_share * covered.sum():
        return 1.0
    return correlate(a[plain], b[plain], PHOTOMETRIC.flat_deviation)


def match_tones(pair: WarpedPair, inner: Mask) -> ToneMatch:
    """Apply the tone curve from `a` to `b`, and a vignette of one of them to the other, if there is one.

    `inner` masks the pixels to fit to: those of blocks that agree.
    """
    cv2 = opencv()
    a, b = (cv2.GaussianBlur(grey, (0, 0), 1.0) for grey in (pair.a, pair.b))
    at = sample_pixels(inner, _CURVE_PIXELS)
    if len(at) < PHOTOMETRIC.min_samples:
        return ToneMatch(pair.a, pair.b, 0.0)
    x, y = a.ravel()[at], b.ravel()[at]
    levels, tone_change = _fit_curve(x, y)
    best, left = ToneMatch(_apply_curve(pair.a, levels), pair.b, tone_change), _residual(x, y, levels)
    if left < PHOTOMETRIC.min_vignette or not _is_all_over(at, pair.common):
        return best
    monomials = monomials_at(at, inner.shape).astype(np.float32)
    for first, second, of_a in ((x, y, True), (y, x, False)):
        coefficients = _fit_vignette(monomials, first, second)
        corrected = first * (monomials @ coefficients)
        x2, y2 = (corrected, y) if of_a else (x, corrected)
        curve, _ = _fit_curve(x2, y2)
        now = _residual(x2, y2, curve)
        if now < PHOTOMETRIC.vignette_gain * left and left - now > PHOTOMETRIC.min_vignette:
            gain = _gain_field(coefficients, inner.shape)
            both = (pair.a * gain, pair.b) if of_a else (pair.a, pair.b * gain)
            best, left = ToneMatch(_apply_curve(both[0], curve), both[1], tone_change, True), now
    return best


def fit_gain(
    x: NDArray[np.float64], y: NDArray[np.float64], iterations: int, slack: float, least: float = 0.0
) -> tuple[float, float] | None:
    """Fit gain and bias of levels `x` to levels `y`, both `(n,)`, robustly; None if `x` deviates by less than `least`.

    Each iteration leaves out residuals beyond 3 medians and `slack` grey levels.
    """
    kept, gain, bias = np.ones(len(x), dtype=bool), 1.0, 0.0
    for _ in range(iterations):
        if x[kept].std() < least:
            return None
        gain, bias = fit_line(x[kept], y[kept])
        off = np.abs(gain * x + bias - y)
        kept = off <= _OUTLIER * np.median(off) + slack
    return gain, bias


def fit_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Fit `y` by a gain times `x` and a bias, by least squares; the gain is 0 where `x` does not vary."""
    across = x - x.mean()
    gain = float(across @ y) / (float(across @ across) or 1.0)
    return gain, float(y.mean() - gain * x.mean())


# -- tone curve ------------------------------------------------------------------------------------------


def _fit_curve(x: Floats, y: Floats) -> tuple[NDArray[np.float64], float]:
    """Fit a monotone curve from levels `x` to levels `y`: 256 values, and the mean change of a level."""
    some = np.argsort(x, kind="stable")
    cuts = some[: len(some) // _KNOTS * _KNOTS].reshape(_KNOTS, -1)  # knots with equally many pixels
    at, to = (np.median(values[cuts], axis=1).astype(np.float64) for values in (x, y))
    to = (np.maximum.accumulate(to) + np.minimum.accumulate(to[::-1])[::-1]) / 2  # monotone
    tone_change = float(np.abs(to - at).mean())
    at, keep = np.unique(at, return_index=True)
    to = to[keep]
    # Beyond the outermost knots the curve is extrapolated with its mean slope.
    slope = (to[-1] - to[0]) / max(at[-1] - at[0], 1.0)
    levels = np.arange(_GREY_LEVELS)
    curve = np.interp(levels, at, to) + slope * (np.minimum(levels - at[0], 0) + np.maximum(levels - at[-1], 0))
    return np.clip(curve, 0, 255), tone_change


def _apply_curve(values: Floats, curve: NDArray[np.float64]) -> Floats:
    cv2 = opencv()
    out: Floats = cv2.LUT(np.clip(values + 0.5, 0, 255).astype(np.uint8), curve.astype(np.float32))
    return out


def _residual(x: Floats, y: Floats, curve: NDArray[np.float64]) -> float:
    """Return the mean absolute residual of a curve, in grey levels."""
    return float(np.abs(curve[np.clip(x + 0.5, 0, 255).astype(np.uint8)] - y).mean())


# -- vignette: darker towards an edge or a corner, as of a lens or a lamp ----------------------------------


def _is_all_over(at: NDArray[np.int64], common: Mask) -> bool:
    """True if the samples span the overlap, so that a polynomial is not extrapolated."""
    for part, axis in zip(np.divmod(at, common.shape[1]), (1, 0), strict=True):
        shown = np.flatnonzero(common.any(axis=axis))
        low, high = np.quantile(part, (PHOTOMETRIC.extent_quantile, 1 - PHOTOMETRIC.extent_quantile))
        if high - low < PHOTOMETRIC.vignette_extent * (shown[-1] - shown[0]):
            return False
    return True


def _fit_vignette(monomials: Floats, x: Floats, y: Floats) -> Floats:
    """Fit the gain of `x` to `y` as a quadratic polynomial of the position, robustly: 6 coefficients."""
    terms = (monomials * x[:, None]).astype(np.float64)
    kept = np.ones(len(x))
    for _ in range(_ITERATIONS):
        weighted = (terms * kept[:, None]).T
        coefficients = np.linalg.solve(weighted @ terms + _RIDGE * np.eye(len(weighted)), weighted @ y)
        off = np.abs(terms @ coefficients - y)
        kept = off <= _OUTLIER * np.median(off) + _SLACK
    return np.asarray(coefficients, dtype=np.float32)


def _gain_field(coefficients: Floats, shape: tuple[int, ...]) -> Floats:
    u, v = (np.linspace(-1, 1, length, dtype=np.float32) for length in (shape[1], shape[0]))
    of_row, of_both = (
        coefficients[0] + u * (coefficients[1] + u * coefficients[3]),
        coefficients[2] + u * coefficients[4],
    )
    v = v[:, None]
    return np.asarray(np.clip(of_row + v * (of_both + v * coefficients[5]), 0, PHOTOMETRIC.max_gain), dtype=np.float32)
