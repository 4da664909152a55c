"""Pages, forms and windows of one design: what is written in the same places of two pictures is not the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.agreement import Agreement, Floats, Laid, between, closer, inside, laid, pixels_of
from twinpix.verify.maps import Map
from twinpix.verify.tones import Toned, evened
from twinpix.verify.views import View

CONFLICT = 0.0001
"""Share of the overlap that either picture has written on a ground on which the other has nothing: they differ."""

_STANDS_OUT = 24.0  # grey levels beyond all that lies around
_FLAT = 14.0  # grey levels that a plain ground varies by
_GROUND = 14.0  # grey levels between the grounds of two pictures that have the same
_AROUND, _NEAR = 5, 9  # pixels a side of what lies around a pixel, and of where its ground is looked for
_JOINED = 15  # pixels: what stands out no further apart is one thing
_ONE = 0.12  # of the overlap: one thing no larger may have been put there
_MANY, _WEIGHT = 6, 3  # things are more than an edit puts on a picture: they weigh so much more
_FILLED = 0.33  # of the blocks: with so much that agrees, what is solid was laid over
_OFF, _OFF_AT_MOST = 2.5, 0.03  # levels on average, and the share of pixels that are unlike, beside them
_BOTH = 0.01  # of the overlap, on which either has something of its own under what was laid over
_SAME, _SAME_AT_MOST = 1.0, 0.001  # beside what was put on plain ground, where that is all that tells
_VARIED = 3.0  # levels by which places vary in which there is something to see
_MORE = 0.1  # of what was covered, in which there may be more to see than beside it
_STICKERS = 6  # places at most
_UNLIKE = 12.0  # grey levels
_SOLID = 36  # part of the longer side: what is thinner than this everywhere is not solid
_SPECK = 8  # pixels: less is no thing


def conflict(pair: Laid, tones: Toned, agrees: Agreement, a: View, b: View, there: Map) -> float:
    """The share of the overlap on which each picture has something of its own, where the other has plain ground.

    An edit puts something on a picture, or takes it away: one of the two has it. Where both have things that the
    other lacks, all over the place, they are two pictures of one design. One thing, however much it differs, may be
    an edit and does not count. What lies beyond all blocks that agree is a border.
    """
    found = _conflict(pair, tones, agrees)
    nearer = closer(a, b, there)
    if found > CONFLICT or nearer is None:
        return found
    again = laid(*nearer)
    return max(found, _conflict(again, evened(again, agrees), agrees))


def _conflict(pair: Laid, tones: Toned, agrees: Agreement) -> float:
    within = pixels_of(between(agrees.fits), pair.a.shape)
    inner = inside(pair.common & within & ~pair.border)
    if inner.sum() < 64 or min(inner.shape) < 8:
        return 0.0
    a, b = tones.a, tones.b
    mine, theirs = _own(a, b, pair.a) & inner, _own(b, a, pair.b) & inner
    if not mine.any() or not theirs.any():
        return 0.0
    over = _laid_over(a, b, inner) if filled(pair, agrees) >= _FILLED else np.zeros_like(inner)
    if min((mine & over).sum(), (theirs & over).sum()) <= _BOTH * inner.sum():  # else they are bars, not stickers
        mine, theirs = mine & ~over, theirs & ~over
    largest, things = _things(mine | theirs, inner)
    share = float(min((mine & ~largest).sum(), (theirs & ~largest).sum()) / inner.sum())
    return share * (_WEIGHT if things >= _MANY else 1)


def filled(pair: Laid, agrees: Agreement) -> float:
    """The share of what both show in which there is something that agrees: of pages and charts most is plain ground."""
    return float((agrees.fits == 1).mean() / max(float(pair.common.mean()), 1e-6))


class Stuck(NamedTuple):
    """What was put on a picture."""

    around: NDArray[np.bool_]  # the pixels of it, and some around
    share: float  # of the overlap, that it covers


def stuck_on(pair: Laid) -> Stuck | None:
    """What is solid and was put on ground of one of the pictures; None where there is nothing of the kind.

    Beside it every pixel must be the same, and show no less than was covered.
    """
    inner = inside(pair.common)
    over = _laid_over(pair.a, pair.b, inner, _SAME, _SAME_AT_MOST)
    if not over.any() or not any(_is_ground(grey, over, inner & ~over) for grey in (pair.a, pair.b)):
        return None
    differs = (np.abs(pair.a - pair.b) > _UNLIKE) & inner & over
    return Stuck(over, float(differs.sum() / max(1, inner.sum())))


def _is_ground(grey: Floats, over: NDArray[np.bool_], beside: NDArray[np.bool_]) -> bool:
    """True when there is hardly more to see in a part of a picture than beside it."""
    cv2 = opencv()
    mean, square = (cv2.blur(values, (_AROUND, _AROUND)) for values in (grey, grey * grey))
    varied = square - mean * mean > _VARIED**2
    return float(varied[over].mean()) <= float(varied[beside].mean()) + _MORE


def _laid_over(
    a: Floats, b: Floats, inner: NDArray[np.bool_], off: float = _OFF, off_at_most: float = _OFF_AT_MOST
) -> NDArray[np.bool_]:
    """Where something solid was laid over a picture, at a few places: a sticker, a logo, a face made unknown.

    Beside it nearly every pixel must be the same: one who stands before another ground was not laid over it.
    """
    cv2 = opencv()
    nothing = np.zeros(inner.shape, dtype=bool)
    apart = np.abs(cv2.GaussianBlur(a - b, (0, 0), 1.0))
    differs = (apart > _UNLIKE) & inner
    if differs.sum() > _STICKERS * _ONE * inner.sum():
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
    areas = facts[1:, cv2.CC_STAT_AREA]
    return over if count - 1 <= _STICKERS and areas.max() <= _ONE * inner.sum() else nothing


def _own(values: Floats, other: Floats, untoned: Floats) -> NDArray[np.bool_]:
    """Where a picture has something that stands out of its ground, and the other has that ground alone."""
    cv2 = opencv()
    around, near = np.ones((_AROUND, _AROUND), np.uint8), np.ones((_NEAR, _NEAR), np.uint8)
    values, other = (cv2.GaussianBlur(each, (0, 0), 0.6) for each in (values, other))
    high, low = cv2.dilate(other, around), cv2.erode(other, around)
    stands_out = np.asarray(np.maximum(values - high, low - values) > _STANDS_OUT, dtype=bool)
    if not stands_out.any():
        return stands_out
    brightest, darkest = cv2.dilate(values, near), cv2.erode(values, near)
    same_ground = (np.abs(brightest - other) < _GROUND) | (np.abs(darkest - other) < _GROUND)
    # A curve that spreads a few levels over many makes things of what is none.
    own = cv2.dilate(untoned, near) - cv2.erode(untoned, near) > _STANDS_OUT
    return np.asarray(stands_out & (high - low < _FLAT) & same_ground & own, dtype=bool)


def _things(marked: NDArray[np.bool_], inner: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
    """The largest thing among what is marked, unless it is too large to be one; and how many things there are."""
    cv2 = opencv()
    joined = cv2.dilate(marked.astype(np.uint8), np.ones((_JOINED, _JOINED), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    if count < 2:
        return np.zeros_like(marked), 0
    areas = facts[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    sizes = np.bincount(labels[marked], minlength=count)
    things = int((sizes[1:] >= _SPECK).sum())
    if areas[largest] > _ONE * inner.sum():
        return np.zeros_like(marked), things
    return np.asarray(labels == largest + 1, dtype=bool), things
