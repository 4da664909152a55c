"""From a pair of views to a verdict: the cheapest map that explains the pixels, else the points, else none."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from twinpix.imaging.opencv import opencv
from twinpix.model import Relation
from twinpix.verify.agreement import Agreement, Laid, agreement, coarse, is_exact, laid, refined
from twinpix.verify.conflict import CONFLICT, conflict, filled
from twinpix.verify.levels import is_level
from twinpix.verify.maps import Map, corners, inverse, overlap, placed, turning
from twinpix.verify.matching import Found, found
from twinpix.verify.naming import Difference, difference, name_of
from twinpix.verify.tones import beside, evened
from twinpix.verify.views import View

VERSION = 1
"""Of what a look says of a pair: another for other verdicts, names or numbers; what stores remember is its own."""

AGREE = 0.65
"""The share of the overlap that must agree in copies."""

SCENE = 12
"""Points that agree, without the pixels, in pictures of one scene."""

_ENOUGH_JOINED = 0.6  # of the share that must agree otherwise
_LINK = 0.9  # of what pictures and a third that joins them show: pages of one design agree less
_FILLED = 0.4  # of the blocks: with so much that agrees, a picture is no page, chart or window
_SURE = 0.8  # of the overlap: no other map is tried
_EXACT = 0.95  # of the overlap: the map is as good as can be
_MANY, _WIDE = 40, 0.3  # points, and the part of the overlap that they enclose, with which less need agree
_ENOUGH = 0.77  # of the share that must agree otherwise
_INSIDE, _BESIDES = 0.85, 0.01  # of a picture, that the other shows too; of the overlap, that differs even so
_STRAIGHT = 0.025  # of the longer side: how far a map's corners may lie from where an orientation puts them
_LESS = 0.05  # of the overlap: so much less may agree on the orientation itself
_GAIN = 0.02  # of the overlap: so much more must agree for another map to be better
_WORTH = 0.25  # of the overlap: with less, a map is none that could be made to fit better
_FEW = 6  # blocks with something to see: fewer prove nothing by themselves
_OVERLAP = 0.5  # of the picture of which more is in the overlap
_COARSE = 0.52  # by which light and dark places must correlate
_WHOLE, _WHOLE_EXACT = 0.55, 0.35  # of all blocks, those on a border too: fewer where all others agree
_AREA = 0.8  # of the share of blocks that must agree, the share of the area that must
_BESIDE = 0.2  # by which light and dark plain places must correlate
_PART_OF = 0.4  # of the share that must agree: with so much it is seen whether one is shaded
_SPREAD = 0.18  # of the overlap, that points of one scene enclose
_PART = 0.03  # of the picture of which less is


class Look(NamedTuple):
    """What a second look says of a pair."""

    relation: Relation | None  # None: different pictures
    detail: str  # the relation with its numbers: what was done to a to make b
    back: str  # and what was done to b to make a
    agrees: float  # share of the overlap, where there is something to see
    overlap: tuple[float, float]  # share of either picture that both show
    points: int  # that agree with the map; 0 where none were needed
    there: Map | None  # from places in view a to those in view b

    def turned(self) -> "Look":
        """The same look from the other side."""
        there = None if self.there is None else inverse(self.there)
        return self._replace(detail=self.back, back=self.detail, overlap=self.overlap[::-1], there=there)

    @property
    def same(self) -> bool:
        """True for one picture, however edited."""
        return self.relation is not None and self.relation != "similar-scene"


def glance(a: View, b: View, guesses: Iterable[Map], least: float = AGREE) -> Look | None:
    """What `look` says where one of the guesses leaves nothing to explain; else None: look closer."""
    for there in guesses:
        one = _weighed(a, b, there, least)
        if one.differs is not None and one.clear:
            return _named(a, b, one, one.differs)
        if one.refuted:
            return _different(one)
    return None


def look(
    a: View, b: View, guesses: Iterable[Map] = (), least: float = AGREE, *, exact: bool = False, joined: float = 0.0
) -> Look:
    """Whether `a` and `b` are one picture: on at least a share `least` of what they have in common.

    `guesses` are maps from places in `a` to places in `b`, the likeliest first; `exact` ones were made from points.
    Where a third picture, which shows what both show, was seen to be one with either, they are `joined` by so much as
    agreed with it: then what agrees need only be enough that the guess is right. Two edits may leave little more.
    """
    guesses = list(guesses)
    if joined and (one := _joined(a, b, guesses, least, joined)):
        return one
    tried = list(_tried(a, b, guesses, least, exact))
    best = max(tried, key=lambda one: one.worth, default=None)
    best = best and _straightened(a, b, best, least)
    if best is not None and best.differs is not None:
        return _named(a, b, best, best.differs)
    seen = max((one for one in tried if not one.contrary), key=lambda one: one.points, default=None)
    if seen is not None and seen.points >= SCENE and seen.spread >= _SPREAD:
        return Look("similar-scene", "", "", seen.agrees.share, seen.overlap, seen.points, seen.there)
    return _different(best)


def _joined(a: View, b: View, guesses: Iterable[Map], least: float, joined: float) -> Look | None:
    """What is said of two that a third joins; None where that is not to be believed: of pages much always agrees."""
    for there in guesses:
        pair, shared = laid(a, b, there), overlap(there, a.sides, b.sides)
        agrees = _agreement(pair, least)
        sure = filled(agrees) >= _FILLED or (joined >= _LINK and agrees.blocks >= _FEW)
        if sure and agrees.share >= _ENOUGH_JOINED * least and min(shared) >= _PART:
            one = _Tried(there, pair, agrees, shared, _difference(pair, agrees, a, b, there))
            return _named(a, b, one, one.differs) if one.differs else None
    return None


def _straightened(a: View, b: View, best: "_Tried", least: float) -> "_Tried":
    """The same on the orientation that a map all but is, unless the pixels say that it is not: points are not exact."""
    at = corners(a.sides)
    for turn in range(8):
        there = turning(turn, a.sides, b.sides)
        far = np.abs(placed(there, at) - placed(best.there, at)).max()
        if far < 1e-6:  # it is that orientation
            return best
        if far < _STRAIGHT * max(b.sides):
            straight = _weighed(a, b, there, least)
            known = straight.differs is not None or straight.contrary
            if known and straight.agrees.share >= best.agrees.share - _LESS:
                return straight._replace(points=best.points, spread=best.spread)
    return best


def _different(best: "_Tried | None") -> Look:
    if best is None:
        return Look(None, "", "", 0.0, (0.0, 0.0), 0, None)
    return Look(None, "", "", best.agrees.share, best.overlap, best.points, best.there)


class _Tried(NamedTuple):
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
    def refuted(self) -> bool:
        """True when the pictures lie on each other as well as can be, and are two."""
        return self.contrary and self.agrees.share >= _EXACT and is_exact(self.pair)

    @property
    def worth(self) -> tuple[bool, int]:
        """The more, the better the map; a small gain is none, so that the simpler map stays."""
        beyond = self.differs.outside if self.differs else 0.0
        return self.differs is not None, round((self.agrees.share - 2 * beyond) / _GAIN)


def _tried(a: View, b: View, guesses: Iterable[Map], least: float, exact: bool) -> Iterator[_Tried]:
    """Maps, the cheapest first, until one leaves nothing to explain."""
    best: _Tried | None = None
    for there in guesses:
        one = _weighed(a, b, there, least)
        yield one
        if exact and one.decided:
            return
        if one.clear or one.refuted:
            return
        best = one if best is None or one.worth > best.worth else best
    by_points = found(a, b)
    if by_points is not None and _fits(by_points, a, b):
        spread = _spread(by_points, a, b)
        sure = len(by_points.a) >= _MANY and spread >= _WIDE
        least *= _ENOUGH if sure else 1
        one = _weighed(a, b, by_points.there, least, sure=sure)._replace(points=len(by_points.a), spread=spread)
        yield one
        if one.decided:
            return
        best = one if best is None or one.worth > best.worth else best
    if best is not None and best.agrees.share > _WORTH:
        fine = refined(a, b, best.there)
        if fine is not None:
            yield _weighed(a, b, fine, least)._replace(points=best.points, spread=best.spread)


def _weighed(a: View, b: View, there: Map, least: float, *, sure: bool = False) -> _Tried:
    pair = laid(a, b, there)
    agrees, shared = _agreement(pair, least), overlap(there, a.sides, b.sides)
    if (agrees.share < least or agrees.blocks < _FEW) and is_level(a, b, pair, there):
        return _Tried(there, pair, agrees._replace(share=1.0), shared, _difference(pair, agrees, a, b, there))
    same = agrees.blocks >= _FEW and max(shared) >= _OVERLAP and min(shared) >= _PART
    same = same and agrees.share >= least and agrees.area >= _AREA * least
    same = same and agrees.whole >= (_WHOLE_EXACT if agrees.share >= _EXACT else _WHOLE)
    if not same:
        return _Tried(there, pair, agrees, shared, None)
    tones = evened(pair, agrees)
    same = agrees.coarse >= _COARSE or coarse(tones.a, tones.b, agrees.fits) >= _COARSE
    same = same and beside(pair, tones, agrees) >= _BESIDE
    contrary = same and not (a.damaged or b.damaged) and conflict(pair, tones, agrees, a, b, there) > CONFLICT
    differs = difference(pair, tones, agrees, a, b, there) if same and not contrary else None
    if differs and not sure and max(shared) < _INSIDE and differs.outside > _BESIDES:
        differs = None  # of two walls of one brick some part always agrees
    return _Tried(there, pair, agrees, shared, differs, contrary)


def _agreement(pair: Laid, least: float) -> Agreement:
    """How much agrees; where that is a part, and tells that one picture is shaded, once the other is shaded alike."""
    agrees = agreement(pair)
    if not _PART_OF * least < agrees.share < least or agrees.blocks < _FEW:
        return agrees
    tones = evened(pair, agrees)
    again = agreement(pair._replace(a=tones.a, b=tones.b)) if tones.shaded else agrees
    return again if again.share > agrees.share else agrees


def _difference(pair: Laid, agrees: Agreement, a: View, b: View, there: Map) -> Difference:
    return difference(pair, evened(pair, agrees), agrees, a, b, there)


def _named(a: View, b: View, best: _Tried, differs: Difference) -> Look:
    name = name_of(a, b, best.there, differs)
    return Look(name.relation, name.detail, name.back, best.agrees.share, best.overlap, best.points, best.there)


def _spread(by_points: Found, a: View, b: View) -> float:
    """How much of what both pictures show lies between the points: a caption or a logo is a small part of it."""
    cv2 = opencv()
    hull = cv2.convexHull(by_points.a.astype(np.float32))
    shared = overlap(by_points.there, a.sides, b.sides)[0] * a.sides[0] * a.sides[1]
    return float(cv2.contourArea(hull)) / max(shared, 1.0)


def _fits(by_points: Found, a: View, b: View) -> bool:
    """True for a map that leaves the pictures on each other, and neither squeezed to nothing."""
    there = by_points.there
    return abs(float(np.linalg.det(there[:, :2]))) > 1e-3 and max(overlap(there, a.sides, b.sides)) > 0
