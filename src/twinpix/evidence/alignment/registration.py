"""Register two images to a fraction of a pixel, and normalise them locally."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.affine import Affine, inverse, scale_of
from twinpix.evidence.alignment.warp import antialias
from twinpix.evidence.masks import Floats, Mask, sample_pixels, window_mean
from twinpix.evidence.quadratic import monomials_at, monomials_of
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import REGISTRATION

_MEAN_WINDOW = 33  # pixels a side of the window of local means
_RESOLUTIONS = (
    (400, 4, 3),
    (800, 3, 6),
)  # coarse to fine: pixels of the longer side, iterations, terms of the polynomials
_STEP_PIXELS = 20_000  # pixels, evenly spread: more are no more exact
_RIDGE = 1e-4  # of the mean diagonal: along parallel edges a shift is undetermined, and remains 0
_TOLERANCE = 0.02  # pixels: the last step of an iteration
_CAUCHY = 1.5  # medians of the residual at which the weight of a pixel is a half
_MIN_BLUR, _LEAST_RESIDUAL = 0.05, 0.05  # pixels of the smoothing of an image that is reduced; a divisor above 0
_COVERED, _EPSILON = 0.99, 1e-3  # share of a resampled pixel that is known; divisor above 0


def warp_onto(grey: NDArray[np.uint8], a_to_b: Affine, shape: tuple[int, ...]) -> tuple[Floats, Mask]:
    """Warp an image onto pixels that are as large or larger; also return which of them it covers."""
    cv2 = opencv()
    source, size = antialias(grey, scale_of(a_to_b), _MIN_BLUR), (shape[1], shape[0])
    out = cv2.warpAffine(source, a_to_b, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(np.ones(grey.shape, np.uint8), a_to_b, size, flags=cv2.INTER_NEAREST, borderValue=0)
    return out, covered > 0


class FinePair(NamedTuple):
    """Two images in the pixels of the one with less detail."""

    a: Floats
    b: Floats
    known: Mask  # pixels that both cover
    of_a: bool  # the pixels are those of `a`


def warp_fine(a: NDArray[np.uint8], b: NDArray[np.uint8], a_to_b: Affine) -> FinePair:
    """Warp the image with more detail onto the other one; the transform is from pixels of `a` to pixels of `b`."""
    if abs(float(np.linalg.det(a_to_b[:, :2]))) <= 1:
        out, covered = warp_onto(a, a_to_b, b.shape)
        return FinePair(out, b.astype(np.float32), covered, False)
    out, covered = warp_onto(b, inverse(a_to_b), a.shape)
    return FinePair(a.astype(np.float32), out, covered, True)


class Normaliser:
    """Subtracts the local mean and divides by the local standard deviation, so that light and contrast do not count."""

    def __init__(self, known: Floats) -> None:
        """Prepare for images that are known where `known` is 1, and not where it is 0."""
        self._known = known
        self._shares: Floats = np.maximum(window_mean(known, _MEAN_WINDOW), np.float32(_EPSILON))

    def __call__(self, grey: Floats) -> Floats:
        """Normalise one image, in grey levels."""
        mean = window_mean(grey * self._known, _MEAN_WINDOW) / self._shares
        rest = np.asarray((grey - mean) * self._known, dtype=np.float32)
        floor = np.float32(REGISTRATION.deviation_floor**2)
        variance = window_mean(rest * rest, _MEAN_WINDOW) / self._shares
        return np.asarray(rest / np.sqrt(variance + floor), dtype=np.float32)


def register(pair: FinePair) -> FinePair:
    """Register `a` onto `b` with a displacement that is a quadratic polynomial of the pixel's position.

    Gauss-Newton on locally normalised pixels, coarse to fine, with Cauchy weights against pixels that differ
    (B. Lucas, T. Kanade, "An iterative image registration technique", IJCAI 1981). So smooth a displacement cannot turn
    one word into another.
    """
    cv2 = opencv()
    a, b, known, _ = pair
    height, width = a.shape
    params = np.zeros((2, 6))
    for side, rounds, terms in _RESOLUTIONS:
        share = min(1.0, side / max(width, height))
        size = (max(16, round(width * share)), max(16, round(height * share)))
        small = [cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (a, b, known.astype(np.float32))]
        first, second = map(Normaliser(small[2]), (cv2.GaussianBlur(grey, (0, 0), 1.0) for grey in small[:2]))
        scales = np.array([size[0] / width, size[1] / height])
        if (places := _steep_places(second, small[2] > _COVERED)) is None:
            continue
        for _ in range(rounds):
            step = _step(first, places, params * scales[:, None], terms)
            params[:, :terms] += step / scales[:, None]
            if np.abs(step).max() < _TOLERANCE:
                break
    covered = (_shift(known.astype(np.float32), params) > _COVERED) & known
    return pair._replace(a=_shift(a, params), known=covered)


def _shift(values: Floats, params: NDArray[np.float64]) -> Floats:
    cv2 = opencv()
    if not params.any():
        return values
    rows, columns = np.indices(values.shape, dtype=np.float32)
    for across, down, term in zip(*params.astype(np.float32), monomials_of(values.shape), strict=True):
        if across or down:
            columns = columns + across * term
            rows = rows + down * term
    out: Floats = cv2.remap(values, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return out


class _Places(NamedTuple):
    """Pixels of an image with a gradient, evenly spread."""

    columns: Floats  # (n, 1)
    rows: Floats  # (n, 1)
    basis: NDArray[np.float64]  # (n, 6): the monomials there
    levels: NDArray[np.float64]  # (n,)
    slopes: list[NDArray[np.float64]]  # (n, 1) each: the gradient, across and down


def _steep_places(b: Floats, known: Mask) -> _Places | None:
    """Return where an image has gradients; None if there are too few."""
    cv2 = opencv()
    across, down = (cv2.Scharr(b, cv2.CV_32F, *along) / 32 for along in ((1, 0), (0, 1)))
    steep = (across * across + down * down > REGISTRATION.min_gradient) & known
    if steep.sum() < REGISTRATION.min_pixels:
        return None
    at = sample_pixels(steep, _STEP_PIXELS)
    rows, columns = (each.astype(np.float32)[:, None] for each in np.divmod(at, b.shape[1]))
    levels, *slopes = (each.ravel()[at].astype(np.float64) for each in (b, across, down))
    return _Places(columns, rows, monomials_at(at, b.shape), levels, [each[:, None] for each in slopes])


def _step(a: Floats, places: _Places, params: NDArray[np.float64], terms: int) -> NDArray[np.float64]:
    """Return the Gauss-Newton step of the parameters, `(2, terms)`, with the gradient of the other image."""
    cv2 = opencv()
    across, down = np.split((places.basis @ params.T).astype(np.float32), 2, axis=1)
    at = places.columns + across, places.rows + down
    off = places.levels - cv2.remap(a, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).ravel()
    scale = _CAUCHY * float(np.median(np.abs(off))) + _LEAST_RESIDUAL
    weight = 1 / (1 + (off / scale) ** 2)
    slopes = np.concatenate([slope * places.basis[:, :terms] for slope in places.slopes], axis=1)
    weighted = slopes * weight[:, None]
    squares = weighted.T @ slopes
    squares += _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    return np.asarray(np.linalg.solve(squares, weighted.T @ off).reshape(2, terms))
