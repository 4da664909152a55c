"""Score an alignment hypothesis: does the overlap of two images under a transform prove a copy?"""

from dataclasses import replace
from typing import Literal, NamedTuple

from twinpix.evidence.alignment.affine import Affine, Size, corners, inverse, overlap, transform_points
from twinpix.evidence.alignment.blocks import Agreement, agreement, coarse, isotropy_of, repetition
from twinpix.evidence.alignment.refinement import is_exact
from twinpix.evidence.alignment.regions import pixels_within
from twinpix.evidence.alignment.warp import WarpedPair, use_finer, warp_pair
from twinpix.evidence.content.exclusive_content import is_exclusive, share_of_agreeing
from twinpix.evidence.content.moments import are_two_moments
from twinpix.evidence.content.overlays import without_ink, without_overlay
from twinpix.evidence.edit_features import EditFeatures, edit_features
from twinpix.evidence.light.low_texture import is_level
from twinpix.evidence.light.photometric import ToneMatch, match_light, untextured_correlation
from twinpix.evidence.masks import Mask, part_of
from twinpix.evidence.pyramid import Pyramid
from twinpix.thresholds import DECISION, EXCLUSIVE

Rejection = Literal[
    "edges",  # the directions of the edges do not agree at 96 pixels (`verify_pair`, before any transform is scored)
    "overlap",  # the area that both show is too small a part of them
    "texture",  # fewer textured blocks than can prove anything
    "agreement",  # too few textured blocks agree
    "area",  # what agrees is too small an area: dense text on an image that differs
    "borders",  # too little agrees with the borders counted
    "direction",  # edges of one direction only, which agree in any two images
    "light",  # the mean levels do not correlate
    "exclusive",  # each has content where the other one has plain background
    "moment",  # other objects in the same view
    "chance",  # parts of two images that differ, or a part that repeats itself
    "recoloured",  # too few blocks to support another change of the colours
    "text",  # pages with other text (`verify_pair`, of the transform that proves a copy)
]
"""The test that a hypothesis failed, in the order of the tests."""


class Via(NamedTuple):
    """A third image that matches both images of a pair."""

    agrees: float  # the smaller agreement of the two matches
    a_to_b: Affine  # from pixels of a to those of the third image
    size: Size  # size of the third image
    alike: bool = False  # the third image is the same as one of them in every place


class Hypothesis(NamedTuple):
    """A transform with the evidence for and against it.

    It proves a copy if and only if `differs` is not None; otherwise `rejection` is the first test that it failed.
    """

    a_to_b: Affine
    pair: WarpedPair
    agrees: Agreement
    overlap: tuple[float, float]
    differs: EditFeatures | None  # the differences of two copies
    rejection: Rejection | None = None
    inliers: int = 0  # keypoints; 0 if none were used
    spread: float = 0.0  # share of the overlap inside the hull of the inliers

    @property
    def proves_copy(self) -> bool:
        """True if the images match under this transform."""
        return self.differs is not None

    @property
    def contrary(self) -> bool:
        """True if the images align very well, but show different things: no other transform can make them copies."""
        return self.rejection in ("exclusive", "moment")

    @property
    def other_moment(self) -> bool:
        """True for other objects in the same view."""
        return self.rejection == "moment"

    @property
    def clear(self) -> bool:
        """True if no other transform need be tried: only tone and colour differ."""
        return self.differs is not None and self.agrees.share >= DECISION.clear_agreement and self.differs.plain

    @property
    def decided(self) -> bool:
        """True if an exact transform need not be refined."""
        return (self.proves_copy or self.contrary) and self.agrees.share >= DECISION.clear_agreement

    @property
    def alike(self) -> bool:
        """True if the images are the same in every place, except for tone and colour."""
        whole = min(self.overlap) >= DECISION.whole and self.agrees.share >= DECISION.clear_agreement
        return whole and self.differs is not None and self.differs.clean

    @property
    def refuted(self) -> bool:
        """True if the images align as well as possible and are no copies."""
        if self.other_moment or not self.contrary:
            return self.other_moment
        return self.agrees.share >= DECISION.exact_agreement and is_exact(self.pair)

    @property
    def rank(self) -> tuple[bool, int]:
        """Order hypotheses; a small gain does not count, so that the simpler transform is kept."""
        beyond = DECISION.difference_weight * (self.differs.outside if self.differs else 0.0)
        return self.proves_copy, round((self.agrees.share - beyond) / DECISION.min_gain)


def score_hypothesis(a: Pyramid, b: Pyramid, a_to_b: Affine, least: float, *, sure: bool = False) -> Hypothesis:
    """Score the transform `a_to_b`.

    At least a share `least` of the textured blocks must agree. `sure`: many keypoints support the transform, so that
    small overlaps may differ. If the images do not match as they are, overlays on one of them are left out.
    """
    pair = warp_pair(a, b, a_to_b)
    hypothesis = _score(a, b, pair, a_to_b, least, sure=sure)
    if hypothesis.proves_copy or hypothesis.contrary or not hypothesis.agrees.blocks:
        return hypothesis
    for bare in filter(None, (find(pair) for find in (without_overlay, without_ink))):
        rest = _score(a, b, bare.pair, a_to_b, least, sure=sure)
        share = rest.agrees.share * (1 - bare.covered)
        if rest.differs is not None and share >= least:
            agrees = rest.agrees._replace(share=share)
            tones = match_light(pair, agrees)
            differs = edit_features(pair, tones, a, b, a_to_b)
            if are_two_moments(pair, tones, differs, a, b, a_to_b):
                return hypothesis._replace(rejection="moment")
            return rest._replace(pair=pair, agrees=agrees, differs=differs)
    return hypothesis


def _score(a: Pyramid, b: Pyramid, pair: WarpedPair, a_to_b: Affine, least: float, *, sure: bool) -> Hypothesis:
    """Make the tests in their order, from blocks and overlap to content; the first that fails is the rejection.

    Two kinds of images have too few textured blocks for that: those that are equal level by level match at once, and
    small objects are scored at 640 pixels.
    """
    agrees, shared = _agreement(pair, least), overlap(a_to_b, a.size, b.size)
    if (agrees.share < least or agrees.blocks < DECISION.min_blocks) and is_level(a, b, pair, a_to_b):
        return Hypothesis(a_to_b, pair, agrees._replace(share=1.0), shared, _edit_features(pair, agrees, a, b, a_to_b))
    if (
        0 < agrees.blocks < DECISION.min_blocks
        and agrees.share >= DECISION.exact_agreement
        and (finer := use_finer(a, b, a_to_b)) is not None
    ):
        return score_hypothesis(*finer, least, sure=sure)._replace(a_to_b=a_to_b)
    scored = Hypothesis(a_to_b, pair, agrees, shared, None)
    if (rejection := _reject_agreement(agrees, shared, least)) is not None:
        return scored._replace(rejection=rejection)
    tones, isotropy = match_light(pair, agrees), isotropy_of(pair, agrees)
    if isotropy < DECISION.min_isotropy:
        return scored._replace(rejection="direction")
    if not _light_agrees(pair, tones, agrees, shared):
        return scored._replace(rejection="light")
    if _may_conflict(agrees, shared, a, b) and is_exclusive(pair, tones, agrees, a, b, a_to_b):
        return scored._replace(rejection="exclusive")
    differs = edit_features(pair, tones, a, b, a_to_b)
    if are_two_moments(pair, tones, differs, a, b, a_to_b):
        return scored._replace(rejection="moment")
    if not sure and differs.outside > DECISION.max_difference_partial and _may_agree_by_chance(shared, pair):
        return scored._replace(rejection="chance")
    if isotropy < DECISION.min_isotropy_recoloured and agrees.blocks < DECISION.line_blocks and differs.is_recoloured:
        return scored._replace(rejection="recoloured")  # nearly collinear edges agree in any two images
    needed = DECISION.part_blocks if agrees.share >= DECISION.clear_agreement else DECISION.line_blocks
    if min(shared) < DECISION.inside and agrees.blocks < needed and differs.is_recoloured:
        return scored._replace(rejection="recoloured")  # too few to support a crop and a recolouring at once
    return scored._replace(differs=differs)


def _may_agree_by_chance(shared: tuple[float, float], pair: WarpedPair) -> bool:
    """True for parts of two images, and for a part that repeats itself: one board lies in a larger board anywhere."""
    if max(shared) < DECISION.inside:
        return True
    return min(shared) < DECISION.inside and repetition(pair) > DECISION.min_repetition


def _reject_agreement(agrees: Agreement, shared: tuple[float, float], least: float) -> Rejection | None:
    """Return the first of the tests on blocks and overlap that fails; None if all hold."""
    if max(shared) < DECISION.min_overlap or min(shared) < DECISION.min_smaller_overlap:
        return "overlap"
    if agrees.blocks < DECISION.min_blocks:
        return "texture"
    if agrees.share < least:
        return "agreement"
    if agrees.area < DECISION.area_factor * least:
        return "area"
    whole = DECISION.border_agreement_exact if agrees.share >= DECISION.exact_agreement else DECISION.border_agreement
    return None if agrees.whole >= whole else "borders"


def _light_agrees(pair: WarpedPair, tones: ToneMatch, agrees: Agreement, shared: tuple[float, float]) -> bool:
    """True if the mean levels correlate, of agreeing blocks and of blocks without texture."""
    least = DECISION.light_correlation if max(shared) >= EXCLUSIVE.whole else DECISION.light_correlation_partial
    together = agrees.coarse >= least or coarse(tones.a, tones.b, agrees.fits) >= least
    return together and untextured_correlation(pair, tones, agrees) >= DECISION.flat_correlation


def _may_conflict(agrees: Agreement, shared: tuple[float, float], a: Pyramid, b: Pyramid) -> bool:
    """False for photos that agree nearly everywhere: exclusive content needs a plain background to be seen on."""
    photo = (
        max(shared) >= EXCLUSIVE.whole
        and agrees.share >= DECISION.exact_agreement
        and max(a.flatness, b.flatness) < DECISION.max_flat_photo
    )
    return not photo and not (a.damaged or b.damaged)


def score_via(a: Pyramid, b: Pyramid, a_to_b: Affine, least: float, via: Via) -> Hypothesis:
    """Score a transitive hypothesis on the area that all three images show, with a lower threshold except for pages.

    Outside that area are frames, windows and blurred margins that were added to a copy. A pair with exclusive content
    or other objects inside it is different: the third image is an empty form that both filled in, or an empty scene. If
    the third image is the same as one of the two in every place, at least as much agrees as in its match with the other
    one.
    """
    pair, shared = warp_pair(a, b, a_to_b), overlap(a_to_b, a.size, b.size)
    shown = _mask_shown(pair, via)
    of_all = replace(pair, common=pair.common & shown)
    agrees = _agreement(of_all, least)
    enough = agrees.blocks >= DECISION.min_blocks or agrees.share >= DECISION.exact_agreement
    sure = share_of_agreeing(of_all, agrees) >= DECISION.transitive_filled or (
        via.agrees >= DECISION.transitive_agreement and enough
    )
    same = sure and agrees.share >= DECISION.transitive_factor * least
    same = (
        same
        and min(shared) >= DECISION.min_smaller_overlap
        and part_of(shown, pair.common & ~pair.border) >= DECISION.transitive_overlap
    )
    scored = Hypothesis(a_to_b, pair, agrees, shared, None)
    if not (same or via.alike):
        return scored._replace(rejection="agreement")
    tones, compared = match_light(of_all, agrees), agrees.share >= least and _may_conflict(agrees, shared, a, b)
    if compared and is_exclusive(of_all, tones, agrees, a, b, a_to_b, shown):
        return scored._replace(rejection="exclusive")
    differs = _edit_features(pair, agrees, a, b, a_to_b)
    if are_two_moments(of_all, tones, differs, a, b, a_to_b):
        return scored._replace(rejection="moment")
    if via.alike:  # the third image stands for one of them: its match with the other proves this one
        agrees = agrees._replace(share=max(agrees.share, via.agrees))
    return scored._replace(agrees=agrees, differs=differs)


def _mask_shown(pair: WarpedPair, via: Via) -> Mask:
    """Mask the pixels of a pair that the third image shows."""
    ends = transform_points(pair.a_to_b, transform_points(inverse(via.a_to_b), corners(via.size)))
    return pixels_within(ends, pair.common.shape)


def _agreement(pair: WarpedPair, least: float) -> Agreement:
    """Compare the blocks; if only some agree and these show a vignette, compare once more without it."""
    agrees = agreement(pair)
    if not DECISION.vignette_factor * least < agrees.share < least or agrees.blocks < DECISION.min_blocks:
        return agrees
    tones = match_light(pair, agrees)
    again = agreement(replace(pair, a=tones.a, b=tones.b)) if tones.removes_vignette else agrees
    return again if again.share > agrees.share else agrees


def _edit_features(pair: WarpedPair, agrees: Agreement, a: Pyramid, b: Pyramid, a_to_b: Affine) -> EditFeatures:
    return edit_features(pair, match_light(pair, agrees), a, b, a_to_b)
