"""Verify a pair of pyramids: try the given transforms, the cheapest first, then keypoints, and return a verdict."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

from twinpix.evidence.alignment.affine import Affine, corner_distance, inverse, orientation_transform, overlap
from twinpix.evidence.alignment.align import KeypointAlignment, align_keypoints, fits, spread_of
from twinpix.evidence.alignment.refinement import refine
from twinpix.evidence.alignment.screening import screen
from twinpix.evidence.alignment.warp import warp_pair
from twinpix.evidence.content.pages import compare_pages
from twinpix.evidence.edit_features import EditFeatures
from twinpix.evidence.light.tone_inversion import undo_inversion
from twinpix.evidence.pyramid import Pyramid, brightening_factor
from twinpix.model import Relation
from twinpix.thresholds import ALIGNMENT, DECISION, SCREENING, TONE_INVERSION
from twinpix.verify.describe import describe_edit
from twinpix.verify.hypothesis import Hypothesis, Rejection, Via, score_hypothesis, score_via

VERSION = 23
"""Version of the verdicts: raise it when verdicts, names or numbers change. Stored verdicts belong to one version."""

_SAME_PLACE = 1e-6  # pixels: rounding of the transform of an orientation
_AS_EXACT = 1.0  # pixels: blocks are compared after a blur that is wider


Align = Callable[[], KeypointAlignment | None]
"""Aligns a pair by its keypoints."""


class Verdict(NamedTuple):
    """The verdict of the verification of a pair."""

    relation: Relation | None  # None: different images
    detail: str  # the edits from a to b, with their numbers
    back: str  # the edits from b to a
    agrees: float  # share of the textured blocks
    overlap: tuple[float, float]  # share of either image that both show
    inliers: int  # keypoints; 0 if none were needed
    a_to_b: Affine | None  # from pixels of pyramid a to those of pyramid b
    alike: bool = False  # the same in every place, except for tone and colour
    inverted: bool = False  # tones are inverted; `agrees` counts after the inversion is undone
    conflict: bool = False  # aligned, with mutually exclusive content: two documents of one design
    lettered: bool = False  # no copies although many keypoints agree: both have print, as pages and cards do
    borders: tuple[bool, bool] = (False, False)  # whether a and b has a border that the other one lacks
    rejection: Rejection | None = None  # why they are no copies: the test that the best transform failed

    def swap_images(self) -> "Verdict":
        """Return the verdict with both images exchanged."""
        a_to_b = None if self.a_to_b is None else inverse(self.a_to_b)
        overlap, borders = self.overlap[::-1], self.borders[::-1]
        return self._replace(detail=self.back, back=self.detail, overlap=overlap, a_to_b=a_to_b, borders=borders)

    @property
    def same(self) -> bool:
        """True for copies, edited or not."""
        return self.relation is not None and self.relation != "similar-scene"


def verify_quick(a: Pyramid, b: Pyramid, guesses: Iterable[Affine], least: float | None = None) -> Verdict | None:
    """Verify with an early exit: the verdict of `verify_pair` if one of the guesses decides it, else None.

    A guess under which the edges do not agree at 96 pixels decides nothing.
    """
    least = DECISION.min_agreement if least is None else least
    guesses = [each for each in guesses if (screened := screen(a, b, each)) is None or not screened.differs]
    scored = list[Hypothesis]()
    for a_to_b in guesses:
        one = score_hypothesis(a, b, a_to_b, least)
        scored.append(one)
        if one.differs is not None:  # another transform may describe the edit better
            return _conclude(a, b, one, one.differs) if one.clear else verify_pair(a, b, guesses, least, scored=scored)
        if one.refuted:
            return _reject(one)
    return None


def verify_pair(
    a: Pyramid,
    b: Pyramid,
    guesses: Iterable[Affine] = (),
    least: float | None = None,
    *,
    exact: bool = False,
    via: Via | None = None,
    scored: Sequence[Hypothesis] = (),
) -> Verdict:
    """Verify whether `a` and `b` are copies: at least a share `least` of their textured blocks must agree.

    `least` is `DECISION.min_agreement` by default. `guesses` are transforms from `a` to `b`, the likeliest first; an
    `exact` first one was fitted to keypoints. `via` is a third image that matches both: then only the area that all
    three show counts, and less of it must agree, since two edits of one image may leave little in common. If the third
    image is the same as one of them in every place, it stands for that one. Without one, images whose edges do not
    agree at 96 pixels, under an `exact` transform and under that of their keypoints, are different: nothing else is
    tried. Two dark images that do not match are compared once more, brightened by the same factor. `scored` are the
    scores of the first guesses, if they are known.
    """
    least = DECISION.min_agreement if least is None else least
    guesses = list(guesses)
    align = cache(lambda: align_keypoints(a, b))
    if exact and guesses and via is None and (refuted := _refute(a, b, guesses[0], align)) is not None:
        return refuted
    verdict = _verify_once(a, b, guesses, least, align, exact=exact, via=via, scored=scored)
    if not verdict.same and verdict.inliers >= ALIGNMENT.overdrawn_inliers:
        verdict = verdict._replace(lettered=a.is_page and b.is_page)
    if verdict.same or verdict.conflict or (times := brightening_factor(a, b)) == 1:
        return verdict
    a, b = a.brighten(times), b.brighten(times)
    brighter = _verify_once(a, b, guesses, least, partial(align_keypoints, a, b), exact=exact, via=via)
    return brighter if brighter.same or brighter.conflict else verdict


def _refute(a: Pyramid, b: Pyramid, guess: Affine, align: Align) -> Verdict | None:
    """Return the verdict of two images whose edges do not agree at 96 pixels; None if more has to be compared."""
    screened = screen(a, b, guess)
    if screened is None or not screened.differs:
        return None
    agrees = max(0.0, screened.agrees)
    different = Verdict(None, "", "", agrees, overlap(guess, a.size, b.size), 0, guess, rejection="edges")
    if screened.refutes or (by_keypoints := align()) is None or not fits(by_keypoints, a, b):
        return different
    a_to_b, inliers = by_keypoints.a_to_b, len(by_keypoints.a)
    aligned = screen(a, b, a_to_b)
    if aligned is not None and aligned.agrees >= SCREENING.min_aligned_agreement:
        return None
    if inliers < ALIGNMENT.scene_inliers or spread_of(by_keypoints, a, b) < ALIGNMENT.scene_spread:
        return different
    return different._replace(
        relation="similar-scene", overlap=overlap(a_to_b, a.size, b.size), inliers=inliers, a_to_b=a_to_b
    )


def _verify_once(
    a: Pyramid,
    b: Pyramid,
    guesses: list[Affine],
    least: float,
    align: Align,
    *,
    exact: bool,
    via: Via | None,
    scored: Sequence[Hypothesis] = (),
) -> Verdict:
    joined = [score_via(a, b, a_to_b, least, via) for a_to_b in guesses] if via else []
    for one in joined:
        if one.differs is not None:
            return _conclude(a, b, one, one.differs, via)
        if one.contrary:
            return _reject(one)
    tried = list(_try_transforms(a, b, guesses, least, align, exact=exact, scored=scored))
    if (moment := next((one for one in tried if one.other_moment), None)) is not None:
        return _reject(moment)
    best = max(tried, key=lambda one: one.rank, default=None)
    best = best and _straighten(a, b, best, least)
    if best is not None and best.differs is not None:
        return _conclude(a, b, best, best.differs)
    inverted = _verify_inverted(a, b, tried, least)
    if inverted is not None:
        return inverted
    scene = max((one for one in tried if not one.contrary), key=lambda one: one.inliers, default=None)
    if scene is None or scene.inliers < ALIGNMENT.scene_inliers or scene.spread < ALIGNMENT.scene_spread:
        rejected = _reject(best)
    else:
        rejected = _reject(scene)._replace(relation="similar-scene")
    contrary = next((one for one in tried if one.contrary), None)
    return rejected._replace(
        conflict=contrary is not None, rejection=contrary.rejection if contrary else rejected.rejection
    )


def as_compared(verdict: Verdict, a: Pyramid, b: Pyramid) -> tuple[Pyramid, Pyramid]:
    """Return both pyramids as they were compared: if tones are inverted, that is undone in one of them."""
    if not verdict.inverted or verdict.a_to_b is None:
        return a, b
    return undo_inversion(a, b, warp_pair(a, b, verdict.a_to_b)) or (a, b)


def _straighten(a: Pyramid, b: Pyramid, best: Hypothesis, least: float) -> Hypothesis:
    """Replace a transform by a near orientation if nearly as much agrees under it: keypoints are inexact."""
    for turn in range(8):
        a_to_b = orientation_transform(turn, a.size, b.size)
        far = corner_distance(a_to_b, best.a_to_b, a.size)
        if far < (_AS_EXACT if best.differs is None else _SAME_PLACE):  # it is that orientation already
            return best
        if far < ALIGNMENT.orientation_distance * max(b.size):
            straight = score_hypothesis(a, b, a_to_b, least)
            known = straight.differs is not None or straight.contrary
            if known and straight.agrees.share >= best.agrees.share - ALIGNMENT.orientation_loss:
                return straight._replace(inliers=best.inliers, spread=best.spread)
    return best


def _reject(best: Hypothesis | None) -> Verdict:
    if best is None:
        return Verdict(None, "", "", 0.0, (0.0, 0.0), 0, None)
    relation: Relation | None = "similar-scene" if best.other_moment else None
    verdict = Verdict(relation, "", "", best.agrees.share, best.overlap, best.inliers, best.a_to_b)
    return verdict._replace(conflict=best.contrary, rejection=best.rejection)


def _try_transforms(
    a: Pyramid,
    b: Pyramid,
    guesses: Iterable[Affine],
    least: float,
    align: Align,
    *,
    exact: bool,
    scored: Sequence[Hypothesis] = (),
) -> Iterator[Hypothesis]:
    """Score transforms, the cheapest first, until one decides: guesses, keypoints, refinement by ECC.

    `scored` are the scores of the first guesses.

    A transform that hardly differs from an earlier one is not scored again: pages and windows of one design agree as
    exactly under the first as under any.
    """
    best: Hypothesis | None = None
    done: list[Hypothesis] = []
    for number, a_to_b in enumerate(guesses):
        one = scored[number] if number < len(scored) else score_hypothesis(a, b, a_to_b, least)
        yield one
        done.append(one)
        if exact and best is None and one.decided:  # only the first is exact
            return
        if one.clear or one.refuted:
            return
        best = one if best is None or one.rank > best.rank else best
    by_keypoints = align()
    if by_keypoints is not None and fits(by_keypoints, a, b):
        spread = spread_of(by_keypoints, a, b)
        sure = len(by_keypoints.a) >= ALIGNMENT.many_inliers and spread >= ALIGNMENT.wide_spread
        least *= ALIGNMENT.many_inliers_factor if sure else 1
        same = None if sure else _find_scored(a, by_keypoints.a_to_b, done)
        one = same or score_hypothesis(a, b, by_keypoints.a_to_b, least, sure=sure)
        one = one._replace(inliers=len(by_keypoints.a), spread=spread)
        yield one
        done.append(one)
        if one.decided:
            return
        best = one if best is None or one.rank > best.rank else best
    if best is not None and best.agrees.share > ALIGNMENT.min_refined_share:
        fine = refine(a, b, best.a_to_b)
        if fine is not None and _find_scored(a, fine, done) is None:
            yield score_hypothesis(a, b, fine, least)._replace(inliers=best.inliers, spread=best.spread)


def _find_scored(a: Pyramid, a_to_b: Affine, scored: list[Hypothesis]) -> Hypothesis | None:
    """Return the hypothesis whose transform is the same but for a pixel."""
    return next((one for one in scored if corner_distance(a_to_b, one.a_to_b, a.size) < _AS_EXACT), None)


def _verify_inverted(a: Pyramid, b: Pyramid, tried: Iterable[Hypothesis], least: float) -> Verdict | None:
    """Return the verdict of the first transform under which the images match after a tone inversion is undone."""
    for one in tried:
        if one.contrary or ((screened := screen(a, b, one.a_to_b)) and screened.is_positive):
            continue
        rough = undo_inversion(a, b, one.pair, TONE_INVERSION.first_explained)
        if rough is None:
            continue
        align, most = partial(align_keypoints, *rough), max(least, TONE_INVERSION.min_agreement)
        best = max(_try_transforms(*rough, [one.a_to_b], most, align, exact=False), key=lambda each: each.rank)
        differs = best.differs and best.differs._replace(inverted=True, grain=0.0)  # a steep curve amplifies noise
        if differs is None or best.agrees.blocks < TONE_INVERSION.min_blocks:
            continue
        if undo_inversion(a, b, warp_pair(a, b, best.a_to_b)) is not None:
            return _conclude(a, b, best, differs)._replace(inverted=True)
    return None


def _conclude(a: Pyramid, b: Pyramid, best: Hypothesis, differs: EditFeatures, via: Via | None = None) -> Verdict:
    """Return the verdict of a transform that proves a copy: pages with other text are rejected, others are named."""
    if not differs.inverted:
        spots, within = differs.spots or best.agrees.share < 1, via and (via.a_to_b, via.size)
        comparison = compare_pages(a, b, best.a_to_b, spots=spots, clean=differs.clean, within=within)
        if comparison.different:
            return _reject(best)._replace(rejection="text")
        if comparison.box is not None and differs.clean:
            differs = differs.with_edit_at(comparison.box)
    name = describe_edit(a, b, best.a_to_b, differs)
    verdict = Verdict(
        name.relation, name.detail, name.back, best.agrees.share, best.overlap, best.inliers, best.a_to_b, best.alike
    )
    return verdict._replace(borders=name.borders)
