"""A map weighed: how well the pixels of two pictures agree on it, and whether they are one picture for that."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, Side, clipped, corners, inverse, overlap, placed
from twinpix.verify.content.blocks import (
    Agreement,
    Laid,
    agreement,
    closer,
    coarse,
    directions,
    is_exact,
    laid,
    part_of,
)
from twinpix.verify.content.exclusive_content import HELD, filled, in_conflict
from twinpix.verify.content.overlays import inked, stuck_on
from twinpix.verify.describe import Difference, difference
from twinpix.verify.light.low_texture import is_level
from twinpix.verify.light.photometric import Toned, beside, evened
from twinpix.verify.pyramid import View

FEW = 6
"""Blocks with something to see: fewer prove nothing by themselves."""

OVERLAP = 0.5
"""Of the picture of which more is in the overlap, what copies have in common."""

_PART = 0.03  # of the picture of which less is
_AREA = 0.8  # of the share of blocks that must agree, the share of the area that must
_WHOLE, _WHOLE_EXACT = 0.55, 0.35  # of all blocks, those on a border too: fewer where all others agree
_COARSE = 0.52  # by which light and dark places must correlate
_COARSE_BESIDE = 0.8  # and of two that each show more than the other, as two walls of one brick do
_BESIDE = 0.3  # by which light and dark plain places must correlate
_ONE_WAY = 0.01  # of the most that what agrees rises and falls along a direction: so much along any, or it is an edge
_FEW_WAYS = 0.05  # with less light and colour must be the same too
_LINE = 60  # blocks: no more lie along a line or two
_LITTLE = 24  # blocks: so few are no proof that a part of another colour is a part
_INSIDE, _BESIDES = 0.85, 0.01  # of a picture, that the other shows too; of the overlap, that differs even so
_SURE = 0.8  # of the overlap: no other map is tried
_EXACT = 0.95  # of the overlap: the map is as good as can be
_GROUND = 0.15  # of a picture, that is plain: pages, forms, charts and windows have twice as much
_ALL = 0.97  # of either picture: they show the same
_GAIN = 0.02  # of the overlap: so much more must agree for another map to be better
_PART_OF = 0.4  # of the share that must agree: with so much it is seen whether one is shaded
_ENOUGH_JOINED = 0.6  # of the share that must agree otherwise
_LINK = 0.9  # of what pictures and a third that joins them show: pages of one design agree less
_SHOWN = 0.4  # of what two pictures both show, their borders aside, that the third shows which joins them
_FILLED = 0.5  # of the blocks: with so much that agrees, a picture is no page, chart or window


class Joint(NamedTuple):
    """A third picture, which was seen to be one with either of two."""

    agrees: float  # of what it and they show, the less of both
    there: Map  # from places of picture a to those of the third
    sides: Side  # of the third
    alike: bool = False  # it is the same as one of them in every place


class Weighed(NamedTuple):
    """A map, and how well the pixels agree on it."""

    there: Map
    pair: Laid
    agrees: Agreement
    overlap: tuple[float, float]
    differs: Difference | None  # of a map on which the pictures are one
    contrary: bool = False  # as far as the pixels agree they do so very well, and yet they tell of two pictures
    points: int = 0
    spread: float = 0.0  # of the overlap's area, the part that the points enclose

    @property
    def clear(self) -> bool:
        """True when no other map need be tried: what still differs is light and colour."""
        return self.differs is not None and self.agrees.share >= _SURE and self.differs.plain

    @property
    def decided(self) -> bool:
        """True when a map that is exact need not be made more so."""
        return (self.differs is not None or self.contrary) and self.agrees.share >= _SURE

    @property
    def alike(self) -> bool:
        """True when the pictures are the same in every place, but for light and colour."""
        whole = min(self.overlap) >= _ALL and self.agrees.share >= _SURE
        return whole and self.differs is not None and self.differs.clean

    @property
    def refuted(self) -> bool:
        """True when the pictures lie on each other as well as can be, and are two."""
        return self.contrary and self.agrees.share >= _EXACT and is_exact(self.pair)

    @property
    def worth(self) -> tuple[bool, int]:
        """The more, the better the map; a small gain is none, so that the simpler map stays."""
        beyond = self.differs.outside if self.differs else 0.0
        return self.differs is not None, round((self.agrees.share - 2 * beyond) / _GAIN)


def weighed(a: View, b: View, there: Map, least: float, *, sure: bool = False) -> Weighed:
    """How well `b` agrees with `a` on a map, and whether they are one picture for that; `sure`: many points say so."""
    pair = laid(a, b, there)
    seen = _weighed(a, b, pair, there, least, sure=sure)
    if seen.differs is not None or seen.contrary or not seen.agrees.blocks:
        return seen
    for bare in filter(None, (find(pair) for find in (stuck_on, inked))):
        rest = _weighed(a, b, bare.pair, there, least, sure=sure)
        share = rest.agrees.share * (1 - bare.covered)
        if rest.differs is not None and share >= least:
            agrees = rest.agrees._replace(share=share)
            return rest._replace(pair=pair, agrees=agrees, differs=_difference(pair, agrees, a, b, there))
    return seen


def _weighed(a: View, b: View, pair: Laid, there: Map, least: float, *, sure: bool) -> Weighed:
    agrees, shared = _agreement(pair, least), overlap(there, a.sides, b.sides)
    if (agrees.share < least or agrees.blocks < FEW) and is_level(a, b, pair, there):
        return Weighed(there, pair, agrees._replace(share=1.0), shared, _difference(pair, agrees, a, b, there))
    if 0 < agrees.blocks < FEW and agrees.share >= _EXACT and (nearer := closer(a, b, there)) is not None:
        return weighed(*nearer, least, sure=sure)._replace(there=there)
    no = Weighed(there, pair, agrees, shared, None)
    if not _enough_agrees(agrees, shared, least):
        return no
    tones, ways = evened(pair, agrees), directions(pair, agrees)
    if ways < _ONE_WAY or not _light_agrees(pair, tones, agrees, shared):
        return no
    if _may_conflict(agrees, shared, a, b) and in_conflict(pair, tones, agrees, a, b, there):
        return no._replace(contrary=True)
    differs = difference(pair, tones, agrees, a, b, there)
    if not sure and max(shared) < _INSIDE and differs.outside > _BESIDES:
        return no  # of two walls of one brick some part always agrees
    if ways < _FEW_WAYS and agrees.blocks < _LINE and differs.toned:
        return no  # and so do two horizons
    if min(shared) < _INSIDE and agrees.blocks < _LITTLE and differs.toned:
        return no  # and a soft blot of one colour, and a part of one of another
    return no._replace(differs=differs)


def _enough_agrees(agrees: Agreement, shared: tuple[float, float], least: float) -> bool:
    if agrees.blocks < FEW or max(shared) < OVERLAP or min(shared) < _PART:
        return False
    whole = _WHOLE_EXACT if agrees.share >= _EXACT else _WHOLE
    return agrees.share >= least and agrees.area >= _AREA * least and agrees.whole >= whole


def _light_agrees(pair: Laid, tones: Toned, agrees: Agreement, shared: tuple[float, float]) -> bool:
    """True when light and dark lie together, of what agrees and of plain places."""
    least = _COARSE if max(shared) >= HELD else _COARSE_BESIDE
    together = agrees.coarse >= least or coarse(tones.a, tones.b, agrees.fits) >= least
    return together and beside(pair, tones, agrees) >= _BESIDE


def _may_conflict(agrees: Agreement, shared: tuple[float, float], a: View, b: View) -> bool:
    """False where nearly all agrees of two pictures with hardly any plain ground: they are no pages or windows."""
    photo = max(shared) >= HELD and agrees.share >= _EXACT and max(a.plain, b.plain) < _GROUND
    return not photo and not (a.damaged or b.damaged)


def weighed_joined(a: View, b: View, there: Map, least: float, joint: Joint) -> Weighed:
    """The same of two that a third joins, by what all three show: less need agree, unless it is a page.

    What lies beside that is what was put round a copy: a frame, a window, blurred edges. Of pages much always agrees.
    Where the two are in conflict within what all three show, the third joins them not: it is an empty form, of which
    both are filled in.
    """
    pair, shared = laid(a, b, there), overlap(there, a.sides, b.sides)
    shown = _shown(pair, joint)
    of_all = pair._replace(common=pair.common & shown)
    agrees = _agreement(of_all, least)
    enough = agrees.blocks >= FEW or agrees.share >= _EXACT
    sure = filled(of_all, agrees) >= _FILLED or (joint.agrees >= _LINK and enough)
    same = sure and agrees.share >= _ENOUGH_JOINED * least
    same = same and min(shared) >= _PART and part_of(shown, pair.common & ~pair.border) >= _SHOWN
    same = same or joint.alike
    if not same:
        return Weighed(there, pair, agrees, shared, None)
    tones, compared = evened(of_all, agrees), agrees.share >= least and _may_conflict(agrees, shared, a, b)
    if compared and in_conflict(of_all, tones, agrees, a, b, there, shown):
        return Weighed(there, pair, agrees, shared, None, contrary=True)
    return Weighed(there, pair, agrees, shared, _difference(pair, agrees, a, b, there))


def _shown(pair: Laid, joint: Joint) -> NDArray[np.bool_]:
    """Which pixels of a pair the third picture shows."""
    cv2 = opencv()
    at = placed(pair.there, placed(inverse(joint.there), corners(joint.sides)))
    inside = clipped(at, pair.common.shape[::-1])
    out = np.zeros(pair.common.shape, np.uint8)
    if len(inside):
        cv2.fillConvexPoly(out, np.rint(inside).astype(np.int32), 1)
    return out.astype(bool)


def _agreement(pair: Laid, least: float) -> Agreement:
    """How much agrees; where that is a part, and tells that one picture is shaded, once the other is shaded alike."""
    agrees = agreement(pair)
    if not _PART_OF * least < agrees.share < least or agrees.blocks < FEW:
        return agrees
    tones = evened(pair, agrees)
    again = agreement(pair._replace(a=tones.a, b=tones.b)) if tones.shaded else agrees
    return again if again.share > agrees.share else agrees


def _difference(pair: Laid, agrees: Agreement, a: View, b: View, there: Map) -> Difference:
    return difference(pair, evened(pair, agrees), agrees, a, b, there)
