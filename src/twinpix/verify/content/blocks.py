"""Do the pixels agree where one picture lies on another?"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.imaging.opencv import opencv
from twinpix.verify.alignment.affine import Map, inverse, rescaled
from twinpix.verify.pyramid import COLOUR, View, hull

BLOCK = 16  # pixels
_BLUR = 1.5  # pixels: what a shift of a pixel would make disagree is smoothed away
_SLOPE = 25  # pixels: what varies no faster is light, not structure
_CONTRAST = 3.0  # of a block's grey levels, as a standard deviation, below which there is nothing to compare
_ALIKE = 0.6  # normalised correlation of two blocks that show the same
_THIN = 15  # pixels: no plain border is as thin
_COVERED = 0.6  # of a block that both pictures must show
_STRONG = 0.05  # of a correlation: with less, a shift means nothing
_SHIFT = 0.7  # pixels
_CELLS = 4  # parts of equal area that the overlap has along either side
_COARSE = 0.5  # of the pixels a side, at which maps are refined
_ROUNDS = 25
_SMALL = 96  # pixels: of pictures with a shorter side the blocks are smaller

Floats = NDArray[np.float32]


class Laid(NamedTuple):
    """Two pictures laid on each other, in the pixels of the one that shows less detail."""

    a: Floats  # grey levels; only those marked by `common` mean something
    b: Floats
    common: NDArray[np.bool_]
    border: NDArray[np.bool_]  # of one of them or of both, where there is a whole area of it
    there: Map  # from places of picture a to these pixels


class Agreement(NamedTuple):
    """How much of the overlap agrees."""

    share: float  # of the blocks in which there is something to see
    area: float  # of the parts of equal area: many small letters, or a caption's band, would outvote a smooth picture
    whole: float  # as `share`, borders counted too
    blocks: int  # with something to see
    coarse: float  # correlation of the light and dark of blocks that agree; 1 where there is next to none
    fits: NDArray[np.int8]  # (rows, columns) of blocks: 1 agrees, 0 does not, -1 nothing to see there


def laid(a: View, b: View, there: Map) -> Laid:
    """Lay picture `a` on picture `b`, given where its places lie there."""
    scale = float(np.sqrt(abs(np.linalg.det(there[:, :2]))))
    if scale <= 1:
        moved, common, border = _moved(a, there, scale, b.grey.shape)
        return Laid(moved, b.grey.astype(np.float32), common, _areas(border, b.border, common), there)
    back = inverse(there)
    moved, common, border = _moved(b, back, 1 / scale, a.grey.shape)
    return Laid(a.grey.astype(np.float32), moved, common, _areas(border, a.border, common), np.eye(2, 3))


def _areas(a: NDArray[np.bool_], b: NDArray[np.bool_], common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The areas that are a border of one of them, or of both, with the edge round them.

    Letters on a page's ground, where only one has them, are thin and stay.
    """
    cv2 = opencv()
    kernel, out = np.ones((_THIN, _THIN), np.uint8), np.zeros(a.shape, bool)
    for marked in ((a ^ b) & common, a & b & common):
        opened = cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        out |= cv2.dilate(opened, np.ones((7, 7), np.uint8)).astype(bool)
    return out


def _moved(
    view: View, there: Map, scale: float, shape: tuple[int, ...]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """A picture moved into another's pixels, `scale` times as large; which of them it covers, and its border."""
    cv2 = opencv()
    source = view.grey.astype(np.float32)
    if scale < 0.9:
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + 0.1)
    size = (shape[1], shape[0])
    moved = cv2.warpAffine(source, there, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kinds = np.where(view.border, 2, 1).astype(np.uint8)
    laid = cv2.warpAffine(kinds, there, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return moved, laid > 0, laid == 2


def closer(a: View, b: View, there: Map) -> tuple[View, View, Map] | None:
    """Both pictures in all their detail, and the map between them; None where neither has more."""
    if not (a.has_more or b.has_more):
        return None
    return a.closer, b.closer, rescaled(there, (a.sides, a.closer.sides), (b.sides, b.closer.sides))


def laid_colours(a: View, b: View, there: Map) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The colours of picture `a` in the pixels of those of picture `b`, and which of them it covers."""
    cv2 = opencv()
    square = (COLOUR, COLOUR)
    small = rescaled(there, (a.sides, square), (b.sides, square))
    moved = cv2.warpAffine(a.colours, small, square, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    common = cv2.warpAffine(np.ones(square, np.uint8), small, square, flags=cv2.INTER_NEAREST, borderValue=0) > 0
    return moved, common


def inside(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is marked, less its edge, where smoothing mixes in what lies beyond."""
    cv2 = opencv()
    return np.asarray(cv2.erode(marked.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1), dtype=bool)


def part_of(marked: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    """The share of the whole that is marked."""
    return float((marked & whole).sum() / max(1, whole.sum()))


def agreement(pair: Laid) -> Agreement:
    """Compare two pictures that lie on each other, block by block."""
    cv2 = opencv()
    side = BLOCK if min(pair.a.shape) >= _SMALL else BLOCK // 2
    a, b = (cv2.GaussianBlur(grey, (0, 0), _BLUR) for grey in (pair.a, pair.b))
    rows, columns = (max(1, length // side) for length in a.shape)
    whole = inside(pair.common).astype(np.float32)

    def mean(values: Floats) -> Floats:
        out: Floats = cv2.resize(values[: rows * side, : columns * side], (columns, rows), interpolation=cv2.INTER_AREA)
        return out

    def compared(weight: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[Any], list[NDArray[Any]]]:
        """Which blocks agree, in which there is something to see, how much of each counts, and their light and dark."""
        covered = mean(weight)
        filled = np.maximum(covered, 1e-6)
        mean_a, mean_b = mean(a * weight) / filled, mean(b * weight) / filled
        var_a = mean(a * a * weight) / filled - mean_a**2
        var_b = mean(b * b * weight) / filled - mean_b**2
        product = mean(a * b * weight) / filled - mean_a * mean_b
        # Any two slopes would agree: there is something to see where something stands out of what lies around.
        stand_out = [mean(other * weight) / filled for other in rough]
        seen = (covered > _COVERED) & (np.maximum(*stand_out) > _CONTRAST**2)
        fits = product > _ALIKE * np.sqrt(np.maximum(var_a, 0.25) * np.maximum(var_b, 0.25))
        return fits, seen, covered, [mean_a, mean_b]

    rough = [(grey - cv2.blur(grey, (_SLOPE, _SLOPE))) ** 2 for grey in (a, b)]
    fits, seen, covered, light = compared(whole * ~pair.border)
    if not seen.any():
        return Agreement(0.0, 0.0, 0.0, 0, 1.0, np.full(seen.shape, -1, np.int8))
    share = of_all = float(fits[seen].mean())
    if pair.border.any():
        every = compared(whole)
        of_all = float(every[0][every[1]].mean()) if every[1].any() else 0.0
    return Agreement(
        share,
        _area(fits, seen, covered > _COVERED),
        of_all,
        int(seen.sum()),
        _coarse(light[0], light[1], seen & fits),
        np.where(seen, fits, -1).astype(np.int8),
    )


def _area(fits: NDArray[np.bool_], seen: NDArray[np.bool_], covered: NDArray[np.bool_]) -> float:
    """The share of the area that agrees, of the parts in which there is something to see."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    cells = [
        (_CELLS * (np.arange(length) - kept[0]) // (kept[-1] - kept[0] + 1)).clip(0, _CELLS - 1)
        for length, kept in zip(covered.shape, (rows, columns), strict=True)
    ]
    cell = (_CELLS * cells[0][:, None] + cells[1][None])[seen]
    counts = np.bincount(cell, minlength=_CELLS**2)
    agreeing = np.bincount(cell, weights=fits[seen], minlength=_CELLS**2)
    there = counts > 0
    return float((agreeing[there] / counts[there]).mean())


def coarse(a: Floats, b: Floats, fits: NDArray[np.int8]) -> float:
    """How well light and dark places of two pictures lie together where their blocks agree, as in `Agreement`."""
    cv2 = opencv()
    side = a.shape[0] // fits.shape[0], a.shape[1] // fits.shape[1]
    first, second = (grey[: side[0] * fits.shape[0], : side[1] * fits.shape[1]] for grey in (a, b))
    small = [cv2.resize(grey, fits.shape[::-1], interpolation=cv2.INTER_AREA) for grey in (first, second)]
    return _coarse(small[0], small[1], fits == 1)


def _coarse(a: NDArray[Any], b: NDArray[Any], chosen: NDArray[np.bool_]) -> float:
    """How well light and dark places lie together: of one fabric's weave all blocks agree, whatever lies on it."""
    return correlated(a[chosen], b[chosen], 2 * _CONTRAST)


def correlated(a: NDArray[Any], b: NDArray[Any], least: float) -> float:
    """How well levels `(n,)` correlate; 1 where neither varies by the least."""
    if len(a) < 2 or max(a.std(), b.std()) < least:
        return 1.0
    product = ((a - a.mean()) * (b - b.mean())).mean()
    return float(product / max(a.std() * b.std(), 1.0))


def directions(pair: Laid, agrees: Agreement) -> float:
    """How much what agrees rises and falls along any direction, of how much along that in which it does so most.

    0 where all of it is straight edges that run one way: those of any two pictures agree.
    """
    cv2 = opencv()
    where = inside(pair.common) & pixels_of(agrees.fits == 1, pair.common.shape)
    smooth = [cv2.GaussianBlur(grey, (0, 0), _BLUR) for grey in (pair.a, pair.b)]
    rough = [grey - cv2.blur(grey, (_SLOPE, _SLOPE)) for grey in smooth]  # a vignette is light, not structure
    out = 1.0
    for grey in (*smooth, *rough):
        across, down = (cv2.Sobel(grey, cv2.CV_32F, *along)[where] for along in ((1, 0), (0, 1)))
        rises, falls, both = (float(np.dot(*each)) for each in ((across, across), (down, down), (across, down)))
        total, apart = rises + falls, np.hypot(rises - falls, 2 * both)
        out = min(out, float((total - apart) / max(total + apart, 1e-9)))
    return out


def pixels_of(blocks: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of marked blocks."""
    cv2 = opencv()
    return np.asarray(cv2.resize(blocks.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=bool)


def between(fits: NDArray[np.int8]) -> NDArray[np.bool_]:
    """The blocks between those that agree."""
    return hull(fits == 1)


def is_exact(pair: Laid) -> bool:
    """True when no part of the one picture would lie better on the other if it were shifted by a pixel."""
    cv2 = opencv()
    height, width = (length // 2 for length in pair.a.shape)
    if min(height, width) < BLOCK:
        return False
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    for y in (0, pair.a.shape[0] - height):
        for x in (0, pair.a.shape[1] - width):
            parts = (grey[y : y + height, x : x + width].copy() for grey in (pair.a, pair.b))
            (right, down), strength = cv2.phaseCorrelate(*parts, window)
            if strength > _STRONG and max(abs(right), abs(down)) > _SHIFT:
                return False
    return True


def refined(a: View, b: View, there: Map) -> Map | None:
    """A map near `there` on which the pixels agree better (enhanced correlation); None when there is none.

    Source: G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient
    maximization", PAMI 2008, https://doi.org/10.1109/TPAMI.2008.113
    """
    cv2 = opencv()
    pair = laid(a, b, there)
    warp = np.eye(2, 3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, 1e-3)
    size = tuple(max(1, round(length * _COARSE)) for length in pair.a.shape[::-1])
    small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (pair.a, pair.b)]
    common = cv2.resize(pair.common.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    try:
        cv2.findTransformECC(*small, warp, cv2.MOTION_AFFINE, steps, common, 5)
    except cv2.error:  # it says so when it finds nothing
        return None
    shares = [length / whole for length, whole in zip(size, pair.a.shape[::-1], strict=True)]
    to_small = np.diag([*shares, 1.0])
    to_small[:2, 2] = [(share - 1) / 2 for share in shares]
    # `warp` leads from the pixels as they are laid to those that picture b has there.
    fine = np.linalg.inv(to_small) @ np.vstack([warp.astype(np.float64), [0, 0, 1]]) @ to_small
    first = np.vstack([pair.there, [0, 0, 1]])  # from a to the pixels
    second = np.vstack([there, [0, 0, 1]]) @ np.linalg.inv(first)  # from the pixels to b
    return np.asarray((second @ fine @ first)[:2])
