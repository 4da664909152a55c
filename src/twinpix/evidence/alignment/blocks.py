"""Warp one image onto the other and compare the overlap: block-wise normalised cross-correlation."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, clip_polygon, inverse, rescale
from twinpix.evidence.pyramid import COLOUR, Pyramid, hull
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import ALIGNMENT, BLOCKS

BLOCK = 16  # pixels of either side of a block
_SMALL = 96  # pixels: in overlaps with a shorter side blocks have half the side, otherwise there are too few
_BLUR = 1.5  # pixels of Gaussian blur: a transform may be off by a pixel
_TEXTURE_WINDOW = 25  # pixels of either side of the mean filter: variation over longer distances is light, not texture
_BORDER = 15  # pixels: plain areas that are thinner are the background between letters, not a border
_CELLS = 4  # cells of equal area along either side of the overlap
_SCALE = 0.5  # at which transforms are refined
_ITERATIONS, _TOLERANCE = 25, 1e-3  # of ECC: at most, and the least gain of the correlation
_VARIANCE_FLOOR = 0.25  # squared grey levels: half a level of noise, so that flat blocks have a finite NCC
_ANTIALIAS, _MIN_BLUR = 0.9, 0.1  # scale below which an image is smoothed before it is resampled; pixels
_EPSILON = 1e-6  # divisor above 0
_LEAST_SHIFT = 8  # pixels: the texture of any image resembles itself at smaller shifts
_LEAST_WINDOW = 1e-3  # of the autocorrelation of the window, a divisor: where it is smaller hardly anything overlaps

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WarpedPair:
    """Two aligned images, in the pixels of the one with less detail, with derived data that is computed once."""

    a: Floats  # grey levels; defined where `common` is true
    b: Floats
    common: NDArray[np.bool_]
    border: NDArray[np.bool_]  # plain border of either image or of both
    a_to_b: Affine  # from pixels of pyramid a to these pixels

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        """Mask of the overlap without its edge, where smoothing mixes in pixels from beyond it."""
        return erode_mask(self.common)

    @cached_property
    def smooth(self) -> tuple[Floats, Floats]:
        """Both images, blurred so much that a transform may be off by a pixel."""
        cv2 = opencv()
        return cv2.GaussianBlur(self.a, (0, 0), _BLUR), cv2.GaussianBlur(self.b, (0, 0), _BLUR)

    @cached_property
    def texture(self) -> tuple[Floats, Floats]:
        """Both smooth images without their local mean: what varies over longer distances is light."""
        a, b = (grey - opencv().blur(grey, (_TEXTURE_WINDOW, _TEXTURE_WINDOW)) for grey in self.smooth)
        return a, b


class Agreement(NamedTuple):
    """Which blocks of the overlap correlate."""

    share: float  # of the textured blocks
    area: float  # mean share over cells of equal area: otherwise dense text outvotes a smooth image
    whole: float  # as `share`, with plain borders included
    blocks: int  # with texture
    coarse: float  # correlation of the mean levels of blocks that agree; 1 where these hardly vary
    fits: NDArray[np.int8]  # (rows, columns) of blocks: 1 agrees, 0 does not, -1 has no texture


def warp_pair(a: Pyramid, b: Pyramid, a_to_b: Affine) -> WarpedPair:
    """Warp the image with more detail onto the other one; the transform is from pixels of `a` to pixels of `b`."""
    scale = float(np.sqrt(abs(np.linalg.det(a_to_b[:, :2]))))
    if scale <= 1:
        moved, common, border = _warp_luma(a, a_to_b, scale, b.grey.shape)
        return WarpedPair(moved, b.grey.astype(np.float32), common, _border_areas(border, b.border, common), a_to_b)
    back = inverse(a_to_b)
    moved, common, border = _warp_luma(b, back, 1 / scale, a.grey.shape)
    return WarpedPair(a.grey.astype(np.float32), moved, common, _border_areas(border, a.border, common), np.eye(2, 3))


def _border_areas(a: NDArray[np.bool_], b: NDArray[np.bool_], common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the border areas of one image or of both, dilated by their edges.

    The background between letters that only one image has is thin, and is not removed with a border.
    """
    cv2 = opencv()
    kernel, out = np.ones((_BORDER, _BORDER), np.uint8), np.zeros(a.shape, bool)
    for marked in ((a ^ b) & common, a & b & common):
        if not marked.any():
            continue
        opened = cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        out |= cv2.dilate(opened, np.ones((7, 7), np.uint8)).astype(bool)
    return out


def _warp_luma(
    view: Pyramid, a_to_b: Affine, scale: float, shape: tuple[int, ...]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Warp a pyramid's luma onto other pixels; return it, which pixels it covers, and its border there."""
    cv2 = opencv()
    source = view.grey.astype(np.float32)
    if scale < _ANTIALIAS:
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)) + _MIN_BLUR)
    size = (shape[1], shape[0])
    moved = cv2.warpAffine(source, a_to_b, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kinds = np.where(view.border, 2, 1).astype(np.uint8)
    warped_kinds = cv2.warpAffine(
        kinds, a_to_b, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return moved, warped_kinds > 0, warped_kinds == 2


def use_finer(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[Pyramid, Pyramid, Affine] | None:
    """Return both pyramids at 640 pixels and the transform between them; None if neither has more pixels."""
    if not (a.has_more or b.has_more):
        return None
    return a.finer, b.finer, rescale(a_to_b, (a.size, a.finer.size), (b.size, b.finer.size))


def warp_colours(a: Pyramid, b: Pyramid, a_to_b: Affine) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Warp the colours of `a` onto those of `b`; also return which pixels they cover."""
    cv2 = opencv()
    square = (COLOUR, COLOUR)
    small = rescale(a_to_b, (a.size, square), (b.size, square))
    moved = cv2.warpAffine(a.colours, small, square, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    common = cv2.warpAffine(np.ones(square, np.uint8), small, square, flags=cv2.INTER_NEAREST, borderValue=0) > 0
    return moved, common


def erode_mask(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Erode a mask by the reach of the smoothing, which mixes in pixels from beyond its edge."""
    cv2 = opencv()
    return np.asarray(cv2.erode(marked.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1), dtype=bool)


def sample_pixels(marked: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Return the flat indices of marked pixels, evenly spaced: up to twice `count` of them."""
    at = np.flatnonzero(marked)
    return at[:: max(1, len(at) // count)]


def part_of(marked: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    """Return the share of `whole` that is marked."""
    return float((marked & whole).sum() / max(1, whole.sum()))


def agreement(pair: WarpedPair) -> Agreement:
    """Compare two aligned images by the NCC of their blocks."""
    cv2 = opencv()
    side = BLOCK if min(pair.a.shape) >= _SMALL else BLOCK // 2
    a, b = pair.smooth
    rows, columns = (max(1, length // side) for length in a.shape)
    whole = pair.inner.astype(np.float32)

    def mean(values: Floats) -> Floats:
        out: Floats = cv2.resize(values[: rows * side, : columns * side], (columns, rows), interpolation=cv2.INTER_AREA)
        return out

    def compare(weight: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[Any], list[NDArray[Any]]]:
        """Return which blocks correlate, which have texture, how much of each is covered, and their mean levels."""
        covered = mean(weight)
        filled = np.maximum(covered, _EPSILON)
        mean_a, mean_b = mean(a * weight) / filled, mean(b * weight) / filled
        var_a = mean(a * a * weight) / filled - mean_a**2
        var_b = mean(b * b * weight) / filled - mean_b**2
        product = mean(a * b * weight) / filled - mean_a * mean_b
        # Any two gradients correlate: a block has texture where its levels leave the local mean.
        stand_out = [mean(other * weight) / filled for other in rough]
        textured = (covered > BLOCKS.min_coverage) & (np.maximum(*stand_out) > BLOCKS.min_texture**2)
        fits = product > BLOCKS.min_correlation * np.sqrt(
            np.maximum(var_a, _VARIANCE_FLOOR) * np.maximum(var_b, _VARIANCE_FLOOR)
        )
        return fits, textured, covered, [mean_a, mean_b]

    rough = [grey**2 for grey in pair.texture]
    fits, textured, covered, light = compare(whole * ~pair.border)
    if not textured.any():
        return Agreement(0.0, 0.0, 0.0, 0, 1.0, np.full(textured.shape, -1, np.int8))
    share = of_all = float(fits[textured].mean())
    if pair.border.any():
        every = compare(whole)
        of_all = float(every[0][every[1]].mean()) if every[1].any() else 0.0
    return Agreement(
        share,
        _area(fits, textured, covered > BLOCKS.min_coverage),
        of_all,
        int(textured.sum()),
        _coarse(light[0], light[1], textured & fits),
        np.where(textured, fits, -1).astype(np.int8),
    )


def _area(fits: NDArray[np.bool_], textured: NDArray[np.bool_], covered: NDArray[np.bool_]) -> float:
    """Return the mean share of agreeing blocks over cells of equal area that have texture."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    cells = [
        (_CELLS * (np.arange(length) - kept[0]) // (kept[-1] - kept[0] + 1)).clip(0, _CELLS - 1)
        for length, kept in zip(covered.shape, (rows, columns), strict=True)
    ]
    cell = (_CELLS * cells[0][:, None] + cells[1][None])[textured]
    counts = np.bincount(cell, minlength=_CELLS**2)
    agreeing = np.bincount(cell, weights=fits[textured], minlength=_CELLS**2)
    a_to_b = counts > 0
    return float((agreeing[a_to_b] / counts[a_to_b]).mean())


def coarse(a: Floats, b: Floats, fits: NDArray[np.int8]) -> float:
    """Correlate the mean levels of agreeing blocks, as in `Agreement.coarse`."""
    cv2 = opencv()
    side = a.shape[0] // fits.shape[0], a.shape[1] // fits.shape[1]
    first, second = (grey[: side[0] * fits.shape[0], : side[1] * fits.shape[1]] for grey in (a, b))
    small = [cv2.resize(grey, fits.shape[::-1], interpolation=cv2.INTER_AREA) for grey in (first, second)]
    return _coarse(small[0], small[1], fits == 1)


def _coarse(a: NDArray[Any], b: NDArray[Any], chosen: NDArray[np.bool_]) -> float:
    """Correlate the mean levels of chosen blocks: all blocks of one fabric agree, whatever stains are on it."""
    return correlate(a[chosen], b[chosen], BLOCKS.light_deviation)


def correlate(a: NDArray[Any], b: NDArray[Any], least: float) -> float:
    """Return the correlation of levels `(n,)`; 1 where neither deviates by `least`."""
    if len(a) < 2 or max(a.std(), b.std()) < least:
        return 1.0
    product = ((a - a.mean()) * (b - b.mean())).mean()
    return float(product / max(a.std() * b.std(), 1.0))


def isotropy_of(pair: WarpedPair, agrees: Agreement) -> float:
    """Return the smaller by the larger eigenvalue of the gradient structure tensor over agreeing blocks.

    0 for parallel straight edges, which agree in any two images. The least of both images, each as it is and without
    its local mean.
    """
    cv2 = opencv()
    where = (pair.inner & pixels_of(agrees.fits == 1, pair.common.shape)).astype(np.float32)
    out = 1.0
    for grey in (*pair.smooth, *pair.texture):
        across, down = ((cv2.Sobel(grey, cv2.CV_32F, *along) * where).ravel() for along in ((1, 0), (0, 1)))
        rises, falls, both = (float(np.dot(*each)) for each in ((across, across), (down, down), (across, down)))
        total, eigenvalue_gap = rises + falls, np.hypot(rises - falls, 2 * both)
        out = min(out, float((total - eigenvalue_gap) / max(total + eigenvalue_gap, _EPSILON)))
    return out


def repetition(pair: WarpedPair) -> float:
    """Return how alike the texture of the first image is to itself at the best shift: 0.97 for a chessboard, 1 at most.

    The autocorrelation of the image without its local mean, under a window; shifts of half its size or more, and of
    less than 8 pixels, do not count.
    """
    cv2 = opencv()
    height, width = pair.a.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    size = cv2.getOptimalDFTSize(2 * height), cv2.getOptimalDFTSize(2 * width)
    parts = []
    for values in (pair.texture[0] * window, window):
        found = np.fft.irfft2(np.abs(np.fft.rfft2(values, size)) ** 2, size)
        parts.append(found / max(float(found[0, 0]), _EPSILON))
    down, across = (np.minimum(np.arange(length), length - np.arange(length)) for length in size)
    far = np.hypot(down[:, None], across[None])
    counts = (down[:, None] < height / 2) & (across[None] < width / 2) & (far > _LEAST_SHIFT)
    alike = parts[0] / np.maximum(parts[1], _LEAST_WINDOW)
    return float(alike[counts].max(initial=0.0))


def pixels_within(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask the pixels of an image of this shape inside a convex polygon, which may reach beyond the image."""
    out, within = np.zeros(shape, np.uint8), clip_polygon(polygon, (shape[1], shape[0]))
    if len(within):
        opencv().fillConvexPoly(out, np.rint(within).astype(np.int32), 1)
    return out.astype(bool)


def pixels_of(blocks: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Enlarge a mask of blocks to pixels."""
    cv2 = opencv()
    return np.asarray(cv2.resize(blocks.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=bool)


def hull_of_agreeing(fits: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return the convex hull of the agreeing blocks."""
    return hull(fits == 1)


def is_exact(pair: WarpedPair) -> bool:
    """True if no quarter of the overlap is shifted, by phase correlation."""
    cv2 = opencv()
    height, width = (length // 2 for length in pair.a.shape)
    if min(height, width) < BLOCK:
        return False
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    for y in (0, pair.a.shape[0] - height):
        for x in (0, pair.a.shape[1] - width):
            parts = (grey[y : y + height, x : x + width].copy() for grey in (pair.a, pair.b))
            (right, down), strength = cv2.phaseCorrelate(*parts, window)
            if strength > ALIGNMENT.shift_response and max(abs(right), abs(down)) > ALIGNMENT.max_shift:
                return False
    return True


def refine(a: Pyramid, b: Pyramid, a_to_b: Affine) -> Affine | None:
    """Refine a transform by ECC; None if it does not converge.

    Source: G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient
    maximization", PAMI 2008, https://doi.org/10.1109/TPAMI.2008.113
    """
    cv2 = opencv()
    pair = warp_pair(a, b, a_to_b)
    warp = np.eye(2, 3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _TOLERANCE)
    size = tuple(max(1, round(length * _SCALE)) for length in pair.a.shape[::-1])
    small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (pair.a, pair.b)]
    common = cv2.resize(pair.common.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    try:
        cv2.findTransformECC(*small, warp, cv2.MOTION_AFFINE, steps, common, 5)
    except cv2.error:  # no convergence
        return None
    shares = [length / whole for length, whole in zip(size, pair.a.shape[::-1], strict=True)]
    to_small = np.diag([*shares, 1.0])
    to_small[:2, 2] = [(share - 1) / 2 for share in shares]
    # `warp` leads from pixels of the overlap to the pixels of b that they show.
    fine = np.linalg.inv(to_small) @ np.vstack([warp.astype(np.float64), [0, 0, 1]]) @ to_small
    first = np.vstack([pair.a_to_b, [0, 0, 1]])  # from a to the overlap
    second = np.vstack([a_to_b, [0, 0, 1]]) @ np.linalg.inv(first)  # from the overlap to b
    return np.asarray((second @ fine @ first)[:2])
