"""Pages, forms and windows of one design: what is written in the same places of two pictures is not the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, overlap
from twinpix.verify.content.blocks import Agreement, Floats, Laid, between, closer, inside, laid, pixels_of
from twinpix.verify.content.overlays import ONE, inked, laid_over, laid_over_ground
from twinpix.verify.light.normalize import apart, as_bent, as_light, as_sharp
from twinpix.verify.light.photometric import Toned, evened
from twinpix.verify.pyramid import View

HELD = 0.95
"""Of one of two pictures, that the other shows: with less they may be two walls of one brick."""

_CONFLICT = 0.0001  # of the overlap: less is chance
_PAGE = 0.2  # of a picture, that is plain ground: pages, forms, charts and windows have more
_STANDS_OUT = 24.0  # grey levels beyond all that lies around
_FLAT = 14.0  # grey levels that a plain ground varies by
_GROUND = 14.0  # grey levels between the grounds of two pictures that have the same
_AROUND, _NEAR = 5, 9  # pixels a side of what lies around a pixel, and of where its ground is looked for
_JOINED = 15  # pixels: what stands out no further apart is one thing
_MANY, _WEIGHT = 6, 3  # things are more than an edit puts on a picture: they weigh so much more
_FILLED = 0.33  # of the blocks: with so much that agrees, what is solid was laid over
_FEW = 2  # solid things that may be laid over plain ground: bars are more
_BOTH = 0.01  # of the overlap, on which either has something of its own under what was laid over
_SPECK = 8  # pixels: less is no thing


class Left(NamedTuple):
    """What may be left between two pictures in conflict once they are made alike, for them to be in none."""

    light: float  # of what is apart, where they are as sharp and light
    bent: float  # and where they are as bent too
    found: float  # of the overlap, that is in conflict before


_OF_PHOTOS, _OF_PAGES, _OF_PARTS = Left(0.8, 0.8, 1.0), Left(0.7, 0.45, 0.02), Left(0.0, 0.0, 0.0)


def in_conflict(
    pair: Laid,
    tones: Toned,
    agrees: Agreement,
    a: View,
    b: View,
    there: Map,
    only: NDArray[np.bool_] | None = None,
) -> bool:
    """True where each picture has something of its own on ground on which the other has nothing: they are two.

    An edit puts something on a picture, or takes it away: one of the two has it. Where both have things that the
    other lacks, all over the place, they are two pictures of one design. One thing, however much it differs, may be
    an edit and does not count. What lies beyond all blocks that agree is a border. `only` marks the pixels of the pair
    that count, where those are not all.
    """
    left = _left(a, b, there)
    if _in_conflict(pair, tones, agrees, left):
        return True
    nearer = closer(a, b, there)
    if nearer is None:
        return False
    again = laid(*nearer)
    if only is not None:
        again = again._replace(common=again.common & pixels_of(only, again.common.shape))
    bare = inked(again)
    again = again if bare is None else bare.pair
    return _in_conflict(again, evened(again, agrees), agrees, left)


def _left(a: View, b: View, there: Map) -> Left:
    """How much may be left between two pictures once they are as sharp and light, and as bent; nothing of two walls."""
    if max(overlap(there, a.sides, b.sides)) < HELD:
        return _OF_PARTS
    return _OF_PAGES if min(a.plain, b.plain) >= _PAGE else _OF_PHOTOS


def _in_conflict(pair: Laid, tones: Toned, agrees: Agreement, left: Left) -> bool:
    within = pixels_of(between(agrees.fits), pair.a.shape)
    inner = inside(pair.common & within & ~pair.border)
    if inner.sum() < 64 or min(inner.shape) < 8:
        return False
    found = _conflict(tones.a, tones.b, pair, agrees, inner)
    if found <= _CONFLICT:
        return False
    if found > left.found:
        return True
    before = apart(tones.a, tones.b, inner)
    a, b = as_light(*as_sharp(tones.a, tones.b, inner), pair.common)

    def alike(made: Floats, most: float) -> bool:
        return apart(made, b, inner) <= most * before and _conflict(made, b, pair, agrees, inner) <= _CONFLICT

    return not (alike(a, left.light) or alike(as_bent(a, b), left.bent))


def _conflict(a: Floats, b: Floats, pair: Laid, agrees: Agreement, inner: NDArray[np.bool_]) -> float:
    """The share of the overlap on which each picture has something of its own."""
    mine, theirs = _own(a, b, pair.a) & inner, _own(b, a, pair.b) & inner
    if not mine.any() or not theirs.any():
        return 0.0
    every = inside(pair.common & ~pair.border)
    over = laid_over(a, b, every) if filled(pair, agrees) >= _FILLED else laid_over_ground(pair, every, _FEW)
    if min((mine & over).sum(), (theirs & over).sum()) <= _BOTH * inner.sum():  # else they are bars, not stickers
        mine, theirs = mine & ~over, theirs & ~over
    largest, things = _things(mine | theirs, inner)
    share = float(min((mine & ~largest).sum(), (theirs & ~largest).sum()) / inner.sum())
    return share * (_WEIGHT if things >= _MANY else 1)


def filled(pair: Laid, agrees: Agreement) -> float:
    """The share of what both show in which there is something that agrees: of pages and charts most is plain ground."""
    return float((agrees.fits == 1).mean() / max(float(pair.common.mean()), 1e-6))


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
    if areas[largest] > ONE * inner.sum():
        return np.zeros_like(marked), things
    return np.asarray(labels == largest + 1, dtype=bool), things
