"""Screen a pair under one transform at 96 pixels: do the edges run in the same directions?

The first and cheapest step of verification: the directions of edges change neither with tones nor with inversion, and
at 96 pixels a transform that keypoints gave is exact to a fraction of a pixel. Pairs of different images end here.
"""

from typing import NamedTuple

import numpy as np

from twinpix.evidence.alignment.affine import (
    Affine,
    Size,
    clip_polygon,
    compose,
    corners,
    inverse,
    scale_of,
    transform_points,
)
from twinpix.evidence.masks import Floats, erode
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.model import Bytes2D
from twinpix.thresholds import SCREENING

_SIDE = 96  # pixels along the longer side of the overlap
_LEAST = 8  # pixels along its shorter side: one block
_BLOCK = 8  # pixels of either side of a block
_BLUR = 1.0  # pixels of Gaussian blur: the transform may be off by half a pixel
_SOBEL = 1 / 8  # scale of the Sobel operator, whose weights sum to 8
_EPSILON = 1e-6  # divisor above 0
_ENERGY_FLOOR = 0.1  # squared grey levels a pixel: noise, so that flat blocks have a finite agreement


class Screening(NamedTuple):
    """How well the edges of two images agree under a transform."""

    agrees: float  # mean over textured blocks, from -1 to 1: 1 for the same directions, 0 for unrelated images
    opposed: float  # of the blocks that agree, the share whose edges run from light to dark where the other's run back
    blocks: int  # with texture in either image

    @property
    def refutes(self) -> bool:
        """True for unrelated images."""
        return self.blocks >= SCREENING.min_blocks and self.agrees < SCREENING.min_agreement

    @property
    def differs(self) -> bool:
        """True if these are no copies under this transform; they may be copies under another one."""
        return self.blocks >= SCREENING.min_blocks and self.agrees < SCREENING.min_aligned_agreement

    @property
    def is_positive(self) -> bool:
        """True if light and dark are not exchanged, not even for a part of the tones."""
        return self.blocks >= SCREENING.min_blocks and self.opposed < SCREENING.min_opposed


def screen(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Screening | None:
    """Screen two images under a transform from pixels of `a` to pixels of `b`; None if hardly anything overlaps.

    For each pixel the angle between both gradients is doubled, so that edges that are inverted count as equal; the
    cosines are weighted by the gradients and normalised by the energy of each block of 8 × 8 pixels.
    """
    cv2 = opencv()
    grid = _grid(a.size, b.size, a_to_b)
    if grid is None:
        return None
    to_a, to_b, size = grid
    shown = cv2.warpAffine(
        np.ones(a.grey.shape, np.uint8), to_a, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=0
    )
    known = erode(shown, 3, beyond=False).astype(np.float32)
    (ax, ay), (bx, by) = (_gradients(_sample_grid(view.halves, to, size)) for view, to in ((a, to_a), (b, to_b)))
    of_a, of_b = (ax * ax + ay * ay) * known, (bx * bx + by * by) * known
    along, across = ax * bx + ay * by, ax * by - ay * bx
    doubled = (along * along - across * across) / (np.sqrt(of_a * of_b) + _EPSILON) * known
    blocks = tuple(max(1, length // _BLOCK) for length in size)
    doubled, along, of_a, of_b, covered = (
        cv2.resize(each, blocks, interpolation=cv2.INTER_AREA) for each in (doubled, along * known, of_a, of_b, known)
    )
    texture = np.maximum(of_a, of_b) > SCREENING.min_energy * covered
    textured = texture & (covered > SCREENING.min_coverage)
    if not textured.any():
        return Screening(0.0, 0.0, 0)
    energy = np.sqrt(np.maximum(of_a, _ENERGY_FLOOR) * np.maximum(of_b, _ENERGY_FLOOR))[textured]
    agreement = doubled[textured] / energy
    opposed = along[textured][agreement > SCREENING.agreeing] < 0
    return Screening(float(agreement.mean()), float(opposed.mean()) if len(opposed) else 0.0, int(textured.sum()))


def _grid(a: Size, b: Size, a_to_b: Affine) -> tuple[Affine, Affine, tuple[int, int]] | None:
    """Return a grid over the overlap: its transforms to `a` and to `b`, and its width and height in pixels.

    A pixel of the grid is no smaller than one of either image.
    """
    shared = clip_polygon(transform_points(a_to_b, corners(a)), b)
    if len(shared) < 3:
        return None
    low, high = shared.min(axis=0), shared.max(axis=0)
    step = max(float((high - low).max()) / _SIDE, 1.0, scale_of(a_to_b))
    width, height = (int(length / step) for length in (high - low).tolist())
    if min(width, height) < _LEAST:
        return None
    to_b = np.array([[step, 0, low[0] + step / 2], [0, step, low[1] + step / 2]])
    return compose(to_b, inverse(a_to_b)), to_b, (width, height)


def _sample_grid(halves: list[Bytes2D], to_image: Affine, size: tuple[int, int]) -> Bytes2D:
    """Sample an image at the pixels of the grid, from the half whose pixels are about as large."""
    cv2 = opencv()
    half = halves[min(len(halves) - 1, max(0, round(float(np.log2(max(scale_of(to_image), 1.0))))))]
    across, down = (small / whole for small, whole in zip(half.shape[::-1], halves[0].shape[::-1], strict=True))
    to_half = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out: Bytes2D = cv2.warpAffine(half, compose(to_image, to_half), size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return out


def _gradients(grey: Bytes2D) -> tuple[Floats, Floats]:
    cv2 = opencv()
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *along, scale=_SOBEL) for along in ((1, 0), (0, 1)))
    return across, down
