"""Mutually exclusive content: pages, forms, charts and windows of one design that were filled in differently.

An edit adds content to an image, or removes it: one of the two images has it. Two documents of one design each have
content where the other shows plain background.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from twinpix.evidence.alignment.affine import Affine, overlap
from twinpix.evidence.alignment.blocks import Agreement
from twinpix.evidence.alignment.warp import WarpedPair, erode_by_smoothing, use_finer, warp_pair
from twinpix.evidence.content.overlays import overlay_mask, overlay_mask_on_background, without_ink
from twinpix.evidence.light.normalize import match_local_light, match_sharpness, mean_difference, undo_bending
from twinpix.evidence.light.photometric import ToneMatch, match_light
from twinpix.evidence.masks import Floats, Mask, dilate, extremes, hull, local_range, pixels_of
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import EXCLUSIVE, OVERLAYS

_AROUND, _BACKGROUND = 5, 9  # pixels a side of the windows around a pixel, and in which its background is searched for
_JOINED = 15  # pixels: marked pixels within this distance belong to one object
_BLUR = 0.6  # pixels of Gaussian blur, against the noise of single pixels
_EPSILON = 1e-6  # divisor above 0


class Residual(NamedTuple):
    """How much difference may be left after normalisation, for a pair with exclusive content to be an edit."""

    light: float  # share of the mean difference, after blur and light are removed
    flow: float  # the same, after optical flow
    area: float  # share of the overlap with exclusive content before


def is_exclusive(
    pair: WarpedPair,
    tones: ToneMatch,
    agrees: Agreement,
    a: Pyramid,
    b: Pyramid,
    a_to_b: Affine,
    only: Mask | None = None,
) -> bool:
    """True if each image has content where the other shows plain background.

    The largest object does not count, since a single object may be an edit however much it differs. Content outside the
    hull of the agreeing blocks, which is a border, does not count either. `only` masks the pixels that count; default:
    all.
    """
    left = _residual_limits(a, b, a_to_b)
    if _is_exclusive(pair, tones, agrees, left):
        return True
    finer = use_finer(a, b, a_to_b)
    if finer is None:
        return False
    again = warp_pair(*finer)
    if only is not None:
        again = replace(again, common=again.common & pixels_of(only, again.common.shape))
    if not _is_exclusive(again, match_light(again, agrees), agrees, left):
        return False
    bare = without_ink(again)
    return bare is None or _is_exclusive(bare.pair, match_light(bare.pair, agrees), agrees, left)


def _residual_limits(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Residual:
    """Return the limits of the difference after normalisation: 0 if neither image shows the whole of the other."""
    if max(overlap(a_to_b, a.size, b.size)) < EXCLUSIVE.whole:
        return Residual(0.0, 0.0, 0.0)
    if min(a.flatness, b.flatness) >= EXCLUSIVE.page_flat:
        return Residual(EXCLUSIVE.page_light, EXCLUSIVE.page_flow, EXCLUSIVE.page_area)
    return Residual(EXCLUSIVE.photo_light, EXCLUSIVE.photo_flow, 1.0)


def _is_exclusive(pair: WarpedPair, tones: ToneMatch, agrees: Agreement, left: Residual) -> bool:
    within = pixels_of(hull(agrees.fits == 1), pair.a.shape)
    inner = erode_by_smoothing(pair.common & within & ~pair.border)
    if inner.sum() < EXCLUSIVE.min_pixels or min(inner.shape) < EXCLUSIVE.min_side:
        return False
    found = _conflict_share(tones.a, tones.b, pair, agrees, inner)
    if found <= EXCLUSIVE.min_area:
        return False
    if found > left.area:
        return True
    before = mean_difference(tones.a, tones.b, inner)
    a, b = match_local_light(*match_sharpness(tones.a, tones.b, inner), pair.common)

    def is_alike(made: Floats, most: float) -> bool:
        return (
            mean_difference(made, b, inner) <= most * before
            and _conflict_share(made, b, pair, agrees, inner) <= EXCLUSIVE.min_area
        )

    return not (is_alike(a, left.light) or is_alike(undo_bending(a, b), left.flow))


def _conflict_share(a: Floats, b: Floats, pair: WarpedPair, agrees: Agreement, inner: Mask) -> float:
    """Return the share of the overlap with exclusive content, of the image that has less of it; 0 if too little."""
    cv2 = opencv()
    too_little = EXCLUSIVE.min_area / EXCLUSIVE.many_objects_factor * inner.sum()
    smooth_a, smooth_b = (cv2.GaussianBlur(grey, (0, 0), _BLUR) for grey in (a, b))
    mine = _mask_exclusive(smooth_a, smooth_b, pair.a, inner)
    if mine.sum() <= too_little:
        return 0.0
    theirs = _mask_exclusive(smooth_b, smooth_a, pair.b, inner)
    if theirs.sum() <= too_little:
        return 0.0
    every = erode_by_smoothing(pair.common & ~pair.border)
    textured = share_of_agreeing(pair, agrees) >= EXCLUSIVE.filled
    over = overlay_mask(a, b, every) if textured else overlay_mask_on_background(pair, every, EXCLUSIVE.max_overlays)
    # With content of both under them, these are no overlays but the bars of two charts.
    if min((mine & over).sum(), (theirs & over).sum()) <= EXCLUSIVE.under_overlay * inner.sum():
        mine, theirs = mine & ~over, theirs & ~over
    largest, objects = _find_objects(mine | theirs, inner)
    share = float(min((mine & ~largest).sum(), (theirs & ~largest).sum()) / inner.sum())
    return share * (EXCLUSIVE.many_objects_factor if objects >= EXCLUSIVE.many_objects else 1)


def share_of_agreeing(pair: WarpedPair, agrees: Agreement) -> float:
    """Return the share of the overlap's blocks that agree: of pages and charts most have no texture."""
    return float((agrees.fits == 1).mean() / max(float(pair.common.mean()), _EPSILON))


def _mask_exclusive(values: Floats, other: Floats, untoned: Floats, inner: Mask) -> Mask:
    """Mask the content within `inner` that one image has on a plain background which the other shows without it.

    `untoned` are the levels of the image before tones were aligned.
    """
    high, low = extremes(other, _AROUND)
    stands_out = np.maximum(values - high, low - values) > EXCLUSIVE.step
    marked = np.asarray(stands_out & (high - low < EXCLUSIVE.flat_range) & inner, dtype=bool)
    if marked.any():
        box = _box_around(marked)
        marked[box] &= _is_on_same_background(values[box], other[box], untoned[box])
    return marked


def _box_around(marked: Mask) -> tuple[slice, slice]:
    """Return the part of an image that holds all marked pixels and what lies within reach of their background."""
    reach = _BACKGROUND // 2
    left, top, width, height = opencv().boundingRect(marked.view(np.uint8))
    rows = slice(max(0, top - reach), top + height + reach)
    return rows, slice(max(0, left - reach), left + width + reach)


def _is_on_same_background(values: Floats, other: Floats, untoned: Floats) -> Mask:
    """Mask the pixels of one image near which it shows the level that the other one has there."""
    brightest, darkest = extremes(values, _BACKGROUND)
    same_background = np.minimum(np.abs(brightest - other), np.abs(darkest - other)) < EXCLUSIVE.background_difference
    # A steep tone curve enlarges small differences: the contrast must exist before it, too.
    own = local_range(untoned, _BACKGROUND) > EXCLUSIVE.step
    return np.asarray(same_background & own, dtype=bool)


def _find_objects(marked: Mask, inner: Mask) -> tuple[Mask, int]:
    """Return the mask of the largest object, empty if that is too large for one, and the number of objects."""
    cv2 = opencv()
    joined = dilate(marked, _JOINED).view(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    if count < 2:
        return np.zeros_like(marked), 0
    areas = facts[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    sizes = np.bincount(labels[marked], minlength=count)
    objects = int((sizes[1:] >= EXCLUSIVE.min_object).sum())
    if areas[largest] > OVERLAYS.max_area * inner.sum():
        return np.zeros_like(marked), objects
    return np.asarray(labels == largest + 1, dtype=bool), objects
