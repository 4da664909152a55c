"""What a person needs to see of a verified pair: a transform in any case, matching keypoints, where pixels differ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, chained, inverse, overlap, placed
from twinpix.verify.alignment.align import fits, found
from twinpix.verify.alignment.blocks import BLOCK, Agreement, Laid, agreement, laid
from twinpix.verify.light.photometric import evened
from twinpix.verify.pyramid import View
from twinpix.verify.thresholds import DECISION, DESCRIBE
from twinpix.verify.verify_pair import Look

_SMOOTH = 1.0  # pixels: sigma of the blur before levels are compared, as the tones are fitted to blurred images
_EDGE = 2  # pixels along the edge of the overlap that are mixed with what lies beyond it
_FAR, _MUCH = 24.0, 0.15  # grey levels of a pixel that differs, and the share of such pixels of a block that differs

Places = NDArray[np.float64]  # (n, 2)
Mask = NDArray[np.bool_]


class Explanation(NamedTuple):
    """A verdict with a transform in any case: for different images the one on which most of them agrees."""

    look: Look
    blocks: int  # textured blocks of the overlap
    points: tuple[Places, Places]  # keypoints of `a` and their matches in `b`, in pixels of the views

    @property
    def decided(self) -> bool:
        """True if the overlap has enough texture to tell whether the images differ."""
        return self.blocks >= DECISION.min_blocks

    @property
    def is_partial(self) -> bool:
        """True if the overlap is too small a part of both images to make them copies."""
        return max(self.look.overlap) < DECISION.min_overlap


class DifferenceMap(NamedTuple):
    """Where two aligned images differ, in the pixels of the one with less detail."""

    levels: NDArray[np.float32]  # (rows, columns): absolute difference of grey levels, with equal tones and light
    differs: Mask  # (rows, columns): pixels of the blocks that differ
    to_b: Map  # from these pixels to those of view b
    blocks: int  # textured blocks
    differing: int  # of them, those that do not agree


class _On(NamedTuple):
    """A transform, and what agrees on it."""

    there: Map
    agrees: Agreement

    @property
    def agreeing(self) -> float:
        """How many blocks agree."""
        return self.agrees.share * self.agrees.blocks


def explain_pair(look: Look, a: View, b: View, guesses: Sequence[Map]) -> Explanation:
    """Complete a verdict with a transform, the keypoints that match by it, and what agrees on it.

    `guesses` are the transforms of the eight orientations, the upright one first.
    """
    if look.same and look.there is not None:
        points = common_points(a, b, look.there)
        needed = look._replace(points=len(points[0]) if look.points else 0)
        return Explanation(needed, _on(a, b, look.there).agrees.blocks, points)
    best = _aligned_by_keypoints(a, b)
    if best is None or not look.relation:
        best = _aligned_best(look.there, best, a, b, guesses)
    there, agrees = best
    points = common_points(a, b, there)
    shared = overlap(there, a.sides, b.sides)
    complete = look._replace(agrees=agrees.share, overlap=shared, points=len(points[0]), there=there)
    return Explanation(complete, agrees.blocks, points)


def common_points(a: View, b: View, there: Map) -> tuple[Places, Places]:
    """Return keypoints of one view and their matches in the other that agree with the transform."""
    by_points = found(a, b)
    if by_points is None:
        return _no_points()
    on = np.linalg.norm(placed(there, by_points.a) - by_points.b, axis=1) <= DESCRIBE.same_point
    return by_points.a[on], by_points.b[on]


def difference_map(a: View, b: View, there: Map) -> DifferenceMap:
    """Compare two aligned views after their tones and light are made equal."""
    cv2 = opencv()
    pair = laid(a, b, there)
    agrees = agreement(pair)
    tones = evened(pair, agrees)
    first, second = (cv2.GaussianBlur(grey, (0, 0), _SMOOTH) for grey in (tones.a, tones.b))
    levels = np.abs(first - second)
    levels[cv2.erode(pair.common.astype(np.uint8), np.ones((2 * _EDGE + 1, 2 * _EDGE + 1), np.uint8)) == 0] = 0
    to_b = chained(inverse(pair.there), there)
    differing = agrees.blocks - round(agrees.share * agrees.blocks)
    return DifferenceMap(levels, _differing_pixels(pair, agrees, levels), to_b, agrees.blocks, differing)


def _no_points() -> tuple[Places, Places]:
    return np.empty((0, 2)), np.empty((0, 2))


def _on(a: View, b: View, there: Map) -> _On:
    return _On(there, agreement(laid(a, b, there)))


def _aligned_by_keypoints(a: View, b: View) -> _On | None:
    """Align two views by the keypoints that both have; None where these do not define a transform."""
    by_points = found(a, b)
    return None if by_points is None or not fits(by_points, a, b) else _on(a, b, by_points.there)


def _aligned_best(there: Map | None, by_points: _On | None, a: View, b: View, guesses: Sequence[Map]) -> _On:
    """Align two different images where they have most in common.

    On `there` the largest share agrees, often of a small part and by chance: no image is turned for that.
    """
    upright, *turned = (_on(a, b, each) for each in guesses)
    least = min(DECISION.min_blocks, upright.agrees.blocks)
    if by_points is not None and by_points.agrees.blocks >= least and by_points.agreeing >= upright.agreeing:
        return by_points
    others = turned if there is None else [_on(a, b, there), *turned]
    best = max((one for one in others if one.agrees.blocks >= least), key=lambda one: one.agreeing, default=upright)
    return best if best.agreeing > DESCRIBE.turned_gain * upright.agreeing else upright


def _differing_pixels(pair: Laid, agrees: Agreement, levels: NDArray[np.float32]) -> Mask:
    """Mask the blocks that do not agree, and those of which many pixels differ: in a flat area only its edge has
    texture."""
    cv2 = opencv()
    side = next((side for side in (BLOCK, BLOCK // 2) if pair.a.shape[0] // side == agrees.fits.shape[0]), BLOCK)
    rows, columns = agrees.fits.shape
    far = (levels > _FAR).astype(np.float32)[: side * rows, : side * columns]
    blocks = (agrees.fits == 0) | (cv2.resize(far, (columns, rows), interpolation=cv2.INTER_AREA) > _MUCH)
    marked = np.kron(blocks, np.ones((side, side), np.bool_))[: pair.a.shape[0], : pair.a.shape[1]]
    out = np.zeros(pair.a.shape, np.bool_)
    out[: marked.shape[0], : marked.shape[1]] = marked
    return out & pair.common
