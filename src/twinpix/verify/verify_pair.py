"""From a pair of views to a verdict: the cheapest map that explains the pixels, else the points, else none."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from twinpix.imaging.opencv import opencv
from twinpix.model import Relation
from twinpix.verify.alignment.affine import Map, corners, inverse, overlap, placed, turning
from twinpix.verify.alignment.align import Found, fits, found
from twinpix.verify.content.blocks import laid, refined
from twinpix.verify.content.pages import read
from twinpix.verify.describe import Difference, name_of
from twinpix.verify.hypothesis import Joint, Weighed, weighed, weighed_joined
from twinpix.verify.light.tone_inversion import relit
from twinpix.verify.pyramid import View, dark

VERSION = 10
"""Of what a look says of a pair: another for other verdicts, names or numbers; what stores remember is its own."""

AGREE = 0.65
"""The share of the overlap that must agree in copies."""

SCENE = 12
"""Points that agree, without the pixels, in pictures of one scene."""

ALL_OVER = 60
"""Points that agree in two pictures of which one is the other with things drawn all over it."""

_MANY, _WIDE = 40, 0.3  # points, and the part of the overlap that they enclose, with which less need agree
_ENOUGH = 0.77  # of the share that must agree otherwise
_STRAIGHT = 0.025  # of the longer side: how far a map's corners may lie from where an orientation puts them
_LESS = 0.05  # of the overlap: so much less may agree on the orientation itself
_WORTH = 0.25  # of the overlap: with less, a map is none that could be made to fit better
_MAYBE_RELIT = 0.3  # of how one picture varies, by the levels of the other: with less it is another one
_SURE_RELIT, _BLOCKS_RELIT = 0.8, 24  # of the overlap, and blocks, that agree once they are turned back
_SPREAD = 0.18  # of the overlap, that points of one scene enclose


class Look(NamedTuple):
    """What a second look says of a pair."""

    relation: Relation | None  # None: different pictures
    detail: str  # the relation with its numbers: what was done to a to make b
    back: str  # and what was done to b to make a
    agrees: float  # share of the overlap, where there is something to see
    overlap: tuple[float, float]  # share of either picture that both show
    points: int  # that agree with the map; 0 where none were needed
    there: Map | None  # from places in view a to those in view b
    alike: bool = False  # the same in every place, but for light and colour
    relit: bool = False  # light and dark are turned over; what agrees does so once they are turned back
    conflict: bool = False  # they lie on each other, and each has something of its own: they are two of one design
    lettered: bool = False  # different ones of many points that agree: both have print, as pages and cards do

    def turned(self) -> "Look":
        """The same look from the other side."""
        there = None if self.there is None else inverse(self.there)
        return self._replace(detail=self.back, back=self.detail, overlap=self.overlap[::-1], there=there)

    @property
    def same(self) -> bool:
        """True for one picture, however edited."""
        return self.relation is not None and self.relation != "similar-scene"


def glance(a: View, b: View, guesses: Iterable[Map], least: float = AGREE) -> Look | None:
    """What `look` says where one of the guesses is enough to say it; else None: look closer."""
    guesses = list(guesses)
    for there in guesses:
        one = weighed(a, b, there, least)
        if one.differs is not None:  # what was done may be told better on another map
            return _named(a, b, one, one.differs) if one.clear else look(a, b, guesses, least)
        if one.refuted:
            return _different(one)
    return None


def look(
    a: View,
    b: View,
    guesses: Iterable[Map] = (),
    least: float = AGREE,
    *,
    exact: bool = False,
    joint: Joint | None = None,
) -> Look:
    """Whether `a` and `b` are one picture: on at least a share `least` of what they have in common.

    `guesses` are maps from places in `a` to places in `b`, the likeliest first; an `exact` first one was made from
    points. Where a third picture was seen to be one with either, what all three show need only agree so much that the
    guess is right: two edits may leave little more of what they have in common. If it is the same as one of them in
    every place, it stands for that one. Two dark pictures are looked at brighter where as they are they are not one.
    """
    guesses = list(guesses)
    seen = _look(a, b, guesses, least, exact, joint)
    if not seen.same and seen.points >= ALL_OVER:
        seen = seen._replace(lettered=a.is_page and b.is_page)
    if seen.same or seen.conflict or (times := dark(a, b)) == 1:
        return seen
    brighter = _look(a.brighter(times), b.brighter(times), guesses, least, exact, joint)
    return brighter if brighter.same or brighter.conflict else seen


def _look(a: View, b: View, guesses: list[Map], least: float, exact: bool, joint: Joint | None) -> Look:
    joined = [weighed_joined(a, b, there, least, joint) for there in guesses] if joint else []
    for one in joined:
        if one.differs is not None:
            return _named(a, b, one, one.differs)
        if one.contrary:
            return _different(one)
    tried = list(_tried(a, b, guesses, least, exact))
    best = max(tried, key=lambda one: one.worth, default=None)
    best = best and _straightened(a, b, best, least)
    if best is not None and best.differs is not None:
        return _named(a, b, best, best.differs)
    turned_back = _turned_back(a, b, tried, least)
    if turned_back is not None:
        return turned_back
    seen = max((one for one in tried if not one.contrary), key=lambda one: one.points, default=None)
    if seen is not None and seen.points >= SCENE and seen.spread >= _SPREAD:
        conflict = any(one.contrary for one in tried)
        share = seen.agrees.share
        return Look("similar-scene", "", "", share, seen.overlap, seen.points, seen.there, conflict=conflict)
    return _different(best)._replace(conflict=any(one.contrary for one in tried))


def as_seen(look: Look, a: View, b: View) -> tuple[View, View]:
    """Both views as the look compared them: of two that are turned over in light and dark, one is turned back."""
    if not look.relit or look.there is None:
        return a, b
    return relit(a, b, laid(a, b, look.there)) or (a, b)


def _straightened(a: View, b: View, best: "Weighed", least: float) -> "Weighed":
    """The same on the orientation that a map all but is, unless the pixels say that it is not: points are not exact."""
    at = corners(a.sides)
    for turn in range(8):
        there = turning(turn, a.sides, b.sides)
        far = np.abs(placed(there, at) - placed(best.there, at)).max()
        if far < 1e-6:  # it is that orientation
            return best
        if far < _STRAIGHT * max(b.sides):
            straight = weighed(a, b, there, least)
            known = straight.differs is not None or straight.contrary
            if known and straight.agrees.share >= best.agrees.share - _LESS:
                return straight._replace(points=best.points, spread=best.spread)
    return best


def _different(best: "Weighed | None") -> Look:
    if best is None:
        return Look(None, "", "", 0.0, (0.0, 0.0), 0, None)
    return Look(None, "", "", best.agrees.share, best.overlap, best.points, best.there, conflict=best.contrary)


def _tried(a: View, b: View, guesses: Iterable[Map], least: float, exact: bool) -> Iterator[Weighed]:
    """Maps, the cheapest first, until one leaves nothing to explain."""
    best: Weighed | None = None
    for there in guesses:
        one = weighed(a, b, there, least)
        yield one
        if exact and best is None and one.decided:  # only the first is exact
            return
        if one.clear or one.refuted:
            return
        best = one if best is None or one.worth > best.worth else best
    by_points = found(a, b)
    if by_points is not None and fits(by_points, a, b):
        spread = _spread(by_points, a, b)
        sure = len(by_points.a) >= _MANY and spread >= _WIDE
        least *= _ENOUGH if sure else 1
        one = weighed(a, b, by_points.there, least, sure=sure)._replace(points=len(by_points.a), spread=spread)
        yield one
        if one.decided:
            return
        best = one if best is None or one.worth > best.worth else best
    if best is not None and best.agrees.share > _WORTH:
        fine = refined(a, b, best.there)
        if fine is not None:
            yield weighed(a, b, fine, least)._replace(points=best.points, spread=best.spread)


def _turned_back(a: View, b: View, tried: Iterable[Weighed], least: float) -> Look | None:
    """What is seen on the first map on which two pictures are one once light and dark of one are turned over."""
    for one in tried:
        rough = None if one.contrary else relit(a, b, one.pair, _MAYBE_RELIT)
        if rough is None:
            continue
        seen = max(_tried(*rough, [one.there], max(least, _SURE_RELIT), exact=False), key=lambda each: each.worth)
        differs = seen.differs and seen.differs._replace(relit=True, grain=0.0)  # a curve makes grain, too
        if differs is None or seen.agrees.blocks < _BLOCKS_RELIT:
            continue
        if relit(a, b, laid(a, b, seen.there)) is not None:
            return _named(a, b, seen, differs)._replace(relit=True)
    return None


def _named(a: View, b: View, best: Weighed, differs: Difference) -> Look:
    if not differs.relit:
        seen = read(a, b, best.there, spots=differs.spots or best.agrees.share < 1, clean=differs.clean)
        if seen.different:
            return _different(best)
        if seen.box is not None and differs.clean:
            differs = differs.edited_at(seen.box)
    name = name_of(a, b, best.there, differs)
    agrees = best.agrees.share
    return Look(name.relation, name.detail, name.back, agrees, best.overlap, best.points, best.there, best.alike)


def _spread(by_points: Found, a: View, b: View) -> float:
    """How much of what both pictures show lies between the points: a caption or a logo is a small part of it."""
    cv2 = opencv()
    hull = cv2.convexHull(by_points.a.astype(np.float32))
    shared = overlap(by_points.there, a.sides, b.sides)[0] * a.sides[0] * a.sides[1]
    return float(cv2.contourArea(hull)) / max(shared, 1.0)
