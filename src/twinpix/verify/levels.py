"""The same light, dark and colours everywhere: what tells pictures in which nothing stands out."""

import numpy as np

from twinpix.imaging.opencv import opencv
from twinpix.verify.agreement import BLOCK, Floats, Laid, laid_colours
from twinpix.verify.maps import Map, overlap
from twinpix.verify.views import View

_ALL = 0.97  # of either picture, that both show
_OFF, _OFF_SOMEWHERE = 2.5, 8.0  # levels between them: on average everywhere, and of any block
_VARIED = 10.0  # levels by which a picture varies: of a plain one nothing can be told


def is_level(a: View, b: View, pair: Laid, there: Map) -> bool:
    """True when two pictures that fill each other have the same levels, up to what an encoder changes.

    Soft gradients, silhouettes and masks have nothing that would agree block by block. Two of them are one picture
    only if light, dark and both colours are the same in every place, and vary enough for that to mean something.
    """
    if min(overlap(there, a.sides, b.sides)) < _ALL or not pair.common.any():
        return False
    varied = max(float(channel.std()) for channel in (pair.b[pair.common], *np.moveaxis(b.colours, -1, 0)))
    return varied > _VARIED and _near(pair.a - pair.b, BLOCK) and _near(_colours_apart(a, b, there), BLOCK // 4)


def _near(apart: Floats, side: int) -> bool:
    cv2 = opencv()
    inner = apart[2:-2, 2:-2]  # along an edge a map is no more exact than a pixel
    if not inner.size:
        return False
    off = np.abs(cv2.GaussianBlur(inner, (0, 0), 1.0))
    return float(off.mean()) <= _OFF and float(cv2.blur(off, (side, side)).max()) <= _OFF_SOMEWHERE


def _colours_apart(a: View, b: View, there: Map) -> Floats:
    moved, _ = laid_colours(a, b, there)
    out: Floats = np.abs(moved.astype(np.float32) - b.colours).max(axis=-1)
    return out
