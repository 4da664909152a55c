"""Overlays that hide a part of an image: stickers, bands, logos, drawn lines."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.warp import WarpedPair
from twinpix.evidence.light.normalize import local_mean
from twinpix.evidence.light.photometric import fit_line
from twinpix.evidence.masks import Floats, Mask, dilate, part_of, sample_pixels, window, window_mean
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import OVERLAYS

_AROUND = 5  # pixels a side of the window around a pixel
_INK_PIXELS = 4000  # pixels from which the colour of ink is fitted
_EDGE, _FILL = 3, 3.0  # pixels: width of the edges of ink, and sigma of the Gaussian that fills the image below it
_ITERATIONS, _OUTLIER = 4, 1.5  # of the robust fit of ink: iterations, and medians of the residual that are kept


class WithoutOverlay(NamedTuple):
    """A pair without the overlays on one of the images."""

    pair: WarpedPair
    covered: float  # share of the overlap


def without_overlay(pair: WarpedPair) -> WithoutOverlay | None:
    """Mask solid overlays on a plain background of one image; None if there are none.

    Around them every pixel must be the same, with as much texture as below them.
    """
    inner = pair.inner
    over = overlay_mask_on_background(pair, inner)
    if not over.any() or not any(_is_background(grey, over, inner & ~over) for grey in (pair.a, pair.b)):
        return None
    differs = np.abs(pair.a - pair.b) > OVERLAYS.edit_features
    return WithoutOverlay(replace(pair, common=pair.common & ~over), part_of(differs & over, inner))


def without_ink(pair: WarpedPair) -> WithoutOverlay | None:
    """Fill lines or letters of one (semi-transparent) colour on one image from around them; None if there are none.

    Every pixel that differs must lie between the bare image and full ink. Of two drawings in one colour, either has
    lines that the other lacks, so neither is the other with ink on it.
    """
    inner = pair.inner
    difference = np.abs(pair.a - pair.b) * inner
    unlike, drawn = difference > OVERLAYS.edit_features, difference > OVERLAYS.ink_difference
    covered = part_of(unlike, inner)
    if not drawn.any() or covered > OVERLAYS.max_ink_area:
        return None
    at = sample_pixels(drawn, _INK_PIXELS)
    a, b = pair.a.ravel()[at], pair.b.ravel()[at]
    if not (_is_ink(a, b) or _is_ink(b, a)):
        return None
    ink = dilate(unlike, _EDGE)
    a, b = (np.where(ink, local_mean(grey, ~ink, _FILL), grey) for grey in (pair.a, pair.b))
    return WithoutOverlay(replace(pair, a=a, b=b), covered)


def _is_ink(under: NDArray[np.floating], over: NDArray[np.floating]) -> bool:
    """True if levels `over` are an alpha blend of levels `under` with one colour."""
    under, over = under.astype(np.float64), over.astype(np.float64)
    far = np.abs(over - under)
    kept = far >= np.median(far)  # others are edges of the lines
    through, colour = 0.0, 0.0
    for _ in range(_ITERATIONS):
        through, colour = fit_line(under[kept], over[kept])
        off = np.abs(through * under + colour - over)
        kept = off <= max(OVERLAYS.ink_fit, _OUTLIER * float(np.median(off[kept])))
    made = min(max(through, 0.0), 1.0) * under + colour
    low, high = np.minimum(made, under) - OVERLAYS.ink_tolerance, np.maximum(made, under) + OVERLAYS.ink_tolerance
    return (
        OVERLAYS.min_transparency < through < OVERLAYS.max_transparency
        and float(((over < low) | (over > high)).mean()) <= OVERLAYS.max_ink_outliers
    )


def overlay_mask_on_background(pair: WarpedPair, inner: Mask, most: int | None = None) -> Mask:
    """`overlay_mask` with the strict tolerances of mostly plain images."""
    return overlay_mask(pair.a, pair.b, inner, OVERLAYS.mean_difference_flat, OVERLAYS.max_unlike_flat, most)


def _is_background(grey: Floats, over: Mask, beside: Mask) -> bool:
    """True if a part of an image has hardly more texture than the rest."""
    mean, square = (window_mean(values, _AROUND) for values in (grey, grey * grey))
    varied = square - mean * mean > OVERLAYS.texture**2
    return float(varied[over].mean()) <= float(varied[beside].mean()) + OVERLAYS.extra_texture


def overlay_mask(
    a: Floats,
    b: Floats,
    inner: Mask,
    off: float | None = None,
    off_at_most: float | None = None,
    most: int | None = None,
) -> Mask:
    """Mask at most `most` solid overlays: stickers, logos, another face.

    Around them the mean difference must be at most `off` grey levels, and the share of pixels that differ at most
    `off_at_most`: a person before another background is no overlay. Defaults: the thresholds for textured images.
    """
    off = OVERLAYS.mean_difference if off is None else off
    off_at_most = OVERLAYS.max_unlike if off_at_most is None else off_at_most
    most = OVERLAYS.max_count if most is None else most
    cv2 = opencv()
    nothing = np.zeros(inner.shape, dtype=bool)
    difference = np.abs(cv2.GaussianBlur(a - b, (0, 0), 1.0))
    differs = (difference > OVERLAYS.edit_features) & inner
    if differs.sum() > OVERLAYS.max_count * OVERLAYS.max_area * inner.sum():
        return nothing
    side = int(max(inner.shape) // OVERLAYS.min_thickness)
    solid = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, window(side))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, window(2 * side))
    over = dilate(solid, 4 * side)
    beside = inner & ~over
    same = beside.any() and difference[beside].mean() <= off and differs[beside].mean() <= off_at_most
    if not same or not over.any():
        return nothing
    count, _, facts, _ = cv2.connectedComponentsWithStats(solid)
    small = (
        facts[1:, cv2.CC_STAT_AREA]
        <= np.where(_bands(facts[1:], inner), OVERLAYS.max_band_area, OVERLAYS.max_area) * inner.sum()
    )
    return over if count - 1 <= most and small.all() else nothing


def _bands(facts: NDArray[np.int32], inner: Mask) -> Mask:
    """Mask the connected components `(n, 5)` that are a band along an edge of the overlap."""
    left, top, width, height, area = facts.T
    rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
    across = (width >= OVERLAYS.band_span * len(columns)) & ((top <= rows[0]) | (top + height > rows[-1]))
    down = (height >= OVERLAYS.band_span * len(rows)) & ((left <= columns[0]) | (left + width > columns[-1]))
    return np.asarray((across | down) & (area >= OVERLAYS.band_span * width * height))
