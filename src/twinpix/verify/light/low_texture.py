"""The same light, dark and colours everywhere: what tells pictures in which nothing stands out."""

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, overlap
from twinpix.verify.content.blocks import BLOCK, Floats, Laid, laid_colours
from twinpix.verify.pyramid import View

_MOST, _PART = 0.85, 0.1  # of the one picture, and of the other, that both show
_OFF, _OFF_SOMEWHERE = 2.5, 8.0  # levels between them: on average everywhere, and of any block
_VARIED = 10.0  # levels by which a picture varies: of a plain one nothing can be told


def is_level(a: View, b: View, pair: Laid, there: Map) -> bool:
    """True when one picture shows nearly all of the other, with the same levels up to what an encoder changes.

    Soft gradients, silhouettes and masks have nothing that would agree block by block. Two of them are one picture
    only if light, dark and both colours are the same in every place, and vary enough for that to mean something.
    """
    shared = overlap(there, a.sides, b.sides)
    if max(shared) < _MOST or min(shared) < _PART:
        return False
    if not _near(pair.a - pair.b, _within(pair.common), BLOCK):
        return False
    moved, common = laid_colours(a, b, there)
    shown = _within(common)
    apart: Floats = np.abs(moved.astype(np.float32) - b.colours).max(axis=-1)
    if not _near(apart, shown, BLOCK // 4):
        return False
    varied = max(float(channel.std()) for channel in (pair.b[pair.common], *np.moveaxis(b.colours[shown], -1, 0)))
    return varied > _VARIED


def _within(common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What both show, less what lies along an edge, where a map is no more exact than a pixel."""
    cv2 = opencv()
    return np.asarray(cv2.erode(common.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0), dtype=bool)


def _near(apart: Floats, where: NDArray[np.bool_], side: int) -> bool:
    cv2 = opencv()
    if not where.any():
        return False
    off = np.where(where, np.abs(cv2.GaussianBlur(apart, (0, 0), 1.0)), np.float32(0))
    return float(off[where].mean()) <= _OFF and float(cv2.blur(off, (side, side)).max()) <= _OFF_SOMEWHERE
