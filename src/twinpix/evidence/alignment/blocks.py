"""Compare the overlap of two aligned images: block-wise normalised cross-correlation, directions, repetition."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.warp import WarpedPair
from twinpix.evidence.masks import Floats, Mask, pixels_of
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import BLOCKS

BLOCK = 16  # pixels of either side of a block
_SMALL = 96  # pixels: in overlaps with a shorter side blocks have half the side, otherwise there are too few
_CELLS = 4  # cells of equal area along either side of the overlap
_VARIANCE_FLOOR = 0.25  # squared grey levels: half a level of noise, so that flat blocks have a finite NCC
_EPSILON = 1e-6  # divisor above 0
_LEAST_SHIFT = 8  # pixels: the texture of any image resembles itself at smaller shifts
_LEAST_WINDOW = 1e-3  # of the autocorrelation of the window, a divisor: where it is smaller hardly anything overlaps


class Agreement(NamedTuple):
    """Which blocks of the overlap correlate."""

    share: float  # of the textured blocks
    area: float  # mean share over cells of equal area: otherwise dense text outvotes a smooth image
    whole: float  # as `share`, with plain borders included
    blocks: int  # with texture
    coarse: float  # correlation of the mean levels of blocks that agree; 1 where these hardly vary
    fits: NDArray[np.int8]  # (rows, columns) of blocks: 1 agrees, 0 does not, -1 has no texture


def block_side(pair: WarpedPair) -> int:
    """Return the pixels of either side of a block."""
    return BLOCK if min(pair.a.shape) >= _SMALL else BLOCK // 2


def agreement(pair: WarpedPair) -> Agreement:
    """Compare two aligned images by the NCC of their blocks."""
    cv2 = opencv()
    side = block_side(pair)
    a, b = pair.smooth
    rows, columns = (max(1, length // side) for length in a.shape)
    whole = pair.inner.astype(np.float32)

    def mean(values: Floats) -> Floats:
        out: Floats = cv2.resize(values[: rows * side, : columns * side], (columns, rows), interpolation=cv2.INTER_AREA)
        return out

    def compare(weight: Floats) -> tuple[Mask, Mask, NDArray[Any], list[NDArray[Any]]]:
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


def _area(fits: Mask, textured: Mask, covered: Mask) -> float:
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


def _coarse(a: NDArray[Any], b: NDArray[Any], chosen: Mask) -> float:
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
