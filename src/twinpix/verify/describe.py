"""The name of what was done to a picture, with its numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.model import Relation
from twinpix.verify.alignment.affine import Change, Map, change_of, inverse, overlap, placed, rescaled
from twinpix.verify.content.blocks import BLOCK, Agreement, Laid, inside, laid_colours, part_of
from twinpix.verify.light.normalize import apart, as_bent
from twinpix.verify.light.photometric import Toned
from twinpix.verify.pyramid import View

_WHOLE = 0.975  # of a picture: what is missing may be an error of the map
_TURNED = 0.75  # degrees
_SAME_SIZE = 0.012  # by which a scale may differ from 1
_SAME_SHAPE = 0.03  # by which a picture's two scales may differ
_TONE = 5.0  # grey levels, on average, by which light and dark may differ
_DARKEST, _LIGHTEST = 4, 251  # grey levels: beyond, light and dark are lost when a picture is made lighter or darker
_COLOUR = 8.0  # levels by which colours may differ, the two differences of either together
_MOST_PLACES = 0.75  # of all: grey ground stays grey
_SOFT, _SHARP, _SHARP_SCALED = 0.76, 1.3, 1.9  # times the steepness: less is blurred, more is sharpened
_AS_LARGE = 0.06  # by which a picture may be scaled before its edges are not as steep for that
_GRAINY = 2.0  # grey levels by which flat places vary more
_FLAT = 8  # pixels a side of blocks that are looked through for flat ones
_STANDS_OUT = 24.0  # grey levels beyond all that lies around
_SPOT = 0.0025  # of the overlap: less that stands out is none
_MUCH = 0.06  # of the overlap: what encoders do all over a picture is less
_EVERYWHERE = 0.5  # of the blocks: what stands out in more of them is no place
_PLAIN = 0.72  # of the pixels outside the overlap: so many of three grey levels are a border, else a picture
_GOES_ON = 0.5  # of the pixels along the edge: so many of the level beyond it, and that is part of the picture
_NEAR, _STEP = 31, 8  # pixels a side of what lies near, and grey levels that are no step
_OFF, _BENT = 3.0, 0.75  # grey levels that two pictures are apart; of which no more is left once one is bent
# Levels of both colour differences together, and the share of the overlap that differs by more: copies at JPEG 15, at
# half and a fifth of the size and with noise have up to 0.015, another shirt of a tenth of the image 0.11.
_OTHER_HUE, _OTHER_PLACES = 30.0, 0.04
_LEVEL = 4  # grey levels on either side that count as one

Floats = NDArray[np.float32]


class Difference(NamedTuple):
    """What differs where two pictures overlap."""

    tone: float  # grey levels, on average, between the one's light and dark and the other's
    colour: float  # levels between their colours, with no more in most places
    steepness: float  # of edges in b to those in a
    grain: float  # grey levels by which b varies more from pixel to pixel, where either is flat
    outside: float  # share of the overlap that stands out of what the other picture has around it
    spread: float  # share of the blocks in which something does
    box: tuple[float, float, float, float]  # where, in shares of picture b: left, top, right, bottom
    bent: bool = False  # places of b do not lie as a map of straight lines puts them
    relit: bool = False  # light and dark are turned over
    hues: float = 0.0  # share of the overlap with clearly other colours

    @property
    def toned(self) -> bool:
        """True when light or colour differs."""
        return self.relit or self.tone > _TONE or self.colour > _COLOUR

    @property
    def clean(self) -> bool:
        """True when nothing stands out."""
        return self.outside <= _SPOT

    @property
    def spots(self) -> bool:
        """True when so little stands out that it may be nothing."""
        return 0 < self.outside <= _SPOT

    def edited_at(self, box: tuple[float, float, float, float]) -> "Difference":
        """The same where something small was changed in this box."""
        return self._replace(outside=2 * _SPOT, spread=0.0, box=box)

    @property
    def plain(self) -> bool:
        """True when nothing but light and colour differs."""
        return self.clean and _SOFT < self.steepness < 1 / _SOFT

    def turned(self, there: Map, a: View, b: View) -> "Difference":
        """The same from the other side: where `there` leads from places in `a`."""
        left, top, right, bottom = self.box
        ends = np.array([[left, top], [right, bottom], [left, bottom], [right, top]]) * b.sides - 0.5
        shares = (placed(inverse(there), ends) + 0.5) / a.sides
        low, high = np.clip(shares.min(axis=0), 0, 1), np.clip(shares.max(axis=0), 0, 1)
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        return self._replace(steepness=1 / max(self.steepness, 1e-6), grain=-self.grain, box=box)


_OF_SIZE = frozenset({"edited: blurred", "edited: noisy", "edited: smoothed", "edited: sharpened"})


class Part(NamedTuple):
    """One of the things that were done to a picture, and what people read of it."""

    relation: Relation
    detail: str


class Name(NamedTuple):
    """The relation of a pair, and all that was done: to a to make b, and to b to make a."""

    relation: Relation
    detail: str
    back: str


def name_of(a: View, b: View, there: Map, differs: Difference) -> Name:
    """How picture `b` differs from picture `a`, given where the places of `a` lie in it."""
    parts = _parts(a, b, there, differs)
    back = _parts(b, a, inverse(there), differs.turned(there, a, b))
    if _is_only_resized(back):
        parts = _without_sharpness(parts)
    elif _is_only_resized(parts):
        back = _without_sharpness(back)
    relation: Relation = parts[0].relation if parts else "re-encoded"
    return Name(relation, *(", ".join(part.detail for part in each) for each in (parts, back)))


def _is_only_resized(parts: Sequence[Part]) -> bool:
    return bool(parts) and all(part.relation == "resized" for part in parts)


def _without_sharpness(parts: list[Part]) -> list[Part]:
    """The parts without what a change of size does to sharpness and grain, if nothing else was edited.

    Seen from the smaller picture the larger one is blurred, or has grain: that is no edit.
    """
    rest = [part for part in parts if part.detail not in _OF_SIZE]
    return rest if _is_only_resized(rest) else parts


def _parts(a: View, b: View, there: Map, differs: Difference) -> list[Part]:
    full = rescaled(there, (a.sides, (a.width, a.height)), (b.sides, (b.width, b.height)))
    change = change_of(full)
    parts = [*_turned(change), *_cut(a, b, there, full), *_changed(differs, change, b), *_sized(a, b, change)]
    if differs.hues >= _OTHER_PLACES and all(part.relation == "resized" for part in parts):
        return [Part("recoloured", "recoloured"), *parts]  # else what was put there has colours of its own
    return parts


def _turned(change: Change) -> list[Part]:
    angle = change.angle
    out = []
    if change.mirrored:
        upside_down = abs(abs(angle) - 180) < _TURNED
        out.append(Part("mirrored", "mirrored top to bottom" if upside_down else "mirrored"))
        if upside_down:
            return out
    if abs(angle) >= _TURNED:
        quarter = round(angle / 90) * 90
        shown = f"{quarter}" if abs(angle - quarter) < _TURNED else f"{angle:.1f}".removesuffix(".0")
        out.append(Part("rotated", f"rotated {'180' if shown == '-180' else shown}°"))
    return out


def _cut(a: View, b: View, there: Map, full: Map) -> list[Part]:
    """Whether one of the pictures shows only a part of the other, or has a border."""
    of_a, of_b = overlap(there, a.sides, b.sides)
    out = []
    if of_a < _WHOLE:
        relation: Relation = "padded" if _is_border(a, b, there) else "cropped"
        x, y = _corner(inverse(full), (b.width, b.height), (a.width, a.height))
        what = "its border cut off" if relation == "padded" else f"cropped {of_a:.0%} at ({x}, {y})"
        out.append(Part(relation, what))
    if of_b < _WHOLE:
        relation = "padded" if _is_border(b, a, inverse(there)) else "cropped"
        x, y = _corner(full, (a.width, a.height), (b.width, b.height))
        what = (
            f"padded to {1 / max(of_b, 1e-6):.0%}" if relation == "padded" else f"shows more: {of_b:.0%} at ({x}, {y})"
        )
        out.append(Part(relation, what))
    turned = abs(change_of(full).angle) % 90
    if out and min(turned, 90 - turned) >= _TURNED:
        return out if min(of_a, of_b) < 0.8 else []  # the corners that a turn cuts off, or fills
    return out


def _corner(there: Map, inner: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int]:
    """Where the top left of what one picture shows lies in the other, in its pixels."""
    ends = placed(there, np.array([[0.0, 0], [inner[0] - 1, inner[1] - 1]]))
    x, y = ends.min(axis=0)
    return max(0, min(outer[0], round(float(x)))), max(0, min(outer[1], round(float(y))))


def _is_border(a: View, b: View, there: Map) -> bool:
    """True when what picture `a` has and picture `b` has not is plain: a border, a band, a window's ground."""
    cv2 = opencv()
    shown = cv2.warpAffine(
        np.ones(b.grey.shape, np.uint8), inverse(there), a.sides, flags=cv2.INTER_NEAREST, borderValue=0
    )
    alone = cv2.dilate(shown, np.ones((3, 3), np.uint8)) == 0
    if not alone.any():
        return False
    if _plain(a.grey[alone]) < _PLAIN:
        return False
    # Right inside the edge of what both show: does what lies beyond go on there? Then it was part of the picture.
    inside = (cv2.dilate(alone.astype(np.uint8), np.ones((15, 15), np.uint8)) == 1) & ~alone & (shown == 1)
    inside &= cv2.dilate(alone.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    beyond = alone.astype(np.float32)
    sums, weight = (cv2.blur(values, (_NEAR, _NEAR)) for values in (a.grey * beyond, beyond))
    goes_on = np.abs(a.grey[inside] - sums[inside] / np.maximum(weight[inside], 1e-6)) <= _STEP
    return not inside.any() or float(goes_on.mean()) < _GOES_ON


def _plain(pixels: NDArray[np.uint8]) -> float:
    """The share of pixels of three grey levels."""
    counts = np.bincount(pixels, minlength=256)
    wide = np.convolve(counts, np.ones(2 * _LEVEL + 1, np.int64), "same")
    found = 0
    for _ in range(3):
        best = int(wide.argmax())
        found += int(wide[best])
        wide[max(0, best - 2 * _LEVEL) : best + 2 * _LEVEL + 1] = 0
    return found / len(pixels)


def _changed(differs: Difference, change: Change, b: View) -> list[Part]:
    out = []
    as_large = max(abs(change.across - 1), abs(change.down - 1), abs(change.angle) / 90) < _AS_LARGE
    if differs.outside > _SPOT and differs.spread < _EVERYWHERE:
        left, top, right, bottom = differs.box
        x, y = left * b.width, top * b.height
        w, h = max(1.0, (right - left) * b.width), max(1.0, (bottom - top) * b.height)
        out.append(Part("edited", f"edited: region {w:.0f}×{h:.0f} at ({x:.0f}, {y:.0f})"))
    elif differs.outside > _MUCH:
        out.append(Part("edited", "edited all over"))
    if differs.steepness < _SOFT:
        out.append(Part("edited", "edited: blurred"))
    elif abs(differs.grain) > _GRAINY:
        out.append(Part("edited", "edited: noisy" if differs.grain > 0 else "edited: smoothed"))
    elif differs.steepness > (_SHARP if as_large else _SHARP_SCALED):
        out.append(Part("edited", "edited: sharpened"))
    elif differs.bent:
        out.append(Part("edited", "edited: bent"))
    if differs.relit:
        out.append(Part("recoloured", "light and dark turned over"))
    elif differs.toned:
        what = "recoloured" if differs.colour > _COLOUR else "lightened or darkened"
        out.append(Part("recoloured", what))
    return out


def _sized(a: View, b: View, change: Change) -> list[Part]:
    if (a.width, a.height) == (b.width, b.height) or not (change.across and change.down):
        return []
    across, down = change.across, change.down
    if max(abs(across - 1), abs(down - 1)) <= _SAME_SIZE:
        return []
    if abs(across / down - 1) > _SAME_SHAPE:
        return [Part("resized", f"resized {across:.3g} × {down:.3g}")]
    return [Part("resized", f"resized {(across * down) ** 0.5:.3g}")]


# -- what differs ---------------------------------------------------------------------------------------


def difference(pair: Laid, tones: Toned, agrees: Agreement, a: View, b: View, there: Map) -> Difference:
    """What differs where picture `a` lies on picture `b`, once the two have the same light and dark."""
    cv2 = opencv()
    inner = inside(pair.common)
    if inner.sum() < 64 or min(inner.shape) < 8:
        return Difference(0, 0, 1, 0, 0, 0, (0, 0, 0, 0))
    mapped, theirs = tones.a, tones.b
    outside = np.maximum(_beyond(mapped, theirs), _beyond(theirs, mapped))
    marked = (outside > _STANDS_OUT) & inner
    if tones.apart > _TONE:
        marked &= ~_blown(pair)
    rest = inner & (cv2.dilate(marked.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0)
    rest = rest if rest.sum() > inner.sum() // 4 else inner
    rows, columns = (max(1, length // BLOCK) for length in marked.shape)
    blocks = cv2.resize(marked.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 4 / BLOCK**2
    valid = cv2.resize(inner.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0.5
    spread = part_of(blocks, valid)
    box = (0.0, 0.0, 0.0, 0.0)
    if marked.any():
        box = _box(marked, pair, there, b)
    colour, hues = _colour(a, b, there)
    return Difference(
        tones.apart,
        colour,
        _steepness(mapped, theirs, rest),
        _grain(pair.a, pair.b, rest),
        float(marked.sum() / inner.sum()),
        spread,
        box,
        _is_bent(mapped, theirs, rest),
        hues=hues,
    )


def _is_bent(a: Floats, b: Floats, rest: NDArray[np.bool_]) -> bool:
    """True when far less is left between two pictures once one is bent to lie on the other."""
    off = apart(a, b, rest)
    return off > _OFF and apart(as_bent(a, b), b, rest) < _BENT * off


def _blown(pair: Laid) -> NDArray[np.bool_]:
    """Where one of the pictures is as light or as dark as can be: what was there is lost, and nothing was put on it."""
    cv2 = opencv()
    low, high = np.minimum(pair.a, pair.b), np.maximum(pair.a, pair.b)
    out = ((low < _DARKEST) | (high > _LIGHTEST)).astype(np.uint8)
    return np.asarray(cv2.dilate(out, np.ones((5, 5), np.uint8)), dtype=bool)


def _beyond(values: Floats, other: Floats) -> Floats:
    """By how much values lie above, or below, everything that the other picture has around there."""
    cv2 = opencv()
    around = np.ones((5, 5), np.uint8)
    smooth = cv2.GaussianBlur(values, (0, 0), 0.8)
    over, under = smooth - cv2.dilate(other, around), cv2.erode(other, around) - smooth
    out: Floats = np.maximum(np.maximum(over, under), 0)
    return out


def _grain(a: Floats, b: Floats, inner: NDArray[np.bool_]) -> float:
    """How much more neighbouring pixels of `b` vary than those of `a` where either is flat, in grey levels."""
    cv2 = opencv()
    size = tuple(max(1, length // _FLAT) for length in a.shape[::-1])

    def mean(values: Floats) -> Floats:
        out: Floats = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return out

    first, second = (np.sqrt(mean((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)) ** 2)) for grey in (a, b))
    usable = inner & (np.minimum(a, b) > 2) & (np.maximum(a, b) < 253)
    blocks = mean(usable.astype(np.float32)) > 0.95
    if blocks.sum() < 8:
        return 0.0
    flat = np.minimum(first, second)[blocks]
    more = (second - first)[blocks]
    return float(np.median(more[flat <= np.quantile(flat, 0.3)]))


def _steepness(mapped: Floats, b: Floats, inner: NDArray[np.bool_]) -> float:
    """How steep neighbouring pixels of `b` are to those of `a` with the same light and dark."""

    def energy(values: Floats) -> float:
        across, down = np.diff(values, axis=1)[:-1], np.diff(values, axis=0)[:, :-1]
        where = inner[:-1, :-1]
        return float((across[where] ** 2).mean() + (down[where] ** 2).mean())

    return float(np.sqrt((energy(b) + 1) / (energy(mapped) + 1)))


def _colour(a: View, b: View, there: Map) -> tuple[float, float]:
    """How far the colours are apart in most places, in levels of two colour differences: a sticker is no new colour.

    And the share of the places with clearly other colours.
    """
    moved, common = laid_colours(a, b, there)
    if not common.any():
        return 0.0, 0.0
    first, second = (_chroma(colours) for colours in (moved, b.colours))
    off = np.abs(first - second).sum(axis=-1)[common]
    return float(np.quantile(off, _MOST_PLACES)), float((off > _OTHER_HUE).mean())


def _chroma(colours: NDArray[np.uint8]) -> Floats:
    cv2 = opencv()
    smooth = cv2.GaussianBlur(colours.astype(np.float32), (0, 0), 2.0)
    red, green, blue = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([blue - luma, red - luma], axis=-1)


def _box(marked: NDArray[np.bool_], pair: Laid, there: Map, b: View) -> tuple[float, float, float, float]:
    """The box, in shares of picture b, round most of the marked pixels."""
    rows, columns = np.nonzero(marked)
    ends = [np.quantile(columns, 0.02), np.quantile(rows, 0.02), np.quantile(columns, 0.98), np.quantile(rows, 0.98)]
    places = np.array([[ends[0], ends[1]], [ends[2], ends[3]], [ends[0], ends[3]], [ends[2], ends[1]]])
    if pair.there is not there:  # the pixels are those of a
        places = placed(there, places)
    shares = (places + 0.5) / np.array(b.sides)
    low, high = np.clip(shares.min(axis=0), 0, 1), np.clip(shares.max(axis=0), 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
