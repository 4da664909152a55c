"""Pages read closely: two forms of one design agree nearly everywhere, and are two for the few letters that differ."""

from typing import NamedTuple

import numpy as np

from twinpix.model import Bytes2D
from twinpix.verify.alignment.affine import Map, corners, placed, rescaled
from twinpix.verify.alignment.registration import Close, laid_finely, registered
from twinpix.verify.content.ink import Compared, Place, compared, contradict, places
from twinpix.verify.content.spots import Box, spot
from twinpix.verify.pyramid import View

_NARROW = 32  # pixels: pictures with a shorter side, where they overlap, have no print
_PERHAPS = 0.2  # of a clash at the pixels that a view has: with no more, nothing is read more closely
_LIKELY, _SURE = 0.35, 0.6  # of a clash, in pictures that are no pages: at few pixels, and at more
_SAME_PLACE = 0.5  # pixels of a view


class Reading(NamedTuple):
    """What two pictures that lie on each other say."""

    different: bool  # they are pages that say something else
    box: Box | None = None  # where they do, or where a small place was edited, in shares of b


ALIKE = Reading(False)


def read(a: View, b: View, there: Map, *, spots: bool, clean: bool) -> Reading:
    """Read two pictures that lie on each other; `spots`: in some place they may differ, `clean`: as little as can be.

    Two pages are read at full resolution where they may differ at the pixels that views have. Two other pictures are
    read if there are spots, first at fewer pixels, and are never two for it; without spots, if they are of one size.
    """
    if a.damaged or b.damaged:
        return ALIKE
    printed = a.is_sheet and b.is_sheet
    seen = _read(a, b, there, printed=printed, clean=clean) if printed or spots else ALIKE
    if printed or not clean or seen.different or seen.box:
        return seen
    return Reading(False, _spot(a, b, there))


def _read(a: View, b: View, there: Map, *, printed: bool, clean: bool) -> Reading:
    first = _laid(a, b, there, a.fine, b.fine) if printed else _laid(a, b, there, a.grey, b.grey)
    if min(first.a.shape) < _NARROW:
        return ALIKE
    clash, alone = _differing(compared(first))
    if not (clash > _PERHAPS or (printed and alone)):
        return ALIKE
    pages = printed or (a.is_page and b.is_page)
    if not pages and not (clean and clash > _LIKELY):
        return ALIKE
    pair = registered(_laid(a, b, there, a.finest, b.finest) if pages else _laid(a, b, there, a.fine, b.fine))
    seen = compared(pair)
    found = places(pair, seen)
    if pages and contradict(found) and not seen.is_rough:
        return Reading(True)
    strong = [place for place in found if place.strongest >= _SURE]
    return Reading(False, _box(strong, pair, a, b, there)) if strong else ALIKE


def _spot(a: View, b: View, there: Map) -> Box | None:
    """Where one small place differs of two pictures of one size, each place of which lies on the same of the other."""
    upright = np.abs(placed(there, corners(a.sides)) - corners(b.sides)).max() < _SAME_PLACE
    if (a.width, a.height) != (b.width, b.height) or not upright:
        return None
    first, second = a.finest, b.finest
    return spot(first, second) if first.shape == second.shape else None


def _differing(seen: Compared) -> tuple[float, bool]:
    """The strongest clash; and whether either picture has ink where the other has none."""
    return float(seen.clash.max()), all(own.any() for own in seen.own)


def _laid(a: View, b: View, there: Map, first: Bytes2D, second: Bytes2D) -> Close:
    """Two pictures of more pixels, laid on each other as their views are."""
    sides = [(grey.shape[1], grey.shape[0]) for grey in (first, second)]
    return laid_finely(first, second, rescaled(there, (a.sides, sides[0]), (b.sides, sides[1])))


def _box(found: list[Place], pair: Close, a: View, b: View, there: Map) -> Box:
    """The box round places, in shares of `b`."""
    left, top, width, height = np.array([place.box for place in found]).T
    ends = np.array([[left.min(), top.min()], [(left + width).max(), (top + height).max()]], dtype=np.float64)
    shares = ends / np.array(pair.a.shape[::-1])
    if pair.of_a:
        corners = np.array([shares[0], shares[1], [shares[0, 0], shares[1, 1]], [shares[1, 0], shares[0, 1]]])
        shares = (placed(there, corners * a.sides - 0.5) + 0.5) / b.sides
    low, high = np.clip(shares.min(axis=0), 0, 1), np.clip(shares.max(axis=0), 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
