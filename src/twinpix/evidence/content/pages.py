"""Compare pages at full resolution: two forms of one design agree on nearly all blocks and differ in a few letters."""

from functools import partial
from typing import NamedTuple

import numpy as np

from twinpix.evidence.alignment.affine import Affine, Size, corners, inverse, rescale, transform_points
from twinpix.evidence.alignment.regions import Box, bounding_box, box_corners, pixels_within, transform_box
from twinpix.evidence.alignment.registration import FinePair, register, warp_fine
from twinpix.evidence.content.ink import InkComparison, InkDifference, compare_ink, contradict, ink_differences
from twinpix.evidence.content.spots import find_spot
from twinpix.evidence.pyramid import Pyramid
from twinpix.model import Bytes2D
from twinpix.thresholds import PAGES

Within = tuple[Affine, Size]
"""The transform of the first pyramid's pixels to a third image, and the size of that image."""


class PageComparison(NamedTuple):
    """Result of the comparison at full resolution."""

    different: bool  # pages with different text
    box: Box | None = None  # the differing text or edited region, in shares of b


ALIKE = PageComparison(False)


def compare_pages(
    a: Pyramid, b: Pyramid, a_to_b: Affine, *, spots: bool, clean: bool, within: Within | None = None
) -> PageComparison:
    """Compare two aligned images at full resolution if that may change the verdict or the description.

    Two pages are decoded again if their ink clashes at the resolution of the pyramids. Other images are compared if
    some block or pixel differs (`spots`), only to name an edited region. Images without any difference (`clean`) of one
    size are compared pixel by pixel. If a third image matches both, only the area `within` it counts: frames and
    windows that were added to copies are no text of theirs.
    """
    if a.damaged or b.damaged:
        return ALIKE
    printed = a.is_sheet and b.is_sheet
    comparison = _compare_text(a, b, a_to_b, within, printed=printed, clean=clean) if printed or spots else ALIKE
    if printed or not clean or comparison.different or comparison.box:
        return comparison
    return PageComparison(False, _find_spot(a, b, a_to_b))


def _compare_text(
    a: Pyramid, b: Pyramid, a_to_b: Affine, within: Within | None, *, printed: bool, clean: bool
) -> PageComparison:
    warp = partial(_warp_pages, a, b, a_to_b, within)
    first = warp(a.fine, b.fine) if printed else warp(a.grey, b.grey)
    if min(first.a.shape) < PAGES.min_side:
        return ALIKE
    clash, alone = _measure_clash(compare_ink(first))
    if not (clash > PAGES.possible_clash or (printed and alone)):
        return ALIKE
    pages = printed or (a.is_page and b.is_page)
    if not pages and not (clean and clash > PAGES.likely_clash):
        return ALIKE
    pair = register(warp(a.finest, b.finest) if pages else warp(a.fine, b.fine))
    comparison = compare_ink(pair)
    found = ink_differences(pair, comparison)
    if pages and contradict(found) and not comparison.is_rough:
        return PageComparison(True)
    strong = [place for place in found if place.strongest >= PAGES.edit_clash]
    return PageComparison(False, _box(strong, pair, a, b, a_to_b)) if strong else ALIKE


def _find_spot(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Box | None:
    """Return the box of a small difference between images of one size and orientation."""
    upright = np.abs(transform_points(a_to_b, corners(a.size)) - corners(b.size)).max() < PAGES.same_place
    if (a.width, a.height) != (b.width, b.height) or not upright:
        return None
    first, second = a.finest, b.finest
    return find_spot(first, second) if first.shape == second.shape else None


def _measure_clash(comparison: InkComparison) -> tuple[float, bool]:
    """Return the largest clash, and whether each image has ink where the other has none."""
    return float(comparison.clash.max()), all(own.any() for own in comparison.own)


def _warp_pages(
    a: Pyramid, b: Pyramid, a_to_b: Affine, within: Within | None, first: Bytes2D, second: Bytes2D
) -> FinePair:
    """Align images of another resolution by the transform of their pyramids."""
    sizes = [(grey.shape[1], grey.shape[0]) for grey in (first, second)]
    fine = rescale(a_to_b, (a.size, sizes[0]), (b.size, sizes[1]))
    pair = warp_fine(first, second, fine)
    if within is None:
        return pair
    to_third, size = within
    ends = transform_points(rescale(inverse(to_third), (size, size), (a.size, sizes[0])), corners(size))
    ends = ends if pair.of_a else transform_points(fine, ends)
    return pair._replace(known=pair.known & pixels_within(ends, pair.known.shape))


def _box(found: list[InkDifference], pair: FinePair, a: Pyramid, b: Pyramid, a_to_b: Affine) -> Box:
    """Return the bounding box of places, in shares of `b`."""
    left, top, width, height = np.array([place.box for place in found]).T
    rows, columns = pair.a.shape
    box = left.min() / columns, top.min() / rows, (left + width).max() / columns, (top + height).max() / rows
    return transform_box(a_to_b, box, a.size, b.size) if pair.of_a else bounding_box(box_corners(box))
