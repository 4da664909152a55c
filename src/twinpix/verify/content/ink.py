"""Ink against other ink: do two pages say the same in every place where either has print?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.registration import Close, Mask, normalised
from twinpix.verify.content.blocks import Floats

_WINDOW = 9  # pixels a side in which ink is compared: about a letter of small print
_INK = 0.5  # of local variances, both pictures' together, from which there is ink
_SOFTEN = 0.3  # of them, beside which a clash counts: faint things clash with nothing
_BLURS, _BETTER = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0), 0.995  # pixels; of what is apart, with less left one was blurred
_CLASH, _STRONG, _AREA = 0.25, 0.5, 40  # from which there is other ink; at its strongest; and over so many pixels
_OWN, _NOTHING = 0.5, 0.08  # of local variances: where one picture has ink, and the other has none
_JOINED = 15  # pixels: ink that differs no further apart is one place
_LEVELS, _APART = 24.0, 0.2  # grey levels by which ink differs; of local variances, that are apart where it does
_LARGE, _BROAD, _HIGH = 0.055, 0.045, 0.15  # of the shorter side: what was drawn over a page is larger than its print
_STRIP = 0.6  # of the longer side, taken for the shorter one of tickets and other strips, whose print is not smaller
_WITHIN, _LESS = 0.85, 0.3  # of covered ink, that lies within what was drawn over it; of that, which it is less than
_SOLID, _SOLID_PART = 0.025, 0.6  # of the shorter side, and of what differs: so wide and whole it was laid over
_ROUGH = 0.028  # of the clash of half of the ink: that of mosaics, and none of encoders
_GAP = 0.006  # of the shorter side: half of a gap in an outline, where it lies on ink of its own colour
_SAMPLE, _ROUNDS = 20_000, 3


class Compared(NamedTuple):
    """Two registered pictures, locally normalised and as sharp as each other."""

    a: Floats
    b: Floats
    known: Mask
    energy: Floats  # local variances of both together
    lighter: Floats  # local squares of what is lighter in a
    darker: Floats  # and of what is darker

    @property
    def clash(self) -> Floats:
        """From 0 to about 1: how far each has something there that the other lacks.

        Where ink was only added, or only taken away, one picture is darker and nowhere lighter. Where other ink
        stands, it is both, in one window.
        """
        both = 2 * np.minimum(self.lighter, self.darker) / (self.energy + _SOFTEN)
        return np.asarray(np.where(self.energy > _INK, both, 0), dtype=np.float32)

    @property
    def is_rough(self) -> bool:
        """True where most ink is not what it was: of coarse pixels, or smeared. Then a letter is none any more."""
        inked = self.energy > _INK
        return bool(inked.any() and np.median(self.clash[inked]) > _ROUGH)

    @property
    def own(self) -> tuple[Mask, Mask]:
        """Where the one picture has ink and the other has nothing at all, and the other way round."""
        of_a, of_b = _around(self.a * self.a), _around(self.b * self.b)
        return self.known & (of_a > _OWN) & (of_b < _NOTHING), self.known & (of_b > _OWN) & (of_a < _NOTHING)


def compared(pair: Close) -> Compared:
    """Compare two pictures that lie on each other."""
    cv2 = opencv()
    a, b, known, _ = pair
    known = np.asarray(cv2.erode(known.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0), dtype=bool)
    weight = known.astype(np.float32)
    first, second = normalised(a, weight), normalised(b, weight)
    inked = known & (np.maximum(_around(first * first), _around(second * second)) > _INK)
    first, second = _as_sharp(a, b, first, second, weight, inked)
    off = first - second
    energy = _around(first * first + second * second)
    lighter, darker = (_around(np.maximum(each, 0) ** 2) for each in (off, -off))
    grain = _grain(lighter + darker, energy, known)
    lighter, darker = ((each - grain).clip(0) * weight for each in (lighter, darker))
    return Compared(first, second, known, energy, lighter, darker)


def _around(values: Floats) -> Floats:
    cv2 = opencv()
    out: Floats = cv2.blur(values, (_WINDOW, _WINDOW))
    return out


def _grain(apart: Floats, energy: Floats, known: Mask) -> np.float32:
    """What noise adds to either: that of the third of the picture where least stands out."""
    if not known.any():
        return np.float32(0)
    plain = known & (energy <= np.quantile(energy[known], 0.3))
    return np.float32(np.median(apart[plain]) / 2)


def _as_sharp(
    a: Floats, b: Floats, first: Floats, second: Floats, weight: Floats, inked: Mask
) -> tuple[Floats, Floats]:
    """Both normalised pictures as sharp as the less sharp one."""
    cv2 = opencv()
    if not inked.any():
        return first, second
    steep = [float(np.abs(cv2.Laplacian(each, cv2.CV_32F)[inked]).mean()) for each in (first, second)]
    of_a = steep[0] > steep[1]
    sharp, soft = (first, second) if of_a else (second, first)
    least = _off(sharp, soft, inked)
    for sigma in _BLURS:
        made = normalised(cv2.GaussianBlur(a if of_a else b, (0, 0), sigma), weight)
        now = _off(made, soft, inked)
        if now >= _BETTER * least:
            break
        sharp, least = made, now
    return (sharp, soft) if of_a else (soft, sharp)


def _off(a: Floats, b: Floats, inked: Mask) -> float:
    """How far two pictures are apart where there is ink; how far beyond a point does not count."""
    return float(np.minimum(np.abs(a - b)[inked], 1).mean())


# -- places where ink differs -----------------------------------------------------------------------------


class Place(NamedTuple):
    """Where ink differs, in the pixels of the comparison."""

    box: tuple[int, int, int, int]  # left, top, width, height
    clash: bool  # either picture has ink there that the other lacks
    strongest: float  # of its clash
    own: tuple[bool, bool]  # the one picture has ink there where the other has none, and the other way round
    laid_over: bool  # as large or solid as only what is laid over a page
    is_print: bool  # no higher than print


def places(pair: Close, seen: Compared) -> list[Place]:
    """The places where ink differs between two pictures that lie on each other."""
    cv2 = opencv()
    clashes, own = seen.clash, seen.own
    clash = clashes > _CLASH
    if not clash.any() and not (own[0].any() and own[1].any()):
        return []
    off, side = _evened(pair.a, pair.b, seen) - pair.b, round(max(min(pair.a.shape), _STRIP * max(pair.a.shape)))
    # Where the two lie on each other less exactly, edges are apart without being other edges.
    least = np.where(seen.energy > _INK, _APART * seen.energy, 0)
    signs = [
        (off > _LEVELS) & (seen.lighter >= least) & seen.known,
        (off < -_LEVELS) & (seen.darker >= least) & seen.known,
    ]
    joined = cv2.dilate((clash | own[0] | own[1]).astype(np.uint8), np.ones((_JOINED, _JOINED), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    strongest = np.zeros(count, np.float32)
    np.maximum.at(strongest, labels[clash], clashes[clash])
    clashing = (np.bincount(labels[clash], minlength=count) >= _AREA) & (strongest > _STRONG)
    alone = [np.bincount(labels[each], minlength=count) >= _AREA for each in own]
    out = []
    for at in np.flatnonzero(clashing | alone[0] | alone[1]).tolist():
        left, top, width, height = facts[at, :4].tolist()
        part = np.s_[top : top + height, left : left + width]
        over = _is_laid_over([sign[part] for sign in signs], side)
        both = bool(alone[0][at]), bool(alone[1][at])
        box, small = (left, top, width, height), height <= _HIGH * side
        out.append(Place(box, bool(clashing[at]), float(strongest[at]), both, over, small))
    return out


def _evened(a: Floats, b: Floats, seen: Compared) -> Floats:
    """Picture `a` with the light and contrast of `b`, as most of the ink tells that does not differ."""
    at = np.flatnonzero(seen.known & (seen.energy > _INK) & (seen.clash < _CLASH))
    if len(at) < _AREA:
        return a
    at = at[:: max(1, len(at) // _SAMPLE)]
    x, y = a.ravel()[at].astype(np.float64), b.ravel()[at].astype(np.float64)
    kept, gain, bias = np.ones(len(at), dtype=bool), 1.0, 0.0
    for _ in range(_ROUNDS):
        gain, bias = np.polyfit(x[kept], y[kept], 1)
        off = np.abs(gain * x + bias - y)
        kept = off <= 3 * np.median(off) + 1
    return np.asarray(np.float32(gain) * a + np.float32(bias), dtype=np.float32)


def _is_laid_over(signs: list[Mask], side: int) -> bool:
    """True for what was laid over a page: larger than print, with what it covers inside its outlines; or solid.

    `signs` mark where the one picture is lighter, and where it is darker.
    """
    cv2 = opencv()
    both = signs[0] | signs[1]
    if not both.any():
        return False
    width = max(3, round(_SOLID * side))
    for sign, other in (signs, signs[::-1]):
        if not sign.any():
            continue
        edge = np.pad(sign.astype(np.uint8), 9)
        gaps = (3, 2 * round(_GAP * side) + 1)
        whole, edge = (cv2.morphologyEx(edge, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8)) for gap in gaps)
        solid = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))[9:-9, 9:-9]
        if (solid.astype(bool) & both).sum() >= _SOLID_PART * both.sum():
            return True
        outlines, _ = cv2.findContours(edge, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        large = [line for line in outlines if _is_large(line, side)]
        if not large:
            continue
        within = cv2.drawContours(np.zeros_like(edge), large, -1, 1, cv2.FILLED)
        within = cv2.dilate(within, np.ones((7, 7), np.uint8))[9:-9, 9:-9].astype(bool)
        covered = (other & within).sum() >= _WITHIN * other.sum() or other.sum() <= _LESS * sign.sum()
        if covered and (sign & within).sum() >= _WITHIN * sign.sum():
            return True
    return False


def _is_large(outline: NDArray[np.int32], side: int) -> bool:
    width, height = opencv().boundingRect(outline)[2:]
    return bool(max(width, height) >= _LARGE * side and min(width, height) >= _BROAD * side)


def contradict(found: list[Place]) -> bool:
    """True where two pages say something else: other ink stands in one place, or each has its own in another."""
    found = [place for place in found if not place.laid_over]
    small = [place for place in found if place.is_print]
    apart = any(place.own[0] for place in small) and any(place.own[1] for place in small)
    return apart or any(place.clash for place in found)
