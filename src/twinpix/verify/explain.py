"""Explain a verified pair to the user: a transform in any case, matching keypoints, and where pixels differ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, compose, inverse, overlap, transform_points
from twinpix.evidence.alignment.align import align_keypoints, fits
from twinpix.evidence.alignment.blocks import Agreement, agreement, block_side
from twinpix.evidence.alignment.warp import WarpedPair, warp_pair
from twinpix.evidence.light.photometric import match_light
from twinpix.evidence.masks import Mask, erode
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import DECISION, DESCRIBE
from twinpix.verify.hypothesis import score_hypothesis
from twinpix.verify.verify_pair import Verdict

_SMOOTH = 1.0  # pixels: sigma of the blur before levels are compared, as the tones are fitted to blurred images
_EDGE = 2  # pixels along the edge of the overlap that are mixed with those beyond it
_FAR, _MUCH = 24.0, 0.15  # grey levels of a pixel that differs, and the share of such pixels of a block that differs

Places = NDArray[np.float64]  # (n, 2)


class Explanation(NamedTuple):
    """A verdict with a transform in any case: for different images, the one under which most blocks agree."""

    verdict: Verdict
    blocks: int  # textured blocks of the overlap

    @property
    def decided(self) -> bool:
        """True if the overlap has enough texture to tell whether the images differ."""
        return self.blocks >= DECISION.min_blocks


class DifferenceMap(NamedTuple):
    """Where two aligned images differ, in the pixels of the one with less detail."""

    levels: NDArray[np.float32]  # (rows, columns): absolute difference of grey levels, with equal tones and light
    differs: Mask  # (rows, columns): pixels of the blocks that differ
    to_b: Affine  # from these pixels to those of pyramid b
    blocks: int  # textured blocks
    differing: int  # of them, those that do not agree


class _On(NamedTuple):
    """A transform, and the agreement of the blocks under it."""

    a_to_b: Affine
    agrees: Agreement

    @property
    def agreeing(self) -> float:
        """The number of blocks that agree."""
        return self.agrees.share * self.agrees.blocks


def explain_pair(verdict: Verdict, a: Pyramid, b: Pyramid, guesses: Sequence[Affine], least: float) -> Explanation:
    """Complete a verdict with a transform, the keypoints that match by it, the agreement under it, and the rejection.

    `guesses` are the transforms of the eight orientations, the upright one first; `least` is that of `verify_pair`.
    """
    if verdict.same and verdict.a_to_b is not None:
        inliers = len(common_points(a, b, verdict.a_to_b)[0]) if verdict.inliers else 0
        return Explanation(verdict._replace(inliers=inliers), _agreement_under(a, b, verdict.a_to_b).agrees.blocks)
    best = _align_by_keypoints(a, b)
    if best is None or not verdict.relation:
        best = _align_best(verdict.a_to_b, best, a, b, guesses)
    a_to_b, agrees = best
    shared, inliers = overlap(a_to_b, a.size, b.size), len(common_points(a, b, a_to_b)[0])
    complete = verdict._replace(agrees=agrees.share, overlap=shared, inliers=inliers, a_to_b=a_to_b)
    if not verdict.conflict and verdict.rejection != "text":
        rejection = score_hypothesis(a, b, a_to_b, least).rejection or verdict.rejection
        complete = complete._replace(rejection=rejection)
    return Explanation(complete, agrees.blocks)


def common_points(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[Places, Places]:
    """Return keypoints of one pyramid and their matches in the other that agree with the transform."""
    by_keypoints = align_keypoints(a, b)
    if by_keypoints is None:
        return _no_inliers()
    on = np.linalg.norm(transform_points(a_to_b, by_keypoints.a) - by_keypoints.b, axis=1) <= DESCRIBE.same_point
    return by_keypoints.a[on], by_keypoints.b[on]


def difference_map(a: Pyramid, b: Pyramid, a_to_b: Affine) -> DifferenceMap:
    """Compare two aligned pyramids after photometric normalisation."""
    cv2 = opencv()
    pair = warp_pair(a, b, a_to_b)
    agrees = agreement(pair)
    tones = match_light(pair, agrees)
    first, second = (cv2.GaussianBlur(grey, (0, 0), _SMOOTH) for grey in (tones.a, tones.b))
    levels = np.abs(first - second)
    levels[~erode(pair.common, 2 * _EDGE + 1, beyond=True)] = 0
    to_b = compose(inverse(pair.a_to_b), a_to_b)
    differing = agrees.blocks - round(agrees.share * agrees.blocks)
    return DifferenceMap(levels, _differing_pixels(pair, agrees, levels), to_b, agrees.blocks, differing)


def _no_inliers() -> tuple[Places, Places]:
    return np.empty((0, 2)), np.empty((0, 2))


def _agreement_under(a: Pyramid, b: Pyramid, a_to_b: Affine) -> _On:
    return _On(a_to_b, agreement(warp_pair(a, b, a_to_b)))


def _align_by_keypoints(a: Pyramid, b: Pyramid) -> _On | None:
    """Align two pyramids by their keypoints; return None if these do not define a transform."""
    by_keypoints = align_keypoints(a, b)
    return None if by_keypoints is None or not fits(by_keypoints, a, b) else _agreement_under(a, b, by_keypoints.a_to_b)


def _align_best(
    a_to_b: Affine | None, by_keypoints: _On | None, a: Pyramid, b: Pyramid, guesses: Sequence[Affine]
) -> _On:
    """Align two different images where they have most in common.

    Under `a_to_b` the largest share agrees, often of a small part and by chance: no image is rotated for that.
    """
    upright, *turned = (_agreement_under(a, b, each) for each in guesses)
    least = min(DECISION.min_blocks, upright.agrees.blocks)
    if by_keypoints is not None and by_keypoints.agrees.blocks >= least and by_keypoints.agreeing >= upright.agreeing:
        return by_keypoints
    others = turned if a_to_b is None else [_agreement_under(a, b, a_to_b), *turned]
    best = max((one for one in others if one.agrees.blocks >= least), key=lambda one: one.agreeing, default=upright)
    return best if best.agreeing > DESCRIBE.turned_gain * upright.agreeing else upright


def _differing_pixels(pair: WarpedPair, agrees: Agreement, levels: NDArray[np.float32]) -> Mask:
    """Mask the blocks that do not agree, and those in which many pixels differ: in a flat area only its edge has
    texture."""
    cv2 = opencv()
    side, (rows, columns) = block_side(pair), agrees.fits.shape
    far = (levels > _FAR).astype(np.float32)[: side * rows, : side * columns]
    blocks = (agrees.fits == 0) | (cv2.resize(far, (columns, rows), interpolation=cv2.INTER_AREA) > _MUCH)
    marked = np.kron(blocks, np.ones((side, side), np.bool_))[: pair.a.shape[0], : pair.a.shape[1]]
    out = np.zeros(pair.a.shape, np.bool_)
    out[: marked.shape[0], : marked.shape[1]] = marked
    return out & pair.common
