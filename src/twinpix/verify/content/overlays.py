"""What was put on a picture, and hides a part of it: stickers, bands, logos, lines."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.content.blocks import Floats, Laid, inside, part_of
from twinpix.verify.light.normalize import around

ONE = 0.12  # of the overlap: one thing no larger may have been put there
_BAND, _SPAN = 0.3, 0.95  # of the overlap: a band along an edge; and of that edge, and of its own box, that it fills
_OFF, _OFF_AT_MOST = 2.5, 0.03  # levels on average, and the share of pixels that are unlike, beside them
_SAME, _SAME_AT_MOST = 1.0, 0.001  # beside what was put on plain ground, where that is all that tells
_AROUND = 5  # pixels a side of what lies around a pixel
_VARIED = 3.0  # levels by which places vary in which there is something to see
_MORE = 0.1  # of what was covered, in which there may be more to see than beside it
_STICKERS = 6  # places at most
_UNLIKE = 12.0  # grey levels
_SOLID = 36  # part of the longer side: what is thinner than this everywhere is not solid
_DRAWN = 24.0  # levels by which what was drawn is unlike what it was drawn on
_INK, _INK_OFF = 20.0, 0.002  # levels off what ink makes of a picture; and the share of what was drawn that may be
_INKED = 0.33  # of the overlap, that is covered at most
_AGAINST, _THROUGH = -0.1, 0.9  # how much of the picture shines through ink: dark does not become light
_EDGE, _FILL = 3, 3.0  # pixels: how wide the edge of what was drawn is, and from how far it is filled
_ROUNDS, _EXACT = 4, 6.0  # in which the colour of ink is found; levels that a pixel of it may be off


class Bare(NamedTuple):
    """Two pictures without what was put on one of them."""

    pair: Laid
    covered: float  # of the overlap


def stuck_on(pair: Laid) -> Bare | None:
    """Without what is solid and was put on ground of one of the pictures; None where there is nothing of the kind.

    Beside it every pixel must be the same, and show no less than was covered.
    """
    inner = inside(pair.common)
    over = laid_over_ground(pair, inner)
    if not over.any() or not any(_is_ground(grey, over, inner & ~over) for grey in (pair.a, pair.b)):
        return None
    differs = np.abs(pair.a - pair.b) > _UNLIKE
    return Bare(pair._replace(common=pair.common & ~over), part_of(differs & over, inner))


def inked(pair: Laid) -> Bare | None:
    """Without lines or letters of one colour all over one of the pictures, which may shine through; None without any.

    What is unlike lies between what the picture is elsewhere and what the ink makes of it; of two drawings in one
    colour either has some that the other has not.
    """
    inner = inside(pair.common)
    apart = np.abs(pair.a - pair.b) * inner
    unlike, drawn = apart > _UNLIKE, apart > _DRAWN
    covered = part_of(unlike, inner)
    if not drawn.any() or covered > _INKED:
        return None
    if not any(_is_ink(under[drawn], over[drawn]) for under, over in ((pair.a, pair.b), (pair.b, pair.a))):
        return None
    cv2 = opencv()
    ink = cv2.dilate(unlike.astype(np.uint8), np.ones((_EDGE, _EDGE), np.uint8)) > 0
    a, b = (np.where(ink, around(grey, ~ink, _FILL), grey) for grey in (pair.a, pair.b))
    return Bare(pair._replace(a=a, b=b), covered)


def _is_ink(under: Floats, over: Floats) -> bool:
    """True when the levels `over` are what ink of one colour makes of those `under` it."""
    far = np.abs(over - under)
    kept = far >= np.median(far)  # elsewhere are the edges of what was drawn
    through, colour = 0.0, 0.0
    for _ in range(_ROUNDS):
        known = np.stack([under[kept], np.ones(int(kept.sum()), np.float32)], axis=1).astype(np.float64)
        through, colour = np.linalg.lstsq(known, over[kept].astype(np.float64), rcond=None)[0]
        off = np.abs(through * under + colour - over)
        kept = off <= max(_EXACT, 1.5 * float(np.median(off[kept])))
    made = min(max(through, 0.0), 1.0) * under + colour
    low, high = np.minimum(made, under) - _INK, np.maximum(made, under) + _INK
    return _AGAINST < through < _THROUGH and float(((over < low) | (over > high)).mean()) <= _INK_OFF


def laid_over_ground(pair: Laid, inner: NDArray[np.bool_], most: int = _STICKERS) -> NDArray[np.bool_]:
    """The same where most is plain ground: all beside it must be the same, pixel by pixel."""
    return laid_over(pair.a, pair.b, inner, _SAME, _SAME_AT_MOST, most)


def _is_ground(grey: Floats, over: NDArray[np.bool_], beside: NDArray[np.bool_]) -> bool:
    """True when there is hardly more to see in a part of a picture than beside it."""
    cv2 = opencv()
    mean, square = (cv2.blur(values, (_AROUND, _AROUND)) for values in (grey, grey * grey))
    varied = square - mean * mean > _VARIED**2
    return float(varied[over].mean()) <= float(varied[beside].mean()) + _MORE


def laid_over(
    a: Floats,
    b: Floats,
    inner: NDArray[np.bool_],
    off: float = _OFF,
    off_at_most: float = _OFF_AT_MOST,
    most: int = _STICKERS,
) -> NDArray[np.bool_]:
    """Where something solid was laid over a picture, at `most` so many places: a sticker, a logo, an unknown face.

    Beside it nearly every pixel must be the same: one who stands before another ground was not laid over it.
    """
    cv2 = opencv()
    nothing = np.zeros(inner.shape, dtype=bool)
    apart = np.abs(cv2.GaussianBlur(a - b, (0, 0), 1.0))
    differs = (apart > _UNLIKE) & inner
    if differs.sum() > _STICKERS * ONE * inner.sum():
        return nothing
    side = max(inner.shape) // _SOLID
    solid = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((2 * side, 2 * side), np.uint8))
    over = np.asarray(cv2.dilate(solid, np.ones((4 * side, 4 * side), np.uint8)), dtype=bool)
    beside = inner & ~over
    same = beside.any() and apart[beside].mean() <= off and differs[beside].mean() <= off_at_most
    if not same or not over.any():
        return nothing
    count, _, facts, _ = cv2.connectedComponentsWithStats(solid)
    small = facts[1:, cv2.CC_STAT_AREA] <= np.where(_bands(facts[1:], inner), _BAND, ONE) * inner.sum()
    return over if count - 1 <= most and small.all() else nothing


def _bands(facts: NDArray[np.int32], inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which solid places `(n, 5)` are a band along an edge of the picture."""
    left, top, width, height, area = facts.T
    rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
    across = (width >= _SPAN * len(columns)) & ((top <= rows[0]) | (top + height > rows[-1]))
    down = (height >= _SPAN * len(rows)) & ((left <= columns[0]) | (left + width > columns[-1]))
    return np.asarray((across | down) & (area >= _SPAN * width * height))
