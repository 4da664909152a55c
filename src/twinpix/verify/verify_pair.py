"""Verify a pair of views: try the given transforms, the cheapest first, then keypoints, and return a verdict."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from twinpix.imaging.opencv import opencv
from twinpix.model import Relation
from twinpix.verify.alignment.affine import Map, corners, inverse, overlap, placed, turning
from twinpix.verify.alignment.align import Found, fits, found
from twinpix.verify.alignment.blocks import laid, refined
from twinpix.verify.content.pages import read
from twinpix.verify.describe import Difference, name_of
from twinpix.verify.hypothesis import Joint, Weighed, weighed, weighed_joined
from twinpix.verify.light.tone_inversion import relit
from twinpix.verify.pyramid import View, dark
from twinpix.verify.thresholds import ALIGNMENT, DECISION, TONE_INVERSION

VERSION = 10
"""Version of the verdicts: raise it when verdicts, names or numbers change. Stored verdicts belong to one version."""

_SAME_PLACE = 1e-6  # pixels: rounding of the transform of an orientation


class Look(NamedTuple):
    """The verdict of the verification of a pair."""

    relation: Relation | None  # None: different images
    detail: str  # the edits from a to b, with their numbers
    back: str  # the edits from b to a
    agrees: float  # share of the textured blocks
    overlap: tuple[float, float]  # share of either image that both show
    points: int  # inliers; 0 if no keypoints were needed
    there: Map | None  # from pixels of view a to those of view b
    alike: bool = False  # the same in every place, except for tone and colour
    relit: bool = False  # tones are inverted; `agrees` counts after the inversion is undone
    conflict: bool = False  # aligned, with mutually exclusive content: two documents of one design
    lettered: bool = False  # no copies although many keypoints agree: both have print, as pages and cards do

    def turned(self) -> "Look":
        """Return the verdict with both images exchanged."""
        there = None if self.there is None else inverse(self.there)
        return self._replace(detail=self.back, back=self.detail, overlap=self.overlap[::-1], there=there)

    @property
    def same(self) -> bool:
        """True for copies, however edited."""
        return self.relation is not None and self.relation != "similar-scene"


def glance(a: View, b: View, guesses: Iterable[Map], least: float | None = None) -> Look | None:
    """Verify with an early exit: the verdict of `look` if one of the guesses decides it, else None."""
    least = DECISION.min_agreement if least is None else least
    guesses = list(guesses)
    for there in guesses:
        one = weighed(a, b, there, least)
        if one.differs is not None:  # another transform may describe the edit better
            return _named(a, b, one, one.differs) if one.clear else look(a, b, guesses, least)
        if one.refuted:
            return _different(one)
    return None


def look(
    a: View,
    b: View,
    guesses: Iterable[Map] = (),
    least: float | None = None,
    *,
    exact: bool = False,
    joint: Joint | None = None,
) -> Look:
    """Verify whether `a` and `b` are copies: at least a share `least` of their textured blocks must agree.

    `least` is `DECISION.min_agreement` by default. `guesses` are transforms from `a` to `b`, the likeliest first; an
    `exact` first one was fitted to keypoints. `joint` is a third image that matches both: then only the area that all
    three show counts, and less of it must agree, since two edits of one image may leave little in common. If the third
    image is the same as one of them in every place, it stands for that one. Two dark images that do not match are
    compared once more, brightened by the same factor.
    """
    least = DECISION.min_agreement if least is None else least
    guesses = list(guesses)
    seen = _look(a, b, guesses, least, exact, joint)
    if not seen.same and seen.points >= ALIGNMENT.overdrawn_inliers:
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
    if seen is not None and seen.points >= ALIGNMENT.scene_inliers and seen.spread >= ALIGNMENT.scene_spread:
        conflict = any(one.contrary for one in tried)
        share = seen.agrees.share
        return Look("similar-scene", "", "", share, seen.overlap, seen.points, seen.there, conflict=conflict)
    return _different(best)._replace(conflict=any(one.contrary for one in tried))


def as_seen(look: Look, a: View, b: View) -> tuple[View, View]:
    """Return both views as they were compared: if tones are inverted, that is undone in one of them."""
    if not look.relit or look.there is None:
        return a, b
    return relit(a, b, laid(a, b, look.there)) or (a, b)


def _straightened(a: View, b: View, best: "Weighed", least: float) -> "Weighed":
    """Replace a transform by a near orientation if nearly as much agrees on it: keypoints are inexact."""
    at = corners(a.sides)
    for turn in range(8):
        there = turning(turn, a.sides, b.sides)
        far = np.abs(placed(there, at) - placed(best.there, at)).max()
        if far < _SAME_PLACE:  # it is that orientation already
            return best
        if far < ALIGNMENT.orientation_distance * max(b.sides):
            straight = weighed(a, b, there, least)
            known = straight.differs is not None or straight.contrary
            if known and straight.agrees.share >= best.agrees.share - ALIGNMENT.orientation_loss:
                return straight._replace(points=best.points, spread=best.spread)
    return best


def _different(best: "Weighed | None") -> Look:
    if best is None:
        return Look(None, "", "", 0.0, (0.0, 0.0), 0, None)
    return Look(None, "", "", best.agrees.share, best.overlap, best.points, best.there, conflict=best.contrary)


def _tried(a: View, b: View, guesses: Iterable[Map], least: float, exact: bool) -> Iterator[Weighed]:
    """Score transforms, the cheapest first, until one decides: guesses, keypoints, refinement by ECC."""
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
        sure = len(by_points.a) >= ALIGNMENT.many_inliers and spread >= ALIGNMENT.wide_spread
        least *= ALIGNMENT.many_inliers_factor if sure else 1
        one = weighed(a, b, by_points.there, least, sure=sure)._replace(points=len(by_points.a), spread=spread)
        yield one
        if one.decided:
            return
        best = one if best is None or one.worth > best.worth else best
    if best is not None and best.agrees.share > ALIGNMENT.min_refined_share:
        fine = refined(a, b, best.there)
        if fine is not None:
            yield weighed(a, b, fine, least)._replace(points=best.points, spread=best.spread)


def _turned_back(a: View, b: View, tried: Iterable[Weighed], least: float) -> Look | None:
    """Return the verdict of the first transform under which the images match after a tone inversion is undone."""
    for one in tried:
        rough = None if one.contrary else relit(a, b, one.pair, TONE_INVERSION.first_explained)
        if rough is None:
            continue
        seen = max(
            _tried(*rough, [one.there], max(least, TONE_INVERSION.min_agreement), exact=False),
            key=lambda each: each.worth,
        )
        differs = seen.differs and seen.differs._replace(relit=True, grain=0.0)  # a steep curve amplifies noise
        if differs is None or seen.agrees.blocks < TONE_INVERSION.min_blocks:
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
    """Return the share of the overlap inside the hull of the inliers: a caption or a logo is a small part of it."""
    cv2 = opencv()
    hull = cv2.convexHull(by_points.a.astype(np.float32))
    shared = overlap(by_points.there, a.sides, b.sides)[0] * a.sides[0] * a.sides[1]
    return float(cv2.contourArea(hull)) / max(shared, 1.0)
