"""Compare images without texture, level by level: gradients, silhouettes, masks."""

import numpy as np

from twinpix.evidence.alignment.affine import Affine, overlap
from twinpix.evidence.alignment.blocks import BLOCK
from twinpix.evidence.alignment.warp import WarpedPair, warp_colours
from twinpix.evidence.masks import Floats, Mask, erode, window_mean
from twinpix.evidence.pyramid import Pyramid
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import LOW_TEXTURE

_EDGE = 5  # pixels a side of the window by which the overlap is eroded: a transform may be off by a pixel


def is_level(a: Pyramid, b: Pyramid, pair: WarpedPair, a_to_b: Affine) -> bool:
    """True if one image shows nearly all of the other with the same levels, up to what an encoder changes.

    They have too few textured blocks for NCC. Luma and all three channels must be the same in every place, and at
    least one of them must vary, since two blank images prove nothing.
    """
    shared = overlap(a_to_b, a.size, b.size)
    if max(shared) < LOW_TEXTURE.min_overlap or min(shared) < LOW_TEXTURE.min_smaller_overlap:
        return False
    if not _is_near(pair.a - pair.b, erode(pair.common, _EDGE, beyond=False), BLOCK):
        return False
    moved, common = warp_colours(a, b, a_to_b)
    shown = erode(common, _EDGE, beyond=False)
    difference: Floats = np.abs(moved.astype(np.float32) - b.colours).max(axis=-1)
    if not _is_near(difference, shown, BLOCK // 4):
        return False
    varied = max(float(channel.std()) for channel in (pair.b[pair.common], *np.moveaxis(b.colours[shown], -1, 0)))
    return varied > LOW_TEXTURE.min_deviation


def _is_near(difference: Floats, where: Mask, side: int) -> bool:
    if not where.any():
        return False
    off = np.where(where, np.abs(opencv().GaussianBlur(difference, (0, 0), 1.0)), np.float32(0))
    return (
        float(off[where].mean()) <= LOW_TEXTURE.mean_difference
        and float(window_mean(off, side).max()) <= LOW_TEXTURE.block_difference
    )
